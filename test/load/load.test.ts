import { spawn } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as fc from "effect/FastCheck"
import { arrivals, seeded } from "../../src/internal/load/arrivals.js"
import { isSound, percentile, type Run, targets, textOf, verdict } from "../../src/internal/load/verdict.js"
import { program } from "../support/program.js"

const run: Run = {
  preset: "development",
  rate: 100,
  arrived: 4,
  latencies: [40, 10, 20, 30],
  failed: 0,
  errors: {},
  elapsed: 40,
  utilization: 0.5,
  unreturned: 0
}

describe("arrivals", () => {
  it("come in order, within the time, and are the same for the same seed", () => {
    const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 })
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 0, max: 2_000 }),
        (seed, rate, millis) => {
          const times = arrivals(seeded(seed), rate, millis)
          assert.isTrue(times.every((at, n) => at >= (times[n - 1] ?? 0) && at < millis))
          assert.deepStrictEqual(arrivals(seeded(seed), rate, millis), times)
        }
      ),
      { numRuns: 50 }
    )
  })

  it("are as many as the rate says, in the mean", () => {
    const { length } = arrivals(seeded(1), 1_000, 100_000)
    assert.approximately(length, 100_000, 1_500)
  })
})

describe("the verdict of a load test", () => {
  it("takes a percentile that the stated part does not exceed", () => {
    const sorted = fc
      .array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 300, size: "max" })
      .map((all) => all.sort((a, b) => a - b))
    fc.assert(
      fc.property(sorted, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, q) => {
        const found = percentile(values, q)
        assert.isAtLeast(values.filter((value) => value <= found).length, Math.floor(values.length * q))
        assert.include(values, found)
      })
    )
    assert.strictEqual(percentile([], 0.5), 0)
  })

  it("holds each figure against the guide's target", () => {
    const found = verdict(run)
    assert.deepStrictEqual(
      found.lines.map(({ measured, met }) => [measured, met]),
      [
        [25, true],
        [100, true],
        [0, true],
        [0.5, true]
      ]
    )
    assert.strictEqual(found.latency.p99, 40)
    assert.include(textOf(found), "0 lost, 0 connections not returned")
  })

  it("misses a target that is reached exactly, but for throughput", () => {
    const { errorRate, responseTime, utilization } = targets.development
    const failing = verdict({ ...run, latencies: [responseTime], failed: 0, arrived: 1, utilization, elapsed: 10 })
    assert.deepStrictEqual(
      failing.lines.map(({ met }) => met),
      [false, true, true, false]
    )
    const erring = verdict({ ...run, failed: 1, arrived: 100, latencies: Array.from({ length: 99 }, () => 1) })
    assert.strictEqual(erring.lines[2]?.measured, errorRate)
    assert.isFalse(erring.lines[2]?.met)
  })

  it("says what the limit was where fewer arrived than the target wants", () => {
    const throughput = (found: Run) => /^throughput.*$/m.exec(textOf(verdict(found)))?.[0]
    const few = { ...run, rate: 49, elapsed: 1_000 }
    assert.include(throughput({ ...few, carried: 70 }), "missed: the server is the limit, it carries 70/s")
    assert.include(throughput(few), "missed: callers arrived at 49/s")
    assert.match(String(throughput({ ...run, elapsed: 1_000 })), / missed$/)
    const slow = textOf(verdict({ ...few, carried: 70, latencies: [500] }))
    assert.match(slow, /^response time .* missed: the server is near its limit$/m)
  })

  it("is not sound when an operation was lost or a connection was not returned", () => {
    assert.isTrue(isSound(verdict({ ...run, failed: 1, arrived: 5 })))
    assert.isFalse(isSound(verdict({ ...run, arrived: 5 })))
    assert.isFalse(isSound(verdict({ ...run, unreturned: 1 })))
  })

  it("of nothing meets no response time", () => {
    const found = verdict({ ...run, arrived: 0, latencies: [], elapsed: 0 })
    assert.isFalse(found.lines[0]?.met)
    assert.isTrue(isSound(found))
  })
})

const Found = Schema.parseJson(
  Schema.Struct({
    server: Schema.String,
    sound: Schema.Boolean,
    presets: Schema.Tuple(Schema.Struct({ preset: Schema.String, arrived: Schema.Number, succeeded: Schema.Number }))
  })
)

interface Ended {
  readonly code: number | null
  readonly out: string
}

const loadTest = (args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.async((resume) => {
    const child = spawn(process.execPath, [program("src/bin.ts"), "load", ...args], {
      env: { PATH: process.env["PATH"] },
      stdio: ["ignore", "pipe", "ignore"]
    })
    let out = ""
    child.stdout.on("data", (chunk) => {
      out += String(chunk)
    })
    child.once("close", (code) => resume(Effect.succeed({ code, out })))
  })

describe("supabase-pool load", () => {
  it.live("carries what arrives, loses nothing, and says what it ran against", () =>
    Effect.gen(function* () {
      const args = ["--static", "--preset", "development", "--rate", "200", "--duration", "1", "--json"]
      const { code, out } = yield* loadTest(args)
      const { presets, server, sound } = yield* Schema.decode(Found)(out)
      assert.strictEqual(code, 0)
      assert.isTrue(sound)
      assert.include(server, "static server")
      assert.strictEqual(presets[0].preset, "development")
      assert.isAbove(presets[0].arrived, 100)
      assert.strictEqual(presets[0].succeeded, presets[0].arrived)
    })
  )
})
