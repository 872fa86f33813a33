/** What retries may cost: those that burden a server are counted, those that wait until it is back are not. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, FastCheck as fc, TestClock } from "effect"
import * as Db from "../../src/Db.js"
import { Absence, isAway } from "../../src/internal/db/absence.js"
import { page, postgrestError, rows, type Scripted } from "../support/postgrest.js"
import { eachShows, withSuite } from "../support/reliability.js"

eachShows("What retries cost", withSuite)

const read = Db.read((client) => client.from("notes").select("id"))

const reserve = 100

const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Lets everything run that can run without time passing. */
const settle = Effect.repeatN(turn, 40)

const options = {
  minConnections: 1,
  maxConnections: 40,
  maxRetries: 3,
  retryDelay: "1 second",
  retryJitter: false,
  connectionTimeout: "1 minute",
  enableHealthChecks: false
} as const

class Server {
  meets: Scripted | Db.ConnectionFailed = rows()
  requests = 0

  readonly layer = Db.layerTest((): Response | Effect.Effect<never, Db.ConnectionFailed> => {
    this.requests += 1
    if (this.meets instanceof Db.ConnectionFailed) return Effect.fail(this.meets)
    const { body = "", headers = {}, status } = this.meets
    return new Response(body, { status, headers: { ...headers } })
  }, options)
}

/** So many ask at once. */
const asking = (operations: number) =>
  Effect.fork(Effect.replicateEffect(Effect.exit(read), operations, { concurrency: "unbounded" }))

const succeeded = (exits: ReadonlyArray<{ readonly _tag: string }>): number =>
  exits.filter(({ _tag }) => _tag === "Success").length

const away: ReadonlyArray<readonly [string, Scripted]> = [
  ["a proxy's 502", page(502)],
  ["PGRST000", { ...postgrestError(503, "PGRST000", "down"), headers: { "retry-after": "0" } }]
]

const many = 1.5 * reserve

describe("while a server is away", () => {
  for (const [what, meets] of away) {
    it.effect(
      `and ${what} says so, all who asked succeed when another operation did, whatever the budget has left`,
      () => {
        const server = new Server()
        return Effect.gen(function* () {
          server.meets = meets
          const asked = yield* asking(many)
          yield* settle
          expect(server.requests).toBe(many)
          yield* TestClock.adjust("500 millis")
          expect(server.requests).toBe(many)
          server.meets = rows()
          yield* read
          yield* TestClock.adjust("100 millis")
          yield* settle
          expect(succeeded(yield* Fiber.join(asked))).toBe(many)
          expect(server.requests).toBe(2 * many + 1)
        }).pipe(Effect.provide(server.layer))
      }
    )

    it.effect(`and ${what} says so for long, it is asked again no oftener than the budget allows`, () => {
      const server = new Server()
      return Effect.gen(function* () {
        server.meets = meets
        const asked = yield* asking(many)
        yield* settle
        for (let second = 0; second < 10; second++) {
          yield* TestClock.adjust("1 second")
          yield* settle
        }
        expect(succeeded(yield* Fiber.join(asked))).toBe(0)
        expect(server.requests).toBe(many + reserve)
      }).pipe(Effect.provide(server.layer))
    })
  }

  it.effect("and connections fail before anything is sent, trying again is free: it burdens nobody", () => {
    const server = new Server()
    return Effect.gen(function* () {
      server.meets = new Db.ConnectionFailed({
        pool: "read",
        origin: "http://db.test",
        failure: "refused",
        code: "ECONNREFUSED",
        sent: false
      })
      const asked = yield* asking(many)
      yield* settle
      server.meets = rows()
      yield* TestClock.adjust("1 second")
      yield* settle
      expect(succeeded(yield* Fiber.join(asked))).toBe(many)
    }).pipe(Effect.provide(server.layer))
  })
})

describe("a server that answers badly", () => {
  it.effect("and others well is not away: who tries again waits for its delay, and the budget counts it", () => {
    const server = new Server()
    return Effect.gen(function* () {
      // Each second answer is bad, so nobody knows it to be away.
      for (let n = 0; n < many; n++) {
        server.meets = page(502)
        yield* asking(1)
        yield* Effect.repeatN(turn, 5)
        server.meets = rows()
        yield* read
      }
      expect(server.requests).toBe(2 * many)
      yield* TestClock.adjust("1 second")
      yield* settle
      // A fifth of the good ones, and the reserve.
      expect(server.requests - 2 * many).toBeLessThanOrEqual(reserve + many / 5)
    }).pipe(Effect.provide(server.layer))
  })
})

describe("the memory of who is away", () => {
  const errorOf = (status: number, code = "", retryAfter?: number) =>
    new Db.QueryError({
      code,
      reason: "",
      details: "",
      hint: "",
      status,
      answeredBy: code === "" ? "gateway" : "PostgREST",
      ...(retryAfter === undefined ? {} : { retryAfter: Duration.seconds(retryAfter) })
    })

  it("has neither who is full, nor who asks for time, nor who answered", () => {
    expect([errorOf(502), errorOf(503, "PGRST000", 0), errorOf(503, "57P01")].map(isAway)).toEqual([true, true, true])
    const not = [
      errorOf(504, "PGRST003"),
      errorOf(503, "53300"),
      errorOf(503, "", 5),
      errorOf(429),
      errorOf(500, "40001")
    ]
    expect(not.map(isAway)).toEqual(not.map(() => false))
    expect(isAway(new Db.PoolOverloaded({ pool: "read", pending: 1, maxPending: 1 }))).toBe(false)
  })

  it("is that the last ten or more answers were of that kind, and tells of its end once", () => {
    const kinds = { away: errorOf(502), wrong: errorOf(400, "23505"), busy: errorOf(429), well: undefined }
    const other = { arbitrary: fc.constantFrom("wrong" as const, "busy" as const, "well" as const), weight: 2 }
    return fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ arbitrary: fc.constant("away" as const), weight: 6 }, other), {
          maxLength: 80,
          size: "max"
        }),
        (seen: ReadonlyArray<keyof typeof kinds>) =>
          Effect.runPromise(
            Effect.gen(function* () {
              const absence = new Absence()
              let inARow = 0
              for (const kind of seen) {
                const waiting = yield* Effect.fork(absence.end.before(Effect.never))
                yield* turn
                const known = absence.isKnown
                const error = kinds[kind]
                if (error === undefined) absence.answered()
                else absence.failed(error)
                yield* turn
                if (kind === "away") inARow += 1
                else if (kind !== "busy") inARow = 0
                expect(absence.isKnown).toBe(inARow >= 10)
                expect(waiting.unsafePoll() !== null).toBe(known && inARow === 0)
                yield* Fiber.interrupt(waiting)
              }
            })
          )
      )
    )
  })
})
