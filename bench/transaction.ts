/**
 * `npm run bench:transaction`: what a transaction costs beside the same writes one by one: on this machine's PostgreSQL, through the embedded API and
 * one write connection, so that only the ratio travels.
 */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Clock, Console, Effect, Layer } from "effect"
import { commandLine } from "../scripts/commandLine.js"
import * as Db from "../src/Db.js"
import { Embedded } from "../src/embedded.js"
import { postgresServer } from "../src/internal/embedded/postgresServer.js"
import { median } from "./support/figures.js"

commandLine(
  `npm run bench:transaction

What one transaction costs beside the same writes one by one, with 1, 10 and 100 steps. Needs PostgreSQL on this machine.

  --help   this text

Exit code: 0 when it was measured, 2 when the options are wrong.`,
  {}
)

const database = Layer.unwrapScoped(
  Effect.gen(function* () {
    const server = yield* postgresServer()
    const { anonKey, serviceRoleKey, url } = yield* Embedded.make({ postgres: server.url })
    return Db.layerOf({ url, anonKey, serviceRoleKey, minConnections: 1, maxConnections: 2, enableHealthChecks: false })
  })
)

const restock = (n: number) => (client: SupabaseClient) =>
  client
    .from("products")
    .update({ stock: n })
    .eq("id", `30000000-0000-4000-8000-${String(n + 1).padStart(12, "0")}`)

/** The median of so many runs, in ms: machines have moments. */
const typical = <E, R>(times: number, effect: Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    const taken: Array<number> = []
    for (let run = 0; run < times; run += 1) {
      const from = yield* Clock.currentTimeNanos
      yield* effect
      taken.push(Number((yield* Clock.currentTimeNanos) - from) / 1e6)
    }
    return median(taken)
  })

const measured = Effect.gen(function* () {
  yield* Console.log("steps   one by one   one transaction")
  for (const count of [1, 10, 100]) {
    const steps = Array.from({ length: count }, (_, n) => restock(n))
    const alone = Effect.forEach(steps, (step) => Db.write(step))
    const together = Db.transaction(steps)
    yield* Effect.zipRight(alone, together)
    const [one, all] = [yield* typical(15, alone), yield* typical(15, together)]
    yield* Console.log(`${String(count).padEnd(8)}${`${one.toFixed(1)} ms`.padEnd(13)}${all.toFixed(1)} ms`)
  }
})

await Effect.runPromise(Effect.provide(measured, database))
