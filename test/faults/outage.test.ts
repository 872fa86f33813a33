/** Thirty seconds without a database under 2,000 callers, and three times more callers than the pool can serve. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Logger, LogLevel, Random, Scope } from "effect"
import { metricsOf } from "../../src/internal/pool/poolMetrics.js"
import { type FakeOptions, type FakePool, type FakeWorld, make, outcome } from "../support/fakeResource.js"
import { shows } from "../support/reliability.js"
import { VirtualClock } from "../support/virtualClock.js"

const second = 1_000

/** In virtual time, on a clock that thousands of fibers may sleep on. */
const virtual = <A>(
  options: FakeOptions,
  test: (pool: FakePool & { readonly world: FakeWorld }, clock: VirtualClock) => Effect.Effect<A, unknown>
) =>
  Effect.suspend(() => {
    const clock = new VirtualClock()
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const pool = yield* Scope.extend(make(options), scope)
      const result = yield* test(pool, clock)
      yield* Scope.close(scope, Exit.void)
      return result
    }).pipe(Effect.withClock(clock), Effect.withRandom(Random.make(7)), Logger.withMinimumLogLevel(LogLevel.None))
  })

describe("an outage of thirty seconds under 2,000 callers", () => {
  for (const [how, what] of [
    ["refuse", "connections are refused"],
    ["hang up", "a proxy accepts and hangs up"],
    ["decide", "the database is silent while we connect"]
  ] as const) {
    it.live(
      `${what}: everybody fails in time, nobody storms, and service is back within two seconds`,
      (context) =>
        virtual(
          { max: 10, min: 5, maxPending: 5_000, connectionTimeout: Duration.seconds(3) },
          ({ pool, world }, clock) =>
            Effect.gen(function* () {
              let late = 0
              let firstSuccess = Number.POSITIVE_INFINITY
              const errors = new Set<string>()
              let isOut = false
              const caller = Effect.gen(function* () {
                while (clock.now < 36 * second) {
                  const since = clock.now
                  const exit = yield* Effect.exit(pool.use(() => Effect.sleep("5 millis")))
                  if (clock.now - since > 3 * second + 5) late += 1
                  if (isOut && Exit.isFailure(exit)) errors.add(outcome(exit))
                  if (!isOut && clock.now >= 31 * second && Exit.isSuccess(exit))
                    firstSuccess = Math.min(firstSuccess, clock.now)
                  yield* Effect.sleep(Duration.millis(2_000 + (yield* Random.nextIntBetween(0, 2_000))))
                }
              })
              const callers = yield* Effect.replicateEffect(Effect.forkDaemon(caller), 2_000)
              yield* clock.adjust(second)
              expect(metricsOf(pool).reachable).toBe(true)
              // The database dies, and its sockets with it.
              isOut = true
              world.connecting = how
              for (const resource of world.made) resource.shut()
              const before = world.attempts
              yield* clock.adjust(30 * second)
              expect(metricsOf(pool)).toMatchObject({ reachable: false, pending: 0, total: 0 })
              // One probe each 1.2 to 1.8 seconds once the delay has grown, whoever asks.
              const attempts = world.attempts - before
              expect(attempts).toBeLessThanOrEqual(40)
              expect([...errors].every((error) => error === "ConnectionFailed" || error === "AcquireTimeout")).toBe(
                true
              )
              isOut = false
              world.connecting = "accept"
              const atReturn = world.attempts
              yield* clock.adjust(2 * second)
              expect(firstSuccess).toBeLessThanOrEqual(33 * second)
              expect(world.attempts - atReturn).toBeLessThanOrEqual(pool.options.max)
              yield* clock.adjust(10 * second)
              yield* Effect.forEach(callers, Fiber.join)
              expect(late).toBe(0)
              expect(metricsOf(pool)).toMatchObject({ reachable: true, active: 0, pending: 0 })
              shows(context, {
                kind: "promise",
                section: "Outage",
                what: `30 s during which ${what}, 2,000 callers, a pool of 10: every caller fails within \`connectionTimeout\`, at most 40 attempts to connect, at most 10 more on return, service back within 2 s, \`reachable\` false meanwhile`
              })
            })
        ),
      60_000
    )
  }
})

