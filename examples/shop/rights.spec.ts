/** The shop over its tables and policies: a PostgreSQL in process, and the service's own HTTP. */
import { HttpClient, HttpClientRequest, HttpLayerRouter } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Redacted, Stream } from "effect"
import { Config, Db } from "effect-supabase-pool"
import { EmbeddedSupabase } from "effect-supabase-pool/embedded"
import { database, lamp } from "./database.js"
import { routes } from "./http.js"
import { asLines, Shop } from "./shop.js"

const ann = "10000000-0000-4000-8000-000000000001"
const ben = "10000000-0000-4000-8000-000000000002"

const Real = HttpLayerRouter.serve(routes, { disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layerTest),
  Layer.merge(Shop.Default),
  Layer.provideMerge(Db.layer),
  Layer.provide(Config.PoolConfig.layerOf({ minConnections: 1, maxConnections: 4 })),
  Layer.provideMerge(database)
)

layer(Real, { timeout: "1 minute" })("the shop", (it) => {
  /** What a user hears: the status, and the body. */
  const asked = (user: string, request: HttpClientRequest.HttpClientRequest) =>
    Effect.gen(function* () {
      const { userToken } = yield* EmbeddedSupabase
      const response = yield* HttpClient.execute(
        HttpClientRequest.bearerToken(request, Redacted.value(userToken(user)))
      )
      return [response.status, yield* response.text] as const
    }).pipe(Effect.scoped)

  const wish = (quantity: number) =>
    HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post("/orders"), { product: lamp, quantity })

  const exported = HttpClientRequest.get("/orders/export")

  it.effect("an order is its buyer's, counts the stock down, and is cancelled once", () =>
    Effect.gen(function* () {
      const shop = yield* Shop
      const { status } = yield* HttpClient.execute(wish(1))
      assert.strictEqual(status, 401)

      const [created, order] = yield* asked(ann, wish(2))
      assert.strictEqual(created, 201)
      assert.match(order, /"total":"39\.8"/)
      assert.strictEqual((yield* asked(ben, wish(2)))[0], 409)

      const id = /"id":"([^"]+)"/.exec(order)?.[1]
      const cancel = HttpClientRequest.post(`/orders/${id}/cancel`)
      assert.strictEqual((yield* asked(ben, cancel))[0], 404)

      assert.deepStrictEqual(yield* asked(ben, exported), [200, ""])
      assert.deepStrictEqual(yield* asked(ann, exported), [200, `${order}\n`])
      assert.strictEqual(yield* asLines(shop.exportAll).pipe(Stream.decodeText(), Stream.mkString), `${order}\n`)

      assert.strictEqual((yield* asked(ann, cancel))[0], 200)
      assert.strictEqual((yield* asked(ann, cancel))[0], 409)
      assert.strictEqual((yield* shop.restock(lamp, 5)).stock, 8)
    })
  )
})
