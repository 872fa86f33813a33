/** What samples do to a limit, and what many limits before one server do to each other. */
import { describe, expect, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { simulate, type World } from "../../bench/support/simulation.js"
import { type Bounds, initial, type Limit, limit, type Sample } from "../../src/internal/limit/limit.js"

const bounds: fc.Arbitrary<Bounds> = fc
  .tuple(fc.double({ min: 0.01, max: 2, noNaN: true }), fc.integer({ min: 2, max: 200 }))
  .map(([min, max]) => ({ min, max }))

const samples: fc.Arbitrary<ReadonlyArray<Sample>> = fc
  .array(
    fc.record({
      took: fc.integer({ min: 0, max: 3_000 }),
      after: fc.integer({ min: 0, max: 200 }),
      quick: fc.double({ min: 0, max: 1, noNaN: true }),
      isReached: fc.boolean(),
      said: fc.constantFrom("", "", "", "PGRST003", "429")
    }),
    { maxLength: 400 }
  )
  .map((all) => {
    let now = 0
    return all.map(({ after, isReached, quick, said, took }): Sample => {
      now += after
      const times = { sentAt: now - took, now }
      return said === "" ? { _tag: "Answered", ...times, quick, isReached } : { _tag: "Refused", ...times, said }
    })
  })

/** One request after the other, each as quick as `quickAt` says for the limit of that moment. */
const told = (
  count: number,
  from: Limit,
  at: Bounds,
  quickAt: (limit: number) => number,
  since = 0
): { readonly state: Limit; readonly now: number } => {
  let state = from
  let now = since
  for (let n = 0; n < count; n += 1) {
    now += 10
    state = limit(state, { _tag: "Answered", sentAt: now, now, quick: quickAt(state.limit), isReached: true }, at)
  }
  return { state, now }
}

const refused = (state: Limit, now: number, at: Bounds, sentAt = now): Limit =>
  limit(state, { _tag: "Refused", sentAt, now, said: "PGRST003" }, at)

describe("limit", () => {
  it("is never below the minimum and never above the maximum, whatever it is told", () => {
    fc.assert(
      fc.property(bounds, samples, (at, all) => {
        let state = initial(at)
        for (const sample of all) {
          state = limit(state, sample, at)
          expect(state.limit).toBeGreaterThanOrEqual(at.min)
          expect(state.limit).toBeLessThanOrEqual(at.max)
        }
      })
    )
  })

  it("is all that there is after a moment, where answers wait for nothing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 200 }), (max) => {
        const at = { min: 0.02, max }
        // Each round doubles it and is as long as the limit.
        expect(told(4 * max + 40, initial(at), at, () => 1).state).toMatchObject({ limit: max, reason: "free" })
      })
    )
  })

  it("stays all that there is where requests of a shape take up to half as long again by nature", () => {
    const at = { min: 0.02, max: 10 }
    fc.assert(
      fc.property(fc.double({ min: 0.65, max: 1, noNaN: true }), (quick) => {
        expect(told(2_000, initial(at), at, () => quick).state.limit).toBe(10)
      })
    )
  })

  it("comes to rest between too little and too much where a server bears only so many", () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 60 }), fc.integer({ min: 0, max: 5 }), (bears, more) => {
        const at = { min: 0.02, max: 100 }
        // Whoever is above what it bears waits behind the others.
        const quick = (under: number): number => Math.min(1, bears / Math.max(1, under))
        const { state } = told(6_000 + more, initial(at), at, quick)
        expect(state.limit).toBeGreaterThan(0.7 * bears)
        expect(state.limit).toBeLessThan(1.7 * bears + 1)
      }),
      { numRuns: 30 }
    )
  })

  it("has all back when what held it down is over", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (refusals) => {
        const at = { min: 0.02, max: 10 }
        let { now, state } = told(100, initial(at), at, () => 1)
        for (let n = 0; n < refusals; n += 1) {
          now += 100
          state = refused(state, now, at)
        }
        expect(told(4_000, state, at, () => 1, now).state.limit).toBe(10)
      })
    )
  })

  it("answers that come late never take it below 1: only a refusal does", () => {
    const at = { min: 0.02, max: 10 }
    const late = told(5_000, initial(at), at, () => 0.05)
    expect(late.state).toMatchObject({ limit: 1, reason: "queueing" })
    const proven = refused(late.state, late.now, at)
    expect(proven).toMatchObject({ reason: "refused", said: "PGRST003" })
    expect(proven.limit).toBeLessThan(1)
    expect(told(200, proven, at, () => 0.05, late.now).state.limit).toBeLessThan(0.5)
  })

  it("a burst of refusals of requests that left together counts once", () => {
    const at = { min: 0.02, max: 10 }
    const { now, state } = told(100, initial(at), at, () => 1)
    let once = state
    for (let n = 0; n < 50; n += 1) once = refused(once, now + 2_000 + n, at, now)
    expect(once.limit).toBe(refused(state, now + 2_000, at, now).limit)
  })

  it("does not grow where it is in nobody's way", () => {
    const at = { min: 0.02, max: 10 }
    let state = initial(at)
    for (let now = 0; now < 5_000; now += 10) {
      state = limit(state, { _tag: "Answered", sentAt: now, now, quick: 1, isReached: false }, at)
    }
    expect(state).toMatchObject({ limit: 2, reason: "start" })
  })
})

const crowd: World = {
  processes: 8,
  callers: 30,
  connections: 10,
  slots: 10,
  service: 20,
  patience: 2_000,
  lasts: 30_000,
  isAdaptive: true
}

describe("limits of many processes before one server", () => {
  it("eight equals keep it busy, are refused nothing, and have the same", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { fairness, goodput, p99, refused, sentPerSuccess } = simulate({ ...crowd, seed })
        expect(goodput).toBeGreaterThan(0.97)
        expect(refused).toBe(0)
        expect(fairness).toBeGreaterThan(0.5)
        expect(p99).toBeLessThan(2)
        expect(sentPerSuccess).toBeLessThan(1.02)
      }),
      { numRuns: 10 }
    )
  })

  it("answers of 100 ms: without limits some are refused, with them none", () => {
    const slow = { ...crowd, service: 100 }
    expect(simulate({ ...slow, isAdaptive: false }).refused).toBeGreaterThan(50)
    expect(simulate(slow)).toMatchObject({ refused: 0 })
    expect(simulate(slow).goodput).toBeGreaterThan(0.97)
  })

  it("fifty processes: a hundredth of the refusals that there are without limits", () => {
    const many = { ...crowd, processes: 50 }
    const without = simulate({ ...many, isAdaptive: false })
    const limited = simulate(many)
    expect(without.refusedLate).toBeGreaterThan(1_000)
    expect(limited.refusedLate).toBeLessThanOrEqual(without.refusedLate / 100)
    expect(limited.goodput).toBeGreaterThan(0.97)
  })

  it("a lone process loses nothing by its limit", () => {
    fc.assert(
      fc.property(fc.constantFrom(0.02, 0.1, 0.25), fc.integer(), (spread, seed) => {
        const alone = { ...crowd, processes: 1, spread, seed }
        const ratio = simulate(alone).goodput / simulate({ ...alone, isAdaptive: false }).goodput
        expect(ratio).toBeGreaterThan(0.95)
      }),
      { numRuns: 10 }
    )
  })
})
