/** What the banner says and leads to, for each kind of trouble. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Told } from "../../src/internal/feed/client.js"
import { empty, next, type View } from "../../src/internal/feed/view.js"
import type * as Wire from "../../src/internal/feed/wire.js"
import { bandsOf, marksOf, sampleAt } from "../../src/internal/react/marks.js"
import { entries, verdictOf } from "../../src/internal/react/verdict.js"
import { sample } from "../support/samples.js"

type Change = Parameters<typeof sample>[0]

/** One sample a second, from 100 s on. */
const viewOf = (...changes: ReadonlyArray<Change>): View =>
  changes.reduce<View>(
    (view, change, index) => next(view, Told.Sample({ sample: sample({ at: 100_000 + index * 1_000, ...change }) }), 0),
    { ...empty, link: { _tag: "Live" } }
  )

const many = (count: number, change: Change): ReadonlyArray<Change> => Array.from({ length: count }, () => change)

const operations = sample().operations

const hangs = (seconds: number): Change => ({
  status: "degraded",
  reasons: [`nothing was answered for ${seconds} s, more than 10 s`],
  read: {
    active: 10,
    pending: 140,
    unanswered: seconds * 1_000,
    oldestWait: seconds * 1_000 - 900,
    oldestRequest: { age: seconds * 1_000, query: "SELECT id FROM orders WHERE buyer = ?", holder: "GET /orders" }
  }
})

const away: Change = {
  status: "unhealthy",
  reasons: ["the database cannot be reached"],
  read: { reachable: false },
  write: { reachable: false }
}

const troubles: ReadonlyArray<readonly [name: string, view: View, entry: string, words: ReadonlyArray<string>]> = [
  [
    "it hangs",
    viewOf(hangs(22)),
    entries.silent,
    [
      "answers none",
      "nothing was answered for 22 s",
      "the oldest request is 22 s old: SELECT id FROM orders WHERE buyer = ?, sent by GET /orders",
      "140 wait, the first for 21.1 s"
    ]
  ],
  ["it cannot be reached", viewOf({}, ...many(23, away)), entries.away, ["cannot be reached", "for 22 s, since"]],
  [
    "a check had no answer, and requests have none: what hangs is the better word",
    viewOf({ ...hangs(40), status: "unhealthy" }),
    entries.silent,
    ["answers none"]
  ],
  [
    "operations fail",
    viewOf({ status: "degraded", operations: { ...operations, errorRate: 0.12 } }),
    entries.failing,
    ["Operations fail", "12 %"]
  ],
  [
    "connections leak",
    viewOf({ status: "degraded", reasons: ["a leaked connection was reclaimed in the last minute"] }),
    entries.leaks,
    ["leak"]
  ],
  [
    "all are in use and the queries are fast",
    viewOf({ status: "degraded", read: { active: 10, pending: 3, oldestWait: 20, longestHeld: 12 } }),
    entries.full,
    ["Every read connection is in use", "3 wait, the first for 20 ms", "it is traffic"]
  ],
  [
    "all are in use by code that holds them",
    viewOf({ status: "degraded", read: { active: 10, pending: 3, longestHeld: 12_000 } }),
    entries.full,
    ["your code waits for something else"]
  ],
  [
    "it is slow",
    viewOf({ status: "degraded", operations: { ...operations, mean: 2_000 } }),
    entries.slow,
    ["Operations are slow", "Pick the spike"]
  ],
  [
    "the server is away",
    next(viewOf({}), Told.Lost({ reason: "the server cannot be reached" }), 5_000),
    entries.noNews,
    ["No news", "the server cannot be reached", "last known state"]
  ]
]

