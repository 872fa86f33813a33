/** What a pool shows of itself in Effect's metric registry, as values. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Metric, MetricState } from "effect"
import * as Instruments from "../../src/internal/metrics/instruments.js"
import * as PoolInstruments from "../../src/internal/metrics/poolInstruments.js"

const figures: PoolInstruments.Figures = {
  min: 1,
  max: 4,
  active: 1,
  idle: 2,
  pending: 3,
  reachable: true,
  created: 5,
  closed: 2,
  timeouts: 6,
  overloaded: 7,
  leaks: 8,
  connectFailures: 9,
  longestHeld: Duration.millis(1_500)
}

/** The one value of that name on that server; of a histogram the sum. */
const shownBy = (name: string, server: string) =>
  Effect.map(Metric.snapshot, (snapshot) =>
    snapshot
      .filter(({ metricKey: { name: known, tags } }) => known === name && tags.some(({ value }) => value === server))
      .map(({ metricState }) => {
        if (MetricState.isHistogramState(metricState)) return metricState.sum
        if (MetricState.isGaugeState(metricState)) return metricState.value
        return MetricState.isCounterState(metricState) ? metricState.count : undefined
      })
  )

describe("a pool's figures", () => {
  it.scoped("have their own names, and seconds where they are periods", () =>
    Effect.gen(function* () {
      yield* PoolInstruments.show("read", "http://one.test", () => figures)
      const shown = (name: string) => shownBy(name, "one.test")
      expect(yield* shown("db.client.connection.count")).toEqual([2, 1])
      expect(yield* shown("db.client.connection.idle.max")).toEqual([4])
      expect(yield* shown("db.client.connection.idle.min")).toEqual([1])
      expect(yield* shown("db.client.connection.max")).toEqual([4])
      expect(yield* shown("db.client.connection.pending_requests")).toEqual([3])
      expect(yield* shown("db.client.connection.timeouts")).toEqual([6])
      expect(yield* shown("supabase.pool.connections.created")).toEqual([5])
      expect(yield* shown("supabase.pool.connections.closed")).toEqual([2])
      expect(yield* shown("supabase.pool.connect_failures")).toEqual([9])
      expect(yield* shown("supabase.pool.rejections")).toEqual([7])
      expect(yield* shown("supabase.pool.leaks")).toEqual([8])
      expect(yield* shown("supabase.pool.longest_held")).toEqual([1.5])
      expect(yield* shown("supabase.pool.reachable")).toEqual([1])
    })
  )

  it.scoped("of two pools of one server show the worse of what cannot be added up", () =>
    Effect.gen(function* () {
      yield* PoolInstruments.show("read", "http://two.test", () => figures)
      yield* PoolInstruments.show("read", "http://two.test", () => ({
        ...figures,
        reachable: false,
        longestHeld: Duration.zero
      }))
      expect(yield* shownBy("supabase.pool.reachable", "two.test")).toEqual([0])
      expect(yield* shownBy("supabase.pool.longest_held", "two.test")).toEqual([1.5])
      expect(yield* shownBy("db.client.connection.pending_requests", "two.test")).toEqual([6])
    })
  )

  it.each([
    ["http://a.test", "80"],
    ["https://a.test", "443"],
    ["https://a.test:8443", "8443"]
  ])("say that the port of %s is %s", (origin, port) => {
    expect(Instruments.poolAttributes("read", origin)).toEqual({
      "db.client.connection.pool.name": "read",
      "server.address": "a.test",
      "server.port": port
    })
  })

  it.effect("are periods in seconds, each in its own histogram", () =>
    Effect.gen(function* () {
      const { created, used, waited } = PoolInstruments.periods("write", "http://three.test")
      created(250)
      waited(500)
      used(2_000)
      const sums = ["create_time", "wait_time", "use_time"].map((name) =>
        shownBy(`db.client.connection.${name}`, "three.test")
      )
      expect(yield* Effect.all(sums)).toEqual([[0.25], [0.5], [2]])
    })
  )
})
