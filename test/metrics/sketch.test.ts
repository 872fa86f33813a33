import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { Sketch } from "../../src/internal/metrics/sketch.js"

const sketchOf = (values: ReadonlyArray<number>): Sketch => {
  const sketch = new Sketch()
  for (const value of values) sketch.add(value)
  return sketch
}

const durations = FastCheck.array(FastCheck.double({ min: 0.01, max: 1e6, noNaN: true }), {
  minLength: 1,
  maxLength: 300,
  size: "max"
})
const share = FastCheck.double({ min: 0, max: 1, noNaN: true })

describe("a sketch", () => {
  it("gives each percentile within two hundredths of the true one", () => {
    FastCheck.assert(
      FastCheck.property(durations, share, (values, at) => {
        const truth =
          [...values].sort((left, right) => left - right)[Math.max(0, Math.ceil(at * values.length) - 1)] ?? 0
        assert.closeTo(sketchOf(values).quantile(at), truth, truth * 0.020_001)
      })
    )
  })

  it("that was merged is the sketch of all values", () => {
    FastCheck.assert(
      FastCheck.property(durations, durations, share, (some, others, at) => {
        const merged = sketchOf(some)
        merged.merge(sketchOf(others))
        assert.strictEqual(merged.quantile(at), sketchOf([...some, ...others]).quantile(at))
      })
    )
  })

  it("of nothing says 0, and of what no clock measures something finite", () => {
    assert.strictEqual(new Sketch().quantile(0.5), 0)
    assert.isAbove(sketchOf([0, -1]).quantile(0.5), 0)
    assert.isTrue(Number.isFinite(sketchOf([Number.MAX_VALUE]).quantile(1)))
  })
})
