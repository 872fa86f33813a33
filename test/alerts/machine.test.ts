import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as Machine from "../../src/internal/alerts/machine.js"

interface Moment {
  readonly now: number
  readonly holds: boolean
}

interface Seen extends Moment {
  readonly announcement: Machine.Announcement | undefined
  readonly phase: Machine.RuleState["phase"]["_tag"]
}

const run = (timing: Machine.Timing, moments: ReadonlyArray<Moment>): ReadonlyArray<Seen> => {
  let state = Machine.initial
  return moments.map((moment) => {
    const next = Machine.step(timing, state, moment.holds, moment.now)
    state = next.state
    return { ...moment, announcement: next.announcement, phase: state.phase._tag }
  })
}

const timings: fc.Arbitrary<Machine.Timing> = fc.record({
  holdFor: fc.nat(30),
  resolveAfter: fc.nat(30),
  coolDown: fc.nat(60),
  remindAfter: fc.oneof(fc.nat(200), fc.constant(Number.POSITIVE_INFINITY))
})

/** Runs of equal samples, so that conditions last now and then. */
const histories: fc.Arbitrary<ReadonlyArray<Moment>> = fc
  .array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 10 })), {
    maxLength: 25,
    size: "max"
  })
  .map((runs) => {
    let now = 1_000
    return runs.flatMap(([holds, length, gap]) =>
      Array.from({ length }, () => {
        now += gap
        return { now, holds }
      })
    )
  })

/** For how long the samples up to and including this one have been equal to it; -1 when they are not. */
const lasted = (history: ReadonlyArray<Moment>, index: number, holds: boolean): number => {
  let start = index
  while (start >= 0 && history[start]?.holds === holds) start -= 1
  const first = history[start + 1]
  const last = history[index]
  return first === undefined || last === undefined || start === index ? -1 : last.now - first.now
}

const always = (holds: (timing: Machine.Timing, seen: ReadonlyArray<Seen>) => boolean): void =>
  fc.assert(
    fc.property(timings, histories, (timing, history) => holds(timing, run(timing, history))),
    { numRuns: 500 }
  )

const told = (seen: ReadonlyArray<Seen>, announcement: Machine.Announcement): ReadonlyArray<Seen> =>
  seen.filter((_) => _.announcement === announcement)

describe("the state machine of an alert", () => {
  it("fires only after the condition held in every sample for as long as the rule asks", () =>
    always(({ holdFor }, seen) =>
      seen.every(({ phase }, i) => {
        const begins = phase === "Firing" && seen[i - 1]?.phase !== "Firing"
        return !begins || lasted(seen, i, true) >= holdFor
      })
    ))

  it("fires whenever the condition has held for that long", () =>
    always(({ holdFor }, seen) =>
      seen.every(({ holds, phase }, i) => !holds || lasted(seen, i, true) < holdFor || phase === "Firing")
    ))

  it("resolves only after the condition held in no sample for as long as the rule asks, and then does", () =>
    always(({ resolveAfter }, seen) =>
      seen.every(({ phase }, i) => {
        if (seen[i - 1]?.phase !== "Firing") return true
        const enough = lasted(seen, i, false)
        return (phase === "Fine") === (enough >= 0 && enough >= resolveAfter)
      })
    ))

  it("tells of each alert once that it fires and once that it has resolved, in this order, with reminders only between", () =>
    always((_, seen) => {
      const words = seen.flatMap(({ announcement }) => (announcement === undefined ? [] : [announcement])).join(" ")
      return /^(fired( reminded)*( resolved|$)( |$))*$/.test(words)
    }))

  it("says that it fires no sooner than the cool-down after it was last said", () =>
    always(({ coolDown }, seen) => {
      const loud = seen.filter(({ announcement }) => announcement === "fired" || announcement === "reminded")
      return loud.every(({ now }, i) => i === 0 || now - (loud[i - 1]?.now ?? 0) >= coolDown)
    }))

  it("reminds no sooner than the rule asks, and never of what does not hold at the moment", () =>
    always(({ remindAfter }, seen) => {
      const loud = seen.filter(({ announcement }) => announcement === "fired" || announcement === "reminded")
      return loud.every(
        ({ announcement, holds, now }, i) =>
          holds && (announcement === "fired" || now - (loud[i - 1]?.now ?? 0) >= remindAfter)
      )
    }))

  it("is silent for a condition that comes and goes faster than it must hold", () =>
    fc.assert(
      fc.property(timings, fc.integer({ min: 2, max: 200 }), (timing, length) => {
        const patient = { ...timing, holdFor: 10 }
        const history = Array.from({ length }, (_, i) => ({ now: i * 9, holds: i % 2 === 0 }))
        return run(patient, history).every(({ announcement }) => announcement === undefined)
      })
    ))

  it("fires once and stays for a condition that comes back faster than it resolves", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), (length) => {
        const timing = { holdFor: 0, resolveAfter: 60, coolDown: 0, remindAfter: Number.POSITIVE_INFINITY }
        const history = Array.from({ length }, (_, i) => ({ now: i * 10, holds: i % 5 === 0 }))
        const seen = run(timing, history)
        return told(seen, "fired").length === 1 && told(seen, "resolved").length === 0
      })
    ))

  it("is announced after the cool-down when it fired within it and still holds, and else not at all", () => {
    const timing = { holdFor: 0, resolveAfter: 0, coolDown: 100, remindAfter: Number.POSITIVE_INFINITY }
    const at = (now: number, holds: boolean): Moment => ({ now, holds })
    const words = (history: ReadonlyArray<Moment>) =>
      run(timing, history).map(({ announcement, phase }) => `${phase} ${announcement ?? "-"}`)
    expect(words([at(0, true), at(10, false), at(20, true), at(90, true), at(110, true)])).toEqual([
      "Firing fired",
      "Fine resolved",
      "Firing -",
      "Firing -",
      "Firing fired"
    ])
    expect(words([at(0, true), at(10, false), at(20, true), at(90, false), at(110, false)])).toEqual([
      "Firing fired",
      "Fine resolved",
      "Firing -",
      "Fine -",
      "Fine -"
    ])
  })
})
