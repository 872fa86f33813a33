import { describe, expect, it } from "@effect/vitest"
import { Effect, Metric, MetricBoundaries } from "effect"
import * as fc from "effect/FastCheck"
import * as Metrics from "../../src/Metrics.js"
import { samplesOf, typesOf, valuesOf } from "../support/prometheus.js"

/** Names that no other test of this process uses. */
let made = 0
const fresh = (name: string): string => {
  made += 1
  return `exposition.${name}.${made}`
}

const underscored = (name: string): string => name.replaceAll(".", "_")

describe("the text for Prometheus", () => {
  it.effect("has counters with _total, gauges without, and the unit in the name", () =>
    Effect.gen(function* () {
      const counter = fresh("hits")
      const gauge = fresh("size")
      const description = "Two\nlines and a \\"
      const hits = Metric.counter(counter, { incremental: true, description }).pipe(Metric.tagged("unit", "{hit}"))
      yield* Metric.update(hits, 1)
      yield* Metric.set(Metric.gauge(gauge).pipe(Metric.tagged("unit", "By")), 12)
      const text = yield* Metrics.prometheus
      expect(typesOf(text).get(`${underscored(counter)}_total`)).toBe("COUNTER")
      expect(valuesOf(text, `${underscored(counter)}_total`)).toEqual([1])
      expect(typesOf(text).get(`${underscored(gauge)}_bytes`)).toBe("GAUGE")
      expect(valuesOf(text, `${underscored(gauge)}_bytes`)).toEqual([12])
      expect(text).toContain(`# HELP ${underscored(counter)}_total Two\\nlines and a \\\\\n`)
    })
  )

  it.effect("has histograms with cumulative buckets, sum and count", () =>
    Effect.gen(function* () {
      const name = fresh("time")
      const histogram = Metric.histogram(name, MetricBoundaries.fromIterable([0.1, 1])).pipe(Metric.tagged("unit", "s"))
      yield* Effect.forEach([0.05, 0.5, 0.6, 7], (value) => Metric.update(histogram, value))
      const text = yield* Metrics.prometheus
      const family = `${underscored(name)}_seconds`
      expect(typesOf(text).get(family)).toBe("HISTOGRAM")
      const buckets = samplesOf(text).filter((sample) => sample.name === `${family}_bucket`)
      expect(buckets.map(({ labels, value }) => [labels["le"], value])).toEqual([
        ["0.1", 1],
        ["1", 3],
        ["+Inf", 4]
      ])
      expect(valuesOf(text, `${family}_sum`)[0]).toBeCloseTo(8.15, 9)
      expect(valuesOf(text, `${family}_count`)).toEqual([4])
    })
  )

  it.effect("escapes what labels hold, so that a parser reads it back", () =>
    Effect.gen(function* () {
      const name = fresh("labels")
      const values = fc.sample(fc.string(), 100).concat(['a "quoted" \\ one', "two\nlines", "{a=1}", ""])
      for (const value of values) yield* Metric.update(Metric.counter(name).pipe(Metric.tagged("a.label", value)), 1)
      const samples = samplesOf(yield* Metrics.prometheus).filter((sample) => sample.name === underscored(name))
      expect(new Set(samples.map(({ labels }) => labels["a_label"]))).toEqual(new Set(values))
    })
  )

  it.effect("keeps both values where two labels get one name", () =>
    Effect.gen(function* () {
      const name = fresh("double")
      yield* Metric.update(Metric.counter(name).pipe(Metric.tagged("a.b", "1"), Metric.tagged("a_b", "2")), 1)
      expect(valuesOf(yield* Metrics.prometheus, underscored(name), { a_b: "1;2" })).toEqual([1])
    })
  )

  it.effect("leaves out what would give a family a second type", () =>
    Effect.gen(function* () {
      const name = fresh("twice")
      yield* Metric.set(Metric.gauge(`${name}_total`), 1)
      yield* Metric.update(Metric.counter(name, { incremental: true }), 2)
      // By line, since the parser takes two samples of one series for one.
      const lines = (yield* Metrics.prometheus).split("\n")
      expect(lines.filter((line) => line.startsWith(`${underscored(name)}_total `)).length).toBe(1)
    })
  )

  it.effect("has a frequency as a counter by key, and a summary with its quantiles", () =>
    Effect.gen(function* () {
      const frequency = fresh("words")
      const summary = fresh("summary")
      yield* Metric.update(Metric.frequency(frequency), "hello")
      const quantiles = { name: summary, maxAge: "1 day", maxSize: 10, error: 0, quantiles: [0.5] } as const
      yield* Metric.update(Metric.summary(quantiles), 3)
      const text = yield* Metrics.prometheus
      expect(valuesOf(text, `${underscored(frequency)}_total`, { key: "hello" })).toEqual([1])
      expect(typesOf(text).get(underscored(summary))).toBe("SUMMARY")
      expect(valuesOf(text, `${underscored(summary)}_count`)).toEqual([1])
    })
  )
})
