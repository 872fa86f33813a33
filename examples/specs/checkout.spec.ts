/**
 * The same service over two databases: a handler that answers what would have been sent, in no time and for what no real
 * database does on request; and a real PostgreSQL in process, for what matters in SQL.
 *
 *     npx vitest run examples/specs
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Config, Db } from "effect-supabase-pool"
import { SharedSupabase } from "../../test/support/embedded.js"
import * as Checkout from "./checkout.js"

const buyerId = "10000000-0000-4000-8000-000000000012"
/** A product of this spec's own, since others use the database at the same time. */
const productId = "3e000000-0000-4000-8000-000000000001"

const buy = (quantity: number, requestId: string) =>
  Effect.flatMap(Checkout.Checkout, (checkout) => checkout.buy({ buyerId, productId, quantity }, requestId))

/** Says that so much is in stock, and remembers what was written. */
const stocked = (stock: number, written: Array<string>) =>
  Checkout.layer.pipe(
    Layer.provide(
      Db.layerTest((request) => {
        if (request.method === "GET") return Response.json([{ id: productId, price: 10, stock }])
        written.push(new URL(request.url).pathname)
        return Response.json({ replayed: false, results: [{ id: productId }, { id: "order-1" }] })
      })
    )
  )

describe("over a handler", () => {
  it.effect("what is in stock can be bought", () =>
    Effect.gen(function* () {
      const written: Array<string> = []
      const id = yield* buy(2, "request-1").pipe(Effect.provide(stocked(2, written)))
      assert.strictEqual(id, "order-1")
      assert.strictEqual(written.length, 1)
    })
  )

  it.effect("what is sold out is not even tried", () =>
    Effect.gen(function* () {
      const written: Array<string> = []
      const outcome = yield* Effect.either(buy(3, "request-2").pipe(Effect.provide(stocked(2, written))))
      assert.isTrue(outcome._tag === "Left" && outcome.left._tag === "SoldOut")
      assert.deepStrictEqual(written, [])
    })
  )
})

/** In your own specs: `Embedded.layer` from "effect-supabase-pool/embedded". Here all specs share one, as it takes seconds. */
const Real = Checkout.layer.pipe(
  Layer.provideMerge(Db.layer),
  Layer.provide(SharedSupabase),
  Layer.provide(Config.PoolConfig.layerOf({ minConnections: 1, maxConnections: 4 }))
)

layer(Real)("over a real database", (it) => {
  const stock = Db.read((client) =>
    client.from("products").select("stock").eq("id", productId).single<{ stock: number }>()
  )

  const listed = Effect.acquireRelease(
    Db.write((client) =>
      client.from("products").insert({
        id: productId,
        title: "A lamp of the examples",
        price: 10,
        stock: 5,
        shop_id: "20000000-0000-4000-8000-000000000001",
        seller_id: "10000000-0000-4000-8000-000000000002"
      })
    ),
    () =>
      Db.transaction([
        (client) => client.from("orders").delete().eq("product_id", productId),
        (client) => client.from("products").delete().eq("id", productId)
      ]).pipe(Effect.orDie)
  )

  it.scoped("a request that comes twice buys once", () =>
    Effect.gen(function* () {
      yield* listed
      const first = yield* buy(1, "examples-request-3")
      const second = yield* Effect.either(buy(1, "examples-request-3"))
      // The second sees another stock, so it is another transaction under the same key: refused, not executed.
      assert.isTrue(second._tag === "Left" && second.left._tag === "TransactionFailed")
      assert.match(first, /^[0-9a-f-]{36}$/)
      assert.deepStrictEqual(yield* stock, { stock: 4 })
    })
  )
})