describe("the banner", () => {
  it.each(troubles)("when %s, says what is wrong and what to do", (_, view, entry, words) => {
    const verdict = verdictOf(view)
    const text = [verdict?.headline, ...(verdict?.figures ?? []), ...(verdict?.steps ?? [])].join("\n")
    for (const each of words) expect(text).toContain(each)
    expect(verdict?.steps.length).toBeGreaterThan(0)
    expect(verdict?.entry).toBe(entry)
  })

  it("has no figure in its headline, which is read aloud whenever it changes", () => {
    for (const [, view] of troubles) expect(verdictOf(view)?.headline).not.toMatch(/\d/)
    const headlines = [5, 6, 7, 30].map((seconds) => verdictOf(viewOf(hangs(seconds)))?.headline)
    expect(new Set(headlines).size).toBe(1)
  })

  it("leads to headings that are in the page", () => {
    const page = readFileSync("docs/troubleshooting.md", "utf8")
    for (const entry of Object.values(entries)) expect(page).toContain(`\n## ${entry}\n`)
  })

  it("is silent while all is well, also while a request is young", () => {
    const young = { read: { active: 1, oldestRequest: { age: 4_000, query: "", holder: "" }, unanswered: 4_000 } }
    for (const view of [viewOf({}), viewOf(young)]) expect(verdictOf(view)).toMatchObject({ tone: "good", steps: [] })
    expect(verdictOf(empty)).toBeUndefined()
  })

  it("says for a minute that it is over, and how long it was, while the last minute's figures are still bad", () => {
    const bad = { status: "degraded", operations: { ...operations, errorRate: 0.9, mean: 20_000 } } as const
    const over = verdictOf(viewOf({}, hangs(10), hangs(11), ...many(12, bad)))
    expect(over).toMatchObject({ tone: "info", headline: "The database answers again" })
    expect(over?.figures.join()).toMatch(/^for 12 s; it had not for 11 s/)
    expect(verdictOf(viewOf({}, hangs(10), ...many(62, bad)))?.headline).toBe("Operations fail")
  })

  it("says which of the pools has no answers, where the other has", () => {
    const headline = (read: number, write: number) =>
      verdictOf(
        viewOf({
          read: { active: 1, ...(read > 0 ? { unanswered: read } : {}) },
          write: { active: 1, unanswered: write }
        })
      )?.headline
    expect(headline(0, 9_000)).toContain("takes writes")
    expect(headline(8_500, 9_000)).toContain("takes requests")
  })
})

describe("what happened", () => {
  const names = (view: View) => marksOf(view).map(({ at, name }) => [name, at / 1_000])

  it("is marked where it began and ended", () => {
    expect(names(viewOf({}, {}, hangs(1), hangs(6), hangs(7), {}))).toEqual([
      ["silent", 97],
      ["back", 105]
    ])
    expect(names(viewOf({}, away, away, {}))).toEqual([
      ["away", 101],
      ["back", 103]
    ])
  })

  it("a restart is marked at the start of the new process, and a reset of both pools once", () => {
    const restarted = viewOf({ uptime: 60_000 }, { uptime: 61_000 }, { uptime: 500 })
    expect(names(restarted)).toEqual([["start", 101.5]])
    const reset = (id: string, pool: "read" | "write", at: number): Told =>
      Told.Happened({
        id,
        event: {
          type: "reset",
          pool,
          connectionId: id,
          at,
          holder: "",
          held: 0,
          age: 0,
          reason: ""
        } satisfies Wire.Happened
      })
    const events = [reset("1", "read", 100_100), reset("2", "write", 100_101), reset("3", "read", 109_000)]
    expect(names(events.reduce((view, told) => next(view, told, 0), viewOf({ uptime: 60_000 })))).toEqual([
      ["reset", 100.1],
      ["reset", 109]
    ])
  })

  it("times without answers are one band each, from the last answer on", () => {
    const view = viewOf({}, {}, {}, {}, {}, {}, hangs(6), hangs(7), {}, {}, {}, {}, away, away)
    expect(bandsOf(view).map(({ from, to }) => [from / 1_000, to / 1_000])).toEqual([
      [100, 107],
      [112, 113]
    ])
  })

  it("a moment is that of the sample before it; none is now", () => {
    const view = viewOf({}, {}, {})
    expect([undefined, 0, 101_900, 999_000].map((at) => sampleAt(view, at)?.at)).toEqual([
      102_000, 100_000, 101_000, 102_000
    ])
  })
})