describe("three times more than the pool can serve", () => {
  it.live(
    "goodput stays above nine tenths, the queue is bounded, the rest is refused at once, and who has gone is not served",
    (context) =>
      virtual({ max: 10, min: 10, maxPending: 100, connectionTimeout: Duration.seconds(3) }, ({ pool }, clock) =>
        Effect.gen(function* () {
          yield* clock.adjust(100)
          let served = 0
          let worked = 0
          let longestQueue = 0
          let refusedLate = 0
          const errors = new Set<string>()
          // Ten connections, ten ms each: a thousand a second. Three thousand a second come.
          const seconds = 4
          const caller = Effect.suspend(() => {
            const since = clock.now
            return pool
              .use(() =>
                Effect.zipRight(
                  Effect.sync(() => (worked += 1)),
                  Effect.sleep("10 millis")
                )
              )
              .pipe(
                Effect.onExit((exit) =>
                  Effect.sync(() => {
                    if (Exit.isSuccess(exit)) served += 1
                    else errors.add(outcome(exit))
                    if (outcome(exit) === "PoolOverloaded" && clock.now > since) refusedLate += 1
                  })
                ),
                Effect.exit
              )
          })
          const impatient: Array<Fiber.RuntimeFiber<unknown>> = []
          for (let tick = 0; tick < seconds * second; tick += 1) {
            for (let n = 0; n < 3; n += 1) {
              const fiber = yield* Effect.forkDaemon(caller)
              // A tenth of them hang up after a while.
              if ((tick * 3 + n) % 10 === 0) impatient.push(fiber)
            }
            if (tick % 10 === 9) yield* Effect.forEach(impatient.splice(0), Fiber.interruptFork, { discard: true })
            longestQueue = Math.max(longestQueue, pool.bag.pending)
            yield* clock.adjust(1)
          }
          const goodput = served / seconds
          expect(goodput).toBeGreaterThan(900)
          expect(longestQueue).toBeLessThanOrEqual(100)
          expect(refusedLate).toBe(0)
          yield* clock.adjust(5 * second)
          // Only what was served or interrupted at work has worked at all.
          expect(errors).toEqual(new Set(["PoolOverloaded", "interrupted"]))
          expect(worked - served).toBeLessThanOrEqual((seconds * second * 3) / 10)
          expect(metricsOf(pool)).toMatchObject({ active: 0, pending: 0, total: 10 })
          shows(context, {
            kind: "promise",
            section: "Overload",
            what: "arrivals at 3 × capacity for 4 s: goodput above 90 % of capacity, never more than `maxPending` waiting, `PoolOverloaded` at once for the rest"
          })
        })
      ),
    60_000
  )

  it.live("work whose caller has gone while it waited is never begun", (context) =>
    virtual({ max: 1, min: 1 }, ({ pool }, clock) =>
      Effect.gen(function* () {
        yield* clock.adjust(10)
        const holder = yield* Effect.forkDaemon(pool.use(() => Effect.sleep("500 millis")))
        yield* clock.adjust(1)
        let begun = 0
        const work = pool.use(() => Effect.sync(() => (begun += 1)))
        const waiting = yield* Effect.replicateEffect(Effect.forkDaemon(work), 100)
        yield* clock.adjust(1)
        expect(pool.bag.pending).toBe(100)
        yield* Effect.forEach(waiting.slice(0, 99), Fiber.interruptFork, { discard: true })
        yield* clock.adjust(600)
        yield* Fiber.join(holder)
        expect(begun).toBe(1)
        expect(metricsOf(pool)).toMatchObject({ active: 0, pending: 0 })
        shows(context, {
          kind: "promise",
          section: "Overload",
          what: "of 100 that waited and 99 that hung up, one was begun"
        })
      })
    )
  )
})
