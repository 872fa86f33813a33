/** How one operation is tried again, over what the pools' options say. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Schema, TestClock } from "effect"
import * as Db from "../../src/Db.js"

const unavailable = () =>
  Response.json({ code: "PGRST003", message: "no connection", details: null, hint: null }, { status: 504 })

/** How often it was sent, until there was no more to come. */
const attemptsOf = (operation: Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>, answer = unavailable) => {
  const at: Array<number> = []
  return Effect.gen(function* () {
    const fiber = yield* Effect.fork(Effect.exit(operation))
    yield* TestClock.adjust("3 seconds")
    yield* Fiber.join(fiber)
    return at.length
  }).pipe(
    Effect.provide(
      Db.layerTest(
        () => {
          at.push(at.length)
          return answer()
        },
        { maxRetries: 3, retryJitter: false, retryDelay: "10 millis" }
      )
    )
  )
}

const select = (client: Parameters<Parameters<typeof Db.read>[0]>[0]) => client.from("a").select("b")
const insert = (client: Parameters<Parameters<typeof Db.read>[0]>[0]) => client.from("a").insert({})

describe("retry", () => {
  it.effect("false sends once; without it the pools' options hold", () =>
    Effect.gen(function* () {
      expect(yield* attemptsOf(Db.read(select))).toBe(4)
      expect(yield* attemptsOf(Db.read(select, { retry: false }))).toBe(1)
      expect(yield* attemptsOf(Db.write(insert, { retry: false }))).toBe(1)
      expect(yield* attemptsOf(Db.response(select, { retry: false }))).toBe(1)
      expect(yield* attemptsOf(Db.rpc("f", {}, { get: true, retry: false }))).toBe(1)
      expect(yield* attemptsOf(Db.readAs(Schema.Unknown, select, { as: "service", retry: false }))).toBe(1)
    })
  )

  it.effect("times is how many attempts follow the first, fewer or more than usual", () =>
    Effect.gen(function* () {
      expect(yield* attemptsOf(Db.read(select, { retry: { times: 1 } }))).toBe(2)
      expect(yield* attemptsOf(Db.read(select, { retry: { times: 6 } }))).toBe(7)
      expect(yield* attemptsOf(Db.read(select, { retry: { times: 0 } }))).toBe(1)
    })
  )

  it.effect("schedule gives delays and number; times bounds it", () =>
    Effect.gen(function* () {
      const spaced = Schedule.spaced("10 millis")
      expect(yield* attemptsOf(Db.read(select, { retry: { schedule: Schedule.recurs(5) } }))).toBe(6)
      expect(yield* attemptsOf(Db.read(select, { retry: { schedule: spaced, times: 8 } }))).toBe(9)
    })
  )

  it.effect("while ends it by the error", () =>
    Effect.gen(function* () {
      const goesOn = (error: Db.DbError) => error._tag !== "QueryError"
      expect(yield* attemptsOf(Db.read(select, { retry: { while: goesOn } }))).toBe(1)
      expect(yield* attemptsOf(Db.read(select, { retry: { while: () => true } }))).toBe(4)
    })
  )

  it.effect("never repeats what could be executed twice", () =>
    Effect.gen(function* () {
      const gateway = () => new Response("<html>", { status: 502 })
      const retry = { times: 5, while: () => true }
      expect(yield* attemptsOf(Db.write(insert, { retry }), gateway)).toBe(1)
      expect(yield* attemptsOf(Db.write(insert, { retry, idempotent: true }), gateway)).toBe(6)
    })
  )

  it.effect("that is no number of times is refused by name, and nothing is sent", () =>
    Effect.gen(function* () {
      for (const times of [-1, 1.5, Number.NaN]) {
        expect(yield* attemptsOf(Db.read(select, { retry: { times } }))).toBe(0)
      }
      const error = yield* Effect.flip(Db.read(select, { retry: { times: -1 } })).pipe(
        Effect.provide(Db.layerTest(() => Response.json([])))
      )
      expect(error.message).toContain("retry.times is -1")
    })
  )
})
