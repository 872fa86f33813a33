/**
 * Two users and somebody with a forged token at the same time, on two read sockets, against an embedded database.
 *
 *     npx tsx examples/rls/main.ts
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, Schema } from "effect"
import { Config, Db } from "effect-supabase-pool"
import { Embedded, EmbeddedSupabase } from "effect-supabase-pool/embedded"
import { handle } from "./orders.js"

const keiko = "10000000-0000-4000-8000-000000000011"
const liam = "10000000-0000-4000-8000-000000000012"
const laptop = "30000000-0000-4000-8000-000000000002"

const Orders = Schema.Array(Schema.Struct({ buyer_id: Schema.String }))

const asked = (token: string, init: RequestInit = {}) =>
  handle(new Request("http://shop/orders", { ...init, headers: { authorization: `Bearer ${token}` } }))

const buyersIn = (response: Response) =>
  Effect.promise(() => response.json()).pipe(
    Effect.flatMap(Schema.decodeUnknown(Orders)),
    Effect.map((orders) => [...new Set(orders.map(({ buyer_id }) => buyer_id))])
  )

const program = Effect.gen(function* () {
  const { userToken } = yield* EmbeddedSupabase
  const tokenOf = (user: string) => Redacted.value(userToken(user))

  const bought = yield* asked(tokenOf(liam), {
    method: "POST",
    body: JSON.stringify({ product: laptop, quantity: 1 })
  })
  yield* Console.log("Liam buys:", bought.status)

  const forged = `${tokenOf(liam).slice(0, -8)}AAAAAAAA`
  const requests = Array.from({ length: 60 }, (_, n) => [tokenOf(liam), tokenOf(keiko), forged][n % 3] ?? "")
  const answers = yield* Effect.forEach(requests, (token) => asked(token), { concurrency: "unbounded" })
  const seen = yield* Effect.forEach(
    answers.filter((_, n) => n % 3 === 0),
    buyersIn
  )
  const wrong = seen.filter((buyers) => buyers.length !== 1 || buyers[0] !== liam)
  yield* Console.log(`Liam asks ${seen.length} times: ${wrong.length} answers with anything but his own orders`)
  yield* Console.log("With a forged token:", answers[2]?.status)
})

const Live = Db.layer.pipe(
  Layer.provide(Config.PoolConfig.layerOf({ minConnections: 1, maxConnections: 4 })),
  Layer.provideMerge(Embedded.layer)
)

program.pipe(Effect.provide(Live), NodeRuntime.runMain)
