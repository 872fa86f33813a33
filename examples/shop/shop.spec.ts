/**
 * The shop over a handler, for behaviour that no database shows on demand.
 *
 *     npx vitest run examples/shop
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream, TestClock } from "effect"
import { Db } from "effect-supabase-pool"
import { asLines, Shop } from "./shop.js"

const order = {
  id: "40000000-0000-4000-8000-000000000001",
  buyer_id: "10000000-0000-4000-8000-000000000012",
  product_id: "30000000-0000-4000-8000-000000000001",
  quantity: 2,
  total: "39.80",
  status: "open",
  placed_at: "2026-11-29T10:00:00+00:00"
}

const busy = { code: "PGRST003", message: "no connection", details: null, hint: null }

it.effect("an export goes on as its user when the database was busy", () => {
  const tokens: Array<string | null> = []
  const Test = Db.layerTest((request) => {
    tokens.push(request.headers.get("authorization"))
    return tokens.length === 1 ? Response.json(busy, { status: 504 }) : Response.json([order])
  })
  return Effect.gen(function* () {
    const shop = yield* Shop
    const lines = asLines(shop.export).pipe(Db.withAccessToken("token-of-ann"), Stream.decodeText(), Stream.mkString)
    const exporting = yield* Effect.fork(lines)
    yield* TestClock.adjust("2 seconds")
    assert.match(yield* Fiber.join(exporting), /^\{"id":"4.*"total":"39\.8".*\}\n$/)
    assert.deepStrictEqual([...new Set(tokens)], ["Bearer token-of-ann"])
  }).pipe(Effect.provide(Layer.provideMerge(Shop.Default, Test)))
})

it.effect("an order that nobody could take is not sent twice", () => {
  const sent: Array<string> = []
  const Test = Db.layerTest((request) => {
    sent.push(request.method)
    return Effect.fail(
      new Db.ConnectionFailed({
        pool: "write",
        origin: "http://db.test",
        failure: "closed",
        code: "",
        sent: true,
        method: "POST"
      })
    )
  })
  return Effect.gen(function* () {
    const shop = yield* Shop
    const failed = yield* Effect.flip(shop.order(order.product_id, 1))
    assert.isTrue(failed._tag === "ConnectionFailed" && failed.mayHaveExecuted)
    assert.deepStrictEqual(sent, ["POST"])
  }).pipe(Effect.provide(Layer.provideMerge(Shop.Default, Test)))
})
