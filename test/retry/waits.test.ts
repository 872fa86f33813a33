/** A repetition that has to wait for a connection: what counts against `connectionTimeout`, and which failure is told. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, type Duration, Effect, Either, Fiber, TestClock } from "effect"
import * as Db from "../../src/Db.js"
import { json, layer, problem, serve } from "../support/httpServer.js"

/** What a request to a table meets, each time: how long it takes, and the answer. */
interface Script {
  readonly takes: Duration.DurationInput
  readonly answer: () => Response
}

const busy = () =>
  Response.json({ code: "PGRST003", message: "no connection", details: null, hint: null }, { status: 504 })
const gateway = () => new Response("<html>", { status: 502 })
const fine = () => Response.json([])

/** One connection for each mode; a request to a table takes its next entry, or is answered at once. */
const scripted = (scripts: Readonly<Record<string, ReadonlyArray<Script>>>) => {
  const left = new Map(Object.entries(scripts).map(([table, all]) => [table, [...all]]))
  return Db.layerTest(
    (request) => {
      const table = new URL(request.url).pathname.split("/").at(-1) ?? ""
      const { answer, takes } = left.get(table)?.shift() ?? { takes: 0, answer: fine }
      return Effect.delay(Effect.sync(answer), takes)
    },
    {
      minConnections: 1,
      maxConnections: 2,
      maxRetries: 2,
      retryJitter: false,
      retryDelay: "10 millis",
      connectionTimeout: "1 second",
      requestTimeout: "1 minute",
      leakDetectionTimeout: 0
    }
  )
}

const read = (table: string) => Db.read((client) => client.from(table).select())
const write = (table: string) => Db.write((client) => client.from(table).upsert({ id: 1 }), { idempotent: true })

/** `first` begins now, `other` at `at`, and both run to their ends. When the first ended is told too. */
const beside = <A>(
  first: Effect.Effect<A, Db.DbError, Db.Db | Db.ReadDb>,
  other: Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>,
  at: Duration.DurationInput
) =>
  Effect.gen(function* () {
    const from = yield* Clock.currentTimeMillis
    const ended = Effect.flatMap(Effect.either(first), (result) =>
      Effect.map(Clock.currentTimeMillis, (now) => ({ result, after: now - from }))
    )
    const running = yield* Effect.fork(ended)
    const second = yield* Effect.fork(Effect.either(Effect.delay(other, at)))
    yield* TestClock.adjust("1 minute")
    expect(Either.isRight(yield* Fiber.join(second))).toBe(true)
    return yield* Fiber.join(running)
  })

describe("a repetition that has to wait for a connection", () => {
  it.effect("has the time that was not spent on waiting: what the request took does not count", () =>
    Effect.gen(function* () {
      const { result } = yield* beside(read("slow"), read("other"), "4900 millis")
      expect(Either.isRight(result)).toBe(true)
    }).pipe(
      Effect.provide(
        scripted({ slow: [{ takes: "5 seconds", answer: busy }], other: [{ takes: "500 millis", answer: fine }] })
      )
    )
  )

  it.effect("has no more than that: waits of all attempts count together", () =>
    Effect.gen(function* () {
      // 700 ms for the first attempt, so 300 ms are left for the second.
      const holder = yield* Effect.fork(read("holder"))
      const first = Effect.delay(read("quick"), "100 millis")
      const { after, result } = yield* beside(first, read("other"), "750 millis")
      yield* Fiber.join(holder)
      expect(Either.isLeft(result)).toBe(true)
      // It asked at 100, had the connection at 800 until 900, and asked again at 910.
      expect(after).toBe(1_210)
    }).pipe(
      Effect.provide(
        scripted({
          holder: [{ takes: "800 millis", answer: fine }],
          quick: [{ takes: "100 millis", answer: busy }],
          other: [{ takes: "5 seconds", answer: fine }]
        })
      )
    )
  )

  it.effect("and gets none fails with what it is a repetition of", () =>
    Effect.gen(function* () {
      const { result } = yield* beside(read("slow"), read("other"), "4900 millis")
      expect(Either.getLeft(result)).toMatchObject({ value: { _tag: "QueryError", code: "PGRST003" } })
    }).pipe(
      Effect.provide(
        scripted({ slow: [{ takes: "5 seconds", answer: busy }], other: [{ takes: "5 seconds", answer: fine }] })
      )
    )
  )

  it.effect("and gets none says of a write that it may have been executed", () =>
    Effect.gen(function* () {
      const { result } = yield* beside(write("slow"), write("other"), "4900 millis")
      expect(Either.getLeft(result)).toMatchObject({
        value: { _tag: "QueryError", status: 502, mayHaveExecuted: true, isTransient: true }
      })
    }).pipe(
      Effect.provide(
        scripted({ slow: [{ takes: "5 seconds", answer: gateway }], other: [{ takes: "5 seconds", answer: fine }] })
      )
    )
  )

  it.effect("whose first attempt got none is no repetition: AcquireTimeout", () =>
    Effect.gen(function* () {
      const { result } = yield* beside(Effect.delay(read("quick"), "100 millis"), read("slow"), 0)
      expect(Either.getLeft(result)).toMatchObject({ value: { _tag: "AcquireTimeout" } })
    }).pipe(Effect.provide(scripted({ slow: [{ takes: "5 seconds", answer: fine }] })))
  )

  it.scopedLive("is served over sockets after a request that took longer than anybody may wait", () =>
    Effect.gen(function* () {
      const { until, seen, url } = yield* serve((response, { url }, nth) => {
        if (nth === 1) setTimeout(() => problem(response, 504, "PGRST003"), 400)
        else if (url.includes("other")) setTimeout(() => json(response, []), 50)
        else json(response, [])
      })
      const options = { connectionTimeout: 300, maxRetries: 1, retryDelay: 1 }
      yield* Effect.gen(function* () {
        const slow = yield* Effect.fork(read("slow"))
        yield* until(() => seen.length === 1)
        yield* Effect.sleep(300)
        const other = yield* Effect.fork(read("other"))
        yield* Fiber.join(other)
        expect(yield* Fiber.join(slow)).toEqual([])
        expect(seen.map(({ url }) => url.includes("other"))).toEqual([false, true, false])
      }).pipe(Effect.provide(layer(url, options)))
    })
  )
})
