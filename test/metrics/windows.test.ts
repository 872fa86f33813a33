import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { LatencyCell, SlowCell } from "../../src/internal/metrics/latency.js"
import { beginningOf, Windows } from "../../src/internal/metrics/windows.js"

const windows = ["minute", "hour", "day"] as const

describe("the windows", () => {
  const observations = fc.array(
    fc.record({
      after: fc.oneof(fc.nat(3_000), fc.nat(400_000), fc.nat(20_000_000)),
      millis: fc.integer({ min: 0, max: 60_000 })
    }),
    { minLength: 1, maxLength: 150, size: "max" }
  )

  it("hold exactly what came since the beginning of their oldest stretch", () => {
    fc.assert(
      fc.property(observations, fc.nat(10_000_000), (gaps, later) => {
        const sut = new Windows(() => new LatencyCell())
        let now = 1_700_000_000_000
        const all = gaps.map(({ after, millis }) => {
          now += after
          sut.at(now).add(millis, millis > 50_000, millis > 55_000)
          return { at: now, millis }
        })
        now += later
        for (const window of windows) {
          const expected = all.filter(({ at }) => at >= beginningOf(window, now))
          const sum = sut.sum(window, now)
          expect(sum.count).toBe(expected.length)
          expect(sum.errors).toBe(expected.filter(({ millis }) => millis > 50_000).length)
          expect(sum.failed).toBe(expected.filter(({ millis }) => millis > 55_000).length)
          expect(sum.max).toBe(Math.max(0, ...expected.map(({ millis }) => millis)))
          expect(sum.mean).toBeCloseTo(
            expected.reduce((total, { millis }) => total + millis, 0) / Math.max(1, expected.length),
            6
          )
        }
      })
    )
  })

  it("look back a minute, an hour, a day, less at most one stretch", () => {
    const now = 1_700_000_123_456
    expect(now - beginningOf("minute", now)).toBeGreaterThan(55_000)
    expect(now - beginningOf("minute", now)).toBeLessThanOrEqual(60_000)
    expect(now - beginningOf("hour", now)).toBeGreaterThan(55 * 60_000)
    expect(now - beginningOf("day", now)).toBeLessThanOrEqual(86_400_000)
  })

  it("go on when the clock is set back", () => {
    const sut = new Windows(() => new LatencyCell())
    sut.at(1_700_000_000_000).add(1, false, false)
    sut.at(1_600_000_000_000).add(2, false, false)
    expect(sut.sum("minute", 1_600_000_000_000).count).toBe(1)
  })

  it("count nothing twice when the clock is set back by a moment", () => {
    const sut = new Windows(() => new LatencyCell())
    const at = [7_000, 12_000, 8_000, 13_000]
    for (const now of at) sut.at(1_700_000_000_000 + now).add(1, false, false)
    const counts = windows.map((window) => sut.sum(window, 1_700_000_020_000).count)
    expect(counts).toEqual(windows.map(() => at.length))
  })
})

describe("the percentiles", () => {
  it("are within 2 % of the true ones, also when they are merged from many stretches", () => {
    const durations = fc.array(fc.double({ min: 0.01, max: 100_000, noNaN: true }), {
      minLength: 1,
      maxLength: 300,
      size: "max"
    })
    fc.assert(
      fc.property(durations, (millis) => {
        const sut = new Windows(() => new LatencyCell())
        millis.forEach((one, index) => {
          sut.at(1_700_000_000_000 + index * 10_000).add(one, false, false)
        })
        const sum = sut.sum("day", 1_700_000_000_000 + millis.length * 10_000)
        const sorted = [...millis].sort((left, right) => left - right)
        for (const share of [0.5, 0.95, 0.99]) {
          const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
          expect(Math.abs(sum.percentile(share) - exact)).toBeLessThanOrEqual(0.021 * exact)
        }
      })
    )
  })

  it("of durations that are too short to measure, and of none, are numbers", () => {
    const none = new LatencyCell()
    expect([none.percentile(0.5), none.mean, none.max]).toEqual([0, 0, 0])
    const left = new LatencyCell()
    const right = new LatencyCell()
    // At 1 µs the sketch's own merge would lose what it merges.
    left.add(0.0001, false, false)
    right.add(0.001, false, false)
    left.merge(right)
    left.add(0, false, false)
    expect(left.percentile(0.99)).toBeLessThanOrEqual(0.001)
    expect(left.count).toBe(3)
  })
})

describe("the slow ones", () => {
  it("are the slowest of their window, the slowest first, and no more than twenty", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100_000), { maxLength: 120, size: "max" }), (millis) => {
        const sut = new Windows(() => new SlowCell())
        millis.forEach((one, index) => {
          sut.at(index * 7_000).add({ query: "q", millis: one, at: index * 7_000, error: "" })
        })
        const sum = sut.sum("hour", millis.length * 7_000)
        const expected = [...millis].sort((left, right) => right - left).slice(0, 20)
        expect(sum.slowest.map((slow) => slow.millis)).toEqual(expected)
      })
    )
  })
})
