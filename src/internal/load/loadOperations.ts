/** The operations of a load test's callers. */
import { Clock, Effect } from "effect"
import * as Db from "../../Db.js"
import { precise } from "../shared/time.js"
import { exponential, seeded } from "./arrivals.js"

/** The operation of the n-th caller. */
export type LoadOperation = (n: number) => Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>

const ping = Db.rpc("supabase_pool_ping", {}, { get: true })

const list = Db.read((client) => client.from("products").select("id, title, price").eq("category", "laptops").limit(20))

const restock = Db.write((client) => client.from("products").update({ stock: 10 }).eq("title", "no such product"), {
  idempotent: true
})

/** On a server of our own, with the marketplace: nine read and the tenth writes. */
export const own: LoadOperation = (n) => (n % 10 === 9 ? restock : list)

/** On another's project: only calls the migration's function, and reads none of their data. */
export const theirs: LoadOperation = () => ping

/** Callers per second until it is interrupted, so that a dashboard has something to show. */
export const forever = (rate: number, operation: LoadOperation): Effect.Effect<never, never, Db.Db | Db.ReadDb> =>
  Effect.scoped(
    Effect.gen(function* () {
      const clock = yield* Clock.clockWith(Effect.succeed)
      const random = seeded(1)
      let next = precise(clock)
      for (let n = 0; ; ) {
        for (; next <= precise(clock); n += 1) {
          yield* Effect.forkScoped(Effect.ignore(operation(n)))
          next += exponential(random, 1_000 / rate)
        }
        yield* Effect.sleep(1)
      }
    })
  )
