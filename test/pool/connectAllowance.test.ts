/** How many may connect at a time, by what became of those before. */
import { describe, expect, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import {
  type Allowance,
  afterFailure,
  afterSilence,
  afterSuccess,
  untried
} from "../../src/internal/pool/connectAllowance.js"

const all = Number.POSITIVE_INFINITY

/** As many connect as may, up to the size of the pool; so many of them are allowed then, after each that succeeds. */
const rounds = (from: Allowance, size: number, count: number): ReadonlyArray<number> => {
  const seen: Array<number> = []
  let allowance = from
  for (let round = 0; round < count; round += 1) {
    const connecting = Math.min(size, allowance.connects)
    for (let left = connecting; left > 0; left -= 1) {
      // Each that succeeds makes place for another.
      allowance = afterSuccess(allowance, Math.min(size, allowance.connects))
    }
    seen.push(Math.min(size, allowance.connects))
  }
  return seen
}

type Event = "success" | "failure" | "silence"

const become = (allowance: Allowance, event: Event, connecting: number): Allowance =>
  event === "failure"
    ? afterFailure
    : event === "success"
      ? afterSuccess(allowance, connecting)
      : afterSilence(allowance, connecting)

describe("so many may connect at a time", () => {
  it("two at first, and from the first success on as many as are waited for", () => {
    expect(untried.connects).toBe(2)
    expect(rounds(untried, 20, 2)).toEqual([20, 20])
  })

  it("two after a failure, and twice as many with each round that succeeds", () => {
    expect(afterFailure.connects).toBe(2)
    expect(rounds(afterFailure, 20, 4)).toEqual([4, 8, 16, 20])
  })

  const table: ReadonlyArray<
    readonly [what: string, before: Allowance, event: Event, connecting: number, now: number]
  > = [
    ["a success of one that was alone", untried, "success", 1, all],
    ["a failure after that", { connects: all, isCareful: false }, "failure", 20, 2],
    ["a success after a failure, where fewer connected than were allowed", afterFailure, "success", 1, 2],
    ["a success after a failure, where as many did", afterFailure, "success", 2, 3],
    ["one of twenty is silent", { connects: all, isCareful: false }, "silence", 20, 20],
    ["the only one is silent", { connects: all, isCareful: false }, "silence", 1, 2],
    ["one of two is silent, and nothing is known of the server", untried, "silence", 2, 2]
  ]

  for (const [what, before, event, connecting, now] of table)
    it(`${now}: ${what}`, () => expect(become(before, event, connecting).connects).toBe(now))

  const events = fc.array(
    fc.record({
      event: fc.constantFrom<Event>("success", "failure", "silence"),
      connecting: fc.integer({ min: 1, max: 20 })
    })
  )

  it("never fewer than two, and after a failure no more than two and the successes since", () =>
    fc.assert(
      fc.property(events, (happened) => {
        let allowance = untried
        let since: number | undefined
        for (const { connecting, event } of happened) {
          allowance = become(allowance, event, connecting)
          if (event === "failure") since = 0
          else if (event === "success" && since !== undefined) since += 1
          expect(allowance.connects).toBeGreaterThanOrEqual(2)
          expect(allowance.connects).toBeLessThanOrEqual(2 + (since ?? all))
        }
      })
    ))
})
