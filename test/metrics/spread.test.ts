import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { beginningOf, stepOf, steps } from "../../src/internal/metrics/spread.js"

describe("the steps of durations", () => {
  it("each holds what lies between its beginning and that of the next", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (millis) => {
        const step = stepOf(millis)
        expect(Number.isInteger(step) && step >= 0 && step < steps).toBe(true)
        if (step > 0) expect(beginningOf(step)).toBeLessThanOrEqual(millis)
        if (step < steps - 1) expect(millis).toBeLessThan(beginningOf(step + 1))
      })
    )
  })

  it("a beginning is in its own step, and what lies right before it in the one below", () => {
    for (let step = 1; step < steps; step += 1) {
      expect([stepOf(beginningOf(step)), stepOf(beginningOf(step) * 0.999)]).toEqual([step, step - 1])
    }
  })

  it("no duration is refused", () => {
    expect([-1, Number.NaN, 0].map(stepOf)).toEqual([0, 0, 0])
    expect(stepOf(Number.POSITIVE_INFINITY)).toBe(steps - 1)
  })
})
