import { describe, expect, it } from "@effect/vitest"
import { Cause, Duration, Exit, FiberId } from "effect"
import * as fc from "effect/FastCheck"
import { AcquireTimeout, ConnectionFailed, QueryError } from "../../src/Errors.js"
import { SlidingWindow } from "../../src/internal/metrics/slidingWindow.js"
import * as Metrics from "../../src/Metrics.js"

describe("the sliding window", () => {
  const outcomes = fc.constantFrom<Metrics.Outcome>("answered", "failed", "unanswered", "neutral")
  const observations = fc.array(fc.record({ at: fc.nat(300_000), millis: fc.nat(5_000), outcome: outcomes }), {
    maxLength: 200,
    size: "max"
  })

  it("samples exactly what was observed in its last whole seconds", () => {
    fc.assert(
      fc.property(observations, fc.integer({ min: 1, max: 90 }), (unordered, seconds) => {
        const window = new SlidingWindow(seconds)
        const ordered = [...unordered].sort((left, right) => left.at - right.at)
        for (const { at, millis, outcome } of ordered) window.add(at, millis, outcome)
        const now = ordered.at(-1)?.at ?? 0
        const recent = ordered.filter(({ at }) => Math.floor(at / 1_000) > Math.floor(now / 1_000) - seconds)
        const ended = (...which: ReadonlyArray<Metrics.Outcome>): number =>
          recent.filter(({ outcome }) => which.includes(outcome)).length
        expect(window.sample(now)).toEqual({
          count: recent.length,
          answered: ended("answered"),
          failed: ended("failed", "unanswered"),
          unanswered: ended("unanswered"),
          mean: recent.length === 0 ? 0 : recent.reduce((sum, { millis }) => sum + millis, 0) / recent.length
        })
      })
    )
  })

  it("forgets everything once its seconds have passed without an observation", () => {
    const window = new SlidingWindow(60)
    window.add(1_000, 10, "failed")
    expect(window.sample(60_999).count).toBe(1)
    expect(window.sample(61_000)).toEqual({ count: 0, answered: 0, failed: 0, unanswered: 0, mean: 0 })
  })

  it("ignores what a clock that was set back has left in the future", () => {
    const window = new SlidingWindow(60)
    window.add(3_600_000, 10, "failed")
    expect(window.sample(0).count).toBe(0)
  })
})

describe("an operation's outcome", () => {
  const failure = (error: unknown) => Metrics.outcomeOf(Exit.fail(error))
  const query = (status: number, code: string) => new QueryError({ code, reason: "m", details: "", hint: "", status })

  it("is an answer when the database spoke, also to say no", () => {
    expect(Metrics.outcomeOf(Exit.succeed([]))).toBe("answered")
    expect(failure(query(409, "23505"))).toBe("answered")
    expect(failure(query(400, "42703"))).toBe("answered")
  })

  it("is an answer, whatever its status, when somebody raised it in SQL", () => {
    const raised = (status: number, code: string, answeredBy: "PostgREST" | "function" = "PostgREST") =>
      failure(new QueryError({ code, reason: "m", details: "", hint: "", status, answeredBy }))
    // P0002: no data found; 54000: a limit; 55P03: a lock that was not to be waited for.
    for (const code of ["123", "mine", "P0002", "54000", "55P03", "PGRST121"]) {
      expect([code, raised(500, code), raised(503, code)]).toEqual([code, "answered", "answered"])
    }
    expect(raised(500, "", "function")).toBe("answered")
    for (const code of ["XX000", "57014", "53100", "58030", "F0000", "PGRSTX00", ""]) {
      expect([code, raised(500, code)]).toEqual([code, "unanswered"])
    }
    // A gateway may have a code too.
    expect(failure(new QueryError({ code: "123", reason: "m", details: "", hint: "", status: 500 }))).toBe("unanswered")
  })

  it("speaks against the database when it was away or silent", () => {
    const gone = {
      pool: "read",
      origin: "http://db.test",
      failure: "refused",
      code: "ECONNREFUSED",
      sent: false
    } as const
    expect(failure(new ConnectionFailed(gone))).toBe("unanswered")
    expect(failure(query(503, "PGRST002"))).toBe("unanswered")
    expect(failure(query(500, "XX000"))).toBe("unanswered")
    expect(failure(query(429, ""))).toBe("unanswered")
  })

  it("speaks against the pool alone when no connection was free in time", () => {
    const waited = { waited: Duration.seconds(1), longestHeld: Duration.zero, active: 5, max: 5, pending: 3 }
    expect(failure(new AcquireTimeout({ pool: "read", ...waited }))).toBe("failed")
  })

  it("says nothing when it was interrupted or failed with an error of the caller's own", () => {
    expect(Metrics.outcomeOf(Exit.interrupt(FiberId.none))).toBe("neutral")
    expect(failure(new Error("the caller's"))).toBe("neutral")
    expect(Metrics.outcomeOf(Exit.failCause(Cause.die("a defect")))).toBe("neutral")
  })
})
