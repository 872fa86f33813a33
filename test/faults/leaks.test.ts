/** Ten thousand operations that end in every way, and what is left of them: nothing. */
import { getEventListeners } from "node:events"
import process from "node:process"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Logger, LogLevel, Random, Schedule } from "effect"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { make, outcome, settle } from "../support/fakeResource.js"
import { collect } from "../support/garbage.js"
import { json, layer, problem, serve, type TestServer } from "../support/httpServer.js"
import { shows } from "../support/reliability.js"

/** In MB, with nothing left that could be collected. */
const heap = Effect.gen(function* () {
  for (let round = 0; round < 3; round += 1) {
    collect()
    // Finalisers run between two turns of the event loop.
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  }
  return process.memoryUsage().heapUsed / 1_048_576
})

const listeners = Effect.sync(() =>
  process.eventNames().reduce((total, event) => total + process.listenerCount(event), 0)
)

/** Answers by the table's name. */
const server = serve((response, { url }) => {
  if (url.includes("/broken")) response.destroy()
  else if (url.includes("/busy")) problem(response, 503, "PGRST001")
  else if (url.includes("/wrong")) problem(response, 400, "22P02")
  else if (url.includes("/slow")) setTimeout(() => json(response, []), 3)
  else json(response, [{ id: 1 }])
})

const tables = ["good", "good", "good", "good", "good", "broken", "busy", "wrong", "slow"] as const

const operation = (signal: AbortSignal) =>
  Effect.gen(function* () {
    const table = tables[yield* Random.nextIntBetween(0, tables.length)] ?? "good"
    const dice = yield* Random.nextIntBetween(0, 12)
    const read = Db.read((client) => client.from(table).select("*"))
    if (dice < 4) return yield* read
    if (dice < 6) return yield* Db.write((client) => client.from(table).upsert({ id: 1 }), { idempotent: true })
    if (dice < 7) return yield* Db.write((client) => client.from(table).insert({ id: 1 }))
    if (dice < 8) return yield* Db.read((client) => client.from(table).select("*").abortSignal(signal))
    if (dice < 9) return yield* Effect.die("a bug in the caller's code").pipe(Effect.zipRight(read))
    if (dice < 10) return yield* Effect.scoped(Effect.flatMap(Pool.ReadPool, ({ connection }) => connection))
    // Interrupted while it waits, connects, sends, or is answered.
    return yield* Effect.timeout(read, yield* Random.nextIntBetween(0, 4))
  })

/** As it is once it is so, or as it still is after five seconds: the event loop closes a turn later. */
const eventually = <A>(look: Effect.Effect<A>, isSo: (a: A) => boolean): Effect.Effect<A> =>
  Effect.repeat(look, { until: isSo, schedule: Schedule.spaced("10 millis") }).pipe(
    Effect.timeoutOption("5 seconds"),
    Effect.zipRight(look)
  )

/** What keeps this process alive, by kind and number. The test runner itself has a timer now and then. */
const resources = eventually(
  Effect.sync(() => process.getActiveResourcesInfo().sort()),
  (kinds) => !kinds.includes("Timeout")
)

/** Runs so many operations, 50 at a time, until everybody has given back and every socket is one of the pools'. */
const run = (to: TestServer, count: number, signal: AbortSignal, ends: Map<string, number>) =>
  Effect.gen(function* () {
    yield* Effect.replicateEffect(
      Effect.flatMap(Effect.exit(operation(signal)), (exit) =>
        Effect.sync(() => {
          const end = outcome(exit)
          ends.set(end, (ends.get(end) ?? 0) + 1)
        })
      ),
      count,
      { concurrency: 50, discard: true }
    )
    let total = 0
    for (const pool of [yield* Pool.ReadPool, yield* Pool.WritePool]) {
      const metrics = yield* eventually(pool.metrics, ({ connecting }) => connecting === 0)
      expect(metrics).toMatchObject({ active: 0, pending: 0, leaks: 0 })
      total += metrics.total
    }
    yield* to.until(() => to.open() === total)
    to.forget()
  })

