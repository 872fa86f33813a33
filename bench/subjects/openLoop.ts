/** Arrivals that wait for nobody: each is begun at its time, however many are still under way. */

import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import { arrivals, exponential, seeded } from "../../src/internal/load/arrivals.js"
import { idealLatencies } from "../support/ideal.js"
import { reading } from "../support/options.js"
import { quantile } from "../support/question.js"
import { connections } from "../support/read.js"
import { runtime } from "../support/runtime.js"
import type { Make } from "../support/subject.js"

interface Row {
  readonly took: number
}

const asking = (ms: number) => (client: SupabaseClient) =>
  client.from("rows").select("took").eq("ms", ms.toFixed(2)).limit(1)

const tookOf = (rows: unknown): number => {
  const [row] = rows as ReadonlyArray<Row>
  return row?.took ?? Number.NaN
}

/**
 * Services last as long as the server says that they did, 20 ms in the mean (half fixed, half exponential); arrivals are
 * Poisson, so many that the connections are busy for `load` of the time.
 */
export const ours: Make = async (url = "") => {
  const { run } = await runtime(Db.layerOf(reading(url, connections)))
  await run(
    Effect.all(
      Array.from({ length: connections }, () => Db.read(asking(100))),
      { concurrency: "unbounded", discard: true }
    )
  )
  return async ({ load = 0.8, seconds = 10, seed = 1 }) => {
    const random = seeded(seed)
    const mean = 20
    const times = arrivals(random, (load * connections * 1_000) / mean, seconds * 1_000)
    const wanted = times.map(() => mean / 2 + exponential(random, mean / 2))
    const latencies: Array<number> = []
    const services: Array<number> = []
    const began = performance.now()
    const one = (n: number): Effect.Effect<void, unknown, Db.ReadDb> => {
      const at = times[n] ?? 0
      return Effect.map(Db.read(asking(wanted[n] ?? 0)), (rows) => {
        latencies[n] = performance.now() - began - at
        services[n] = tookOf(rows)
      })
    }
    await run(
      Effect.scoped(
        Effect.gen(function* () {
          for (let n = 0; n < times.length; ) {
            const now = performance.now() - began
            for (; n < times.length && (times[n] ?? 0) <= now; n += 1) yield* Effect.forkScoped(one(n))
            yield* Effect.sleep(1)
          }
          while (latencies.length < times.length || Object.keys(latencies).length < times.length) yield* Effect.sleep(5)
        })
      )
    )
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
