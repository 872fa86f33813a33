/** Arrivals that wait for nobody: each is begun at its time, however many are still under way. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Deferred, Effect } from "effect"
import * as Db from "../../src/Db.js"
import { arrivals, exponential, seeded } from "../../src/internal/load/arrivals.js"
import { quantile } from "../support/figures.js"
import { idealLatencies } from "../support/ideal.js"
import { reading } from "../support/options.js"
import { connections } from "../support/read.js"
import { runtime } from "../support/runtime.js"
import type { Make } from "../support/subject.js"

/** In ms, half of it fixed and half exponential. */
const meanService = 20

/** The server takes so long as it is asked to, and says how long it really took. */
const asking = (ms: number) => (client: SupabaseClient) =>
  client
    .from("rows")
    .select("took")
    .eq("ms", ms.toFixed(2))
    .limit(1)
    .overrideTypes<Array<{ readonly took: number }>, { merge: false }>()

const warmUp = Effect.all(
  Array.from({ length: connections }, () => Db.read(asking(100))),
  { concurrency: "unbounded", discard: true }
)

interface Measured {
  /** In ms from when a caller was to arrive, and what the server took of it. */
  readonly latencies: ReadonlyArray<number>
  readonly services: ReadonlyArray<number>
}

/** Ends when all have ended, and fails with the first that fails. */
const arriving = (
  times: ReadonlyArray<number>,
  services: ReadonlyArray<number>
): Effect.Effect<Measured, Db.DbError, Db.ReadDb> =>
  Effect.gen(function* () {
    const latencies: Array<number> = []
    const took: Array<number> = []
    const all = yield* Deferred.make<void, Db.DbError>()
    let left = times.length
    const began = performance.now()
    const one = (at: number, n: number) =>
      Db.read(asking(services[n] ?? 0)).pipe(
        Effect.flatMap(([row]) => {
          latencies[n] = performance.now() - began - at
          took[n] = row?.took ?? Number.NaN
          left -= 1
          return left === 0 ? Deferred.succeed(all, undefined) : Effect.void
        }),
        Effect.onError((cause) => Deferred.failCause(all, cause))
      )
    for (let n = 0; n < times.length; ) {
      const now = performance.now() - began
      for (let at = times[n]; at !== undefined && at <= now; n += 1, at = times[n]) {
        yield* Effect.forkScoped(one(at, n))
      }
      yield* Effect.sleep(1)
    }
    yield* Deferred.await(all)
    return { latencies, services: took }
  }).pipe(Effect.scoped)

/** Poisson arrivals, so many that the connections are busy for `load` of the time. */
export const ours: Make = async (url = "") => {
  const { run } = await runtime(Db.layerOf(reading(url, connections)))
  await run(warmUp)
  return async ({ load = 0.8, seconds = 10, seed = 1 }) => {
    const random = seeded(seed)
    const times = arrivals(random, (load * connections * 1_000) / meanService, seconds * 1_000)
    const wanted = times.map(() => meanService / 2 + exponential(random, meanService / 2))
    const { latencies, services } = await run(arriving(times, wanted))
    const ideal = idealLatencies(times, services, connections)
    return {
      arrived: times.length,
      utilisation: services.reduce((sum, service) => sum + service, 0) / (connections * (times.at(-1) ?? 1)),
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      ideal50: quantile(ideal, 0.5),
      ideal99: quantile(ideal, 0.99)
    }
  }
}
