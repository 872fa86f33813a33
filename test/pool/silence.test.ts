import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import * as Db from "../../src/Db.js"
import { Silence } from "../../src/internal/pool/silence.js"
import * as Pool from "../../src/Pool.js"
import { layer } from "../support/httpServer.js"
import { troubled } from "../support/troubledDatabase.js"

const seconds = 1_000

/** What happened: an answer (`answered`, `unanswered`, or nothing asked), to whom had it since when, and when it came back. */
type End = readonly [answered: boolean | undefined, lentAt: number, now: number]

const after = (...ends: ReadonlyArray<End>): Silence => {
  const silence = new Silence()
  for (const end of ends) silence.ended(...end)
  return silence
}

interface Case {
  readonly name: string
  readonly ends: ReadonlyArray<End>
  readonly now: number
  readonly sent: number | undefined
  readonly lasts: number
}

const cases: ReadonlyArray<Case> = [
  { name: "nobody has asked", ends: [], now: 9, sent: undefined, lasts: 0 },
  { name: "the first request is under way", ends: [], now: 900, sent: 200, lasts: 700 },
  { name: "all was answered", ends: [[true, 0, 10]], now: 60 * seconds, sent: undefined, lasts: 0 },
  {
    name: "one is under way that was sent long after the last answer: what lies before it nobody asked",
    ends: [[true, 0, 10]],
    now: 100 * seconds,
    sent: 78 * seconds,
    lasts: 22 * seconds
  },
  {
    name: "one hangs while others are answered",
    ends: [[true, 0, 40 * seconds]],
    now: 41 * seconds,
    sent: 10,
    lasts: seconds
  },
  {
    name: "those that hung have timed out and the next ones hang",
    ends: [
      [true, 0, 10],
      [false, 1 * seconds, 31 * seconds],
      [false, 2 * seconds, 32 * seconds]
    ],
    now: 50 * seconds,
    sent: 33 * seconds,
    lasts: 49 * seconds
  },
  {
    name: "they have timed out and nobody asks any more: it lasted that long, and does not grow",
    ends: [[false, 1 * seconds, 31 * seconds]],
    now: 60 * seconds,
    sent: undefined,
    lasts: 30 * seconds
  },
  { name: "that was long ago", ends: [[false, 0, 30 * seconds]], now: 91 * seconds, sent: undefined, lasts: 0 },
  {
    name: "one that was given up on before has nothing to do with the next",
    ends: [[false, 0, 3 * seconds]],
    now: 50 * seconds,
    sent: 49 * seconds,
    lasts: seconds
  },
  {
    name: "it answers again",
    ends: [
      [false, 0, 30 * seconds],
      [true, 30 * seconds, 31 * seconds]
    ],
    now: 32 * seconds,
    sent: undefined,
    lasts: 0
  },
  {
    name: "whoever asked nothing says nothing",
    ends: [[undefined, 0, 50 * seconds]],
    now: 51 * seconds,
    sent: undefined,
    lasts: 0
  }
]

describe("for how long nothing was answered", () => {
  it.each(cases)("$name", ({ ends, lasts, now, sent }) => {
    expect(after(...ends).at(now, sent)).toBe(lasts)
  })

  const read = Db.read((client) => client.from("orders").select("id").eq("buyer", 4_711))

  it.scopedLive(
    "a database that hangs is in the pool's figures while it hangs, with who asked what and who waits",
    () =>
      Effect.gen(function* () {
        const database = yield* troubled
        yield* Effect.gen(function* () {
          const { metrics } = yield* Pool.ReadPool
          yield* read
          expect(yield* metrics).not.toHaveProperty("unanswered")
          yield* database.become("hangs")
          const first = yield* Effect.fork(Effect.withSpan(read, "GET /orders"))
          const second = yield* Effect.fork(Effect.delay(read, "50 millis"))
          yield* Effect.sleep("1200 millis")
          const { oldestRequest, oldestWait = Duration.zero, unanswered = Duration.zero } = yield* metrics
          expect(oldestRequest?.query).toBe("SELECT id FROM orders WHERE buyer = ?")
          expect(oldestRequest?.holder).not.toBe("")
          for (const period of [oldestRequest?.age ?? Duration.zero, oldestWait, unanswered]) {
            expect(Duration.toMillis(period)).toBeGreaterThan(1_000)
            expect(Duration.toMillis(period)).toBeLessThan(30_000)
          }
          yield* database.become("works")
          yield* Fiber.join(first)
          yield* Fiber.join(second)
          const well = yield* metrics
          expect([well.oldestRequest, well.oldestWait, well.unanswered]).toEqual([undefined, undefined, undefined])
        }).pipe(Effect.provide(layer(database.url)))
      })
  )

  it.scopedLive("what a gateway says in the database's place is no answer, and what the database refuses is one", () =>
    Effect.gen(function* () {
      const database = yield* troubled
      yield* Effect.gen(function* () {
        const { metrics } = yield* Pool.ReadPool
        yield* database.become("fails")
        yield* Effect.exit(read)
        expect(Duration.toMillis((yield* metrics).unanswered ?? Duration.zero)).toBeGreaterThan(0)
        yield* database.become("works")
        yield* read
        expect((yield* metrics).unanswered).toBeUndefined()
      }).pipe(Effect.provide(layer(database.url)))
    })
  )
})