const batches = 4
const perBatch = 2_500

describe("ten thousand operations with random failures and interruptions", () => {
  it.live(
    "leave no lease, no socket, no timer, no listener, and no growth of the heap",
    (context) =>
      Effect.gen(function* () {
        const to = yield* server
        const { signal } = new AbortController()
        const before = { resources: yield* resources, listeners: yield* listeners }
        const ends = new Map<string, number>()
        const growths: Array<number> = []
        yield* Effect.gen(function* () {
          // What is compiled, cached and allotted once is there after that.
          yield* run(to, perBatch, signal, new Map())
          let last = yield* heap
          for (let batch = 0; batch < batches; batch += 1) {
            yield* run(to, perBatch, signal, ends)
            const now = yield* heap
            growths.push(now - last)
            last = now
          }
        }).pipe(
          Effect.provide(
            layer(to.url, {
              minConnections: 2,
              maxConnections: 16,
              maxRetries: 1,
              retryDelay: 1,
              leakDetectionTimeout: 60_000
            })
          )
        )
        for (const end of ["value", "defect", "ConnectionFailed", "QueryError", "TimeoutException"]) {
          expect(ends.get(end), end).toBeGreaterThan(100)
        }
        yield* to.until(() => to.open() === 0)
        expect(yield* resources).toEqual(before.resources)
        expect(yield* listeners).toBe(before.listeners)
        expect(getEventListeners(signal, "abort")).toHaveLength(0)
        // A leak grows in each batch; what else grows does not. Of connections that ended, which were hundreds, Effect's
        // `Pool` remembers for a minute that there was one: 1 KB each, where the connection itself weighs 20.
        expect(Math.min(...growths)).toBeLessThan(1)
        shows(context, {
          kind: "promise",
          section: "Leaks",
          what: "10,000 operations that succeed, fail, die or are interrupted at random, 50 at a time: nothing is lent, every socket is one that the pools count, and the heap of the running pools does not grow (less than 1 MB in 2,500 operations); once the pools are closed no socket, timer or listener is left"
        })
      }).pipe(Effect.scoped, Effect.withRandom(Random.make(11)), Logger.withMinimumLogLevel(LogLevel.None)),
    120_000
  )
})

describe("callers whom the queue has no place for", () => {
  it.scopedLive("cost no memory, however many they are", (context) =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1, maxPending: 100, connectionTimeout: Duration.minutes(1) })
      const hold = Effect.fork(pool.use(() => Effect.never))
      const holder = yield* hold
      yield* Effect.repeat(settle, { until: () => pool.active === 1 })
      const waiters = yield* Effect.replicateEffect(hold, 100)
      yield* Effect.repeat(settle, { until: () => pool.bag.pending === 100 })
      const refused = (count: number) =>
        Effect.map(Effect.replicateEffect(Effect.exit(pool.use(() => Effect.void)), count), (exits) => {
          expect(new Set(exits.map(outcome))).toEqual(new Set(["PoolOverloaded"]))
        })
      yield* refused(2_000)
      const growths: Array<number> = []
      for (let round = 0; round < 3; round += 1) {
        const before = yield* heap
        for (let thousand = 0; thousand < 20; thousand += 1) yield* refused(1_000)
        growths.push((yield* heap) - before)
      }
      expect(pool.bag.pending).toBe(100)
      // What callers cost they cost in each round; what the compiler keeps of code that has become hot, in one.
      expect(Math.min(...growths)).toBeLessThan(1)
      yield* Fiber.interruptAll([holder, ...waiters])
      shows(context, {
        kind: "promise",
        section: "Overload",
        what: "20,000 callers are refused while 100 wait: the heap is as it was (less than 1 MB more), so memory is bounded by `maxPending`"
      })
    })
  )
})
