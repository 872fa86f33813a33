/** What an outage looks like from outside: in the health report, in the health page, and in the metrics. */
import { HttpServer } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, LogLevel, Schedule } from "effect"
import * as Config from "../../src/Config.js"
import * as Health from "../../src/Health.js"
import * as Pool from "../../src/Pool.js"
import { json, serve } from "../support/httpServer.js"
import { shows } from "../support/reliability.js"
import { served } from "../support/served.js"
import { make } from "../support/tcpProxy.js"

const ask = (path: string) =>
  HttpServer.addressFormattedWith((address) =>
    Effect.promise(async (signal) => {
      const response = await fetch(`${address}${path}`, { signal })
      return { status: response.status, text: await response.text() }
    })
  )

/** What everybody sees, told apart by pool. */
const seen = Effect.gen(function* () {
  const { status, text } = yield* ask("/api/health/database")
  const { details } = yield* Health.check
  const gauges = (yield* ask("/metrics")).text.matchAll(/^supabase_pool_reachable\{[^}]*\} (\d)$/gm)
  return {
    page: [status, /"connection":\{"status":"(\w+)"/.exec(text)?.[1]],
    report: [details.canConnect, details.read.reachable, details.write.reachable],
    gauges: [...gauges].map(([, value]) => value)
  }
})

const reachable = (is: boolean) =>
  Effect.gen(function* () {
    for (const pool of [yield* Pool.ReadPool, yield* Pool.WritePool]) {
      yield* Effect.repeat(pool.metrics, {
        until: (metrics) => metrics.reachable === is && (!is || metrics.total > 0),
        schedule: Schedule.spaced("10 millis")
      })
    }
  })

describe("the circuit", () => {
  it.scopedLive("is seen in health and metrics while the database is away, and when it is back", (context) =>
    Effect.gen(function* () {
      const database = yield* serve((response) => json(response, []))
      const proxy = yield* make(database.port)
      const supabase = { url: proxy.url, anonKey: "anon", serviceRoleKey: "service" }
      yield* Effect.gen(function* () {
        const well = { page: [200, "connected"], report: [true, true, true], gauges: ["1", "1"] }
        yield* reachable(true)
        expect(yield* seen).toEqual(well)
        proxy.fault = { kind: "resetOnAccept" }
        proxy.cut()
        yield* reachable(false)
        expect(yield* seen).toEqual({ page: [503, "disconnected"], report: [false, false, false], gauges: ["0", "0"] })
        proxy.fault = { kind: "none" }
        yield* reachable(true)
        expect(yield* seen).toEqual(well)
        shows(context, {
          kind: "promise",
          section: "Outage",
          what: "while connections cannot be opened: `/api/health/database` answers 503 and `disconnected`, `Health.check` has `reachable: false` for each pool, and the gauge `supabase.pool.reachable` is 0; all are as before when the database is back"
        })
      }).pipe(
        Effect.provide(
          served(Config.SupabaseConfig.layerOf(supabase), {
            minConnections: 1,
            maxConnections: 2,
            keepaliveInterval: 0
          })
        )
      )
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )
})
