/** A process that stood still (stopped, frozen, a laptop closed) blames nobody for that time. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, FastCheck as fc, Layer, type Scope } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import { AwakeClock } from "../../src/internal/shared/awakeClock.js"
import { Deadline, make as deadlines } from "../../src/internal/shared/deadlines.js"
import * as Metrics from "../../src/Metrics.js"
import * as Pool from "../../src/Pool.js"
import { checkout, type FakeOptions, type FakePool, FakeWorld, make, outcome, settle } from "../support/fakeResource.js"
import { json, serve } from "../support/httpServer.js"
import { program } from "../support/program.js"
import { eachShows, withSuite } from "../support/reliability.js"
import { VirtualClock } from "../support/virtualClock.js"

/** Longer than any limit here. */
const night = 8 * 3_600_000

eachShows("A process that stood still", withSuite)

/** In virtual time, in a pool whose limits are by the time that was lived. */
const inPool = <A>(
  options: FakeOptions,
  test: (pool: FakePool, clock: VirtualClock) => Effect.Effect<A, unknown, Scope.Scope>
) => {
  const clock = new VirtualClock()
  return Effect.gen(function* () {
    const awake = yield* AwakeClock.make
    const pool = yield* Effect.withClock(make(options), awake)
    // Closing would wait for what is out, by a clock that nobody moves any more.
    const back = Effect.suspend(() =>
      Effect.forEach([...pool.pool.leases.values()], (lease) => pool.pool.giveBack(lease))
    )
    yield* Effect.ensuring(test(pool, clock), back)
  }).pipe(Effect.withClock(clock), Effect.scoped)
}

describe("a pool whose process stood still", () => {
  it.live("takes no connection away from who could not give it back, and only then counts on", () =>
    inPool({ leakDetectionTimeout: Duration.seconds(2) }, ({ pool }, clock) =>
      Effect.gen(function* () {
        const [lease, other] = [yield* checkout(pool), yield* checkout(pool)]
        yield* clock.adjust(100)
        yield* clock.standStill(night)
        expect([lease.state, pool.statistics.leaks]).toEqual(["busy", 0])
        yield* pool.giveBack(lease)
        yield* clock.adjust(1_000)
        expect([other.state, pool.statistics.leaks]).toEqual(["busy", 0])
        yield* clock.adjust(1_000)
        expect([other.reclaimed, pool.statistics.leaks]).toEqual([true, 1])
      })
    )
  )

  const waiters = { "in its first attempt": undefined, "in a later attempt, with what is left of its time": 900 }

  for (const [which, limit] of Object.entries(waiters))
    it.live(`turns nobody away who waited meanwhile ${which}`, () =>
      inPool({ max: 1 }, ({ pool }, clock) =>
        Effect.gen(function* () {
          const lease = yield* checkout(pool)
          const waiting = yield* Effect.fork(checkout(pool, limit))
          const late = yield* Effect.fork(Effect.asVoid(checkout(pool, limit)))
          yield* clock.adjust(300)
          yield* clock.standStill(night)
          expect([waiting.unsafePoll(), pool.statistics.timeouts]).toEqual([null, 0])
          yield* pool.giveBack(lease)
          expect(yield* Fiber.join(waiting)).toBe(lease)
          yield* clock.adjust(1_100)
          expect(outcome(late.unsafePoll() ?? Exit.void)).toBe("AcquireTimeout")
        })
      )
    )

  it.live("goes on with the attempts to connect that it had begun, and takes the database for well", () => {
    const world = new FakeWorld()
    world.connecting = "decide"
    return inPool({ world, connectionTimeout: Duration.seconds(30) }, ({ pool }, clock) =>
      Effect.gen(function* () {
        const waiting = yield* Effect.fork(checkout(pool))
        yield* clock.adjust(100)
        yield* clock.standStill(night)
        yield* world.accept
        yield* Fiber.join(waiting)
        expect([pool.statistics.connectFailures, pool.connector.isReachable, world.attempts]).toEqual([0, true, 1])
      })
    )
  })

  it.live("keeps a connection whose ping was under way", () => {
    const answer = Deferred.unsafeMake<void>(Effect.runSync(Effect.fiberId))
    class Slow extends FakeWorld {
      override answerPing(): Effect.Effect<void> {
        return Deferred.await(answer)
      }
    }
    return inPool(
      { world: new Slow(), housekeeper: true, min: 1, keepaliveInterval: 10_000 },
      ({ pool, world }, clock) =>
        Effect.gen(function* () {
          yield* clock.adjust(12_000)
          expect(world.made.map(({ pings }) => pings)).toEqual([1])
          yield* clock.standStill(night)
          yield* Deferred.succeed(answer, undefined)
          yield* settle
          expect([pool.bag.idleCount, world.openSockets, world.made.length]).toEqual([1, 1, 1])
        })
    )
  })

  it.live("counts no idle time and no age that nobody could use, and then counts on", () =>
    inPool({ housekeeper: true, idleTimeout: 20_000, maxLifetime: 40_000 }, ({ pool, world }, clock) =>
      Effect.gen(function* () {
        for (const lease of [yield* checkout(pool), yield* checkout(pool)]) yield* pool.giveBack(lease)
        yield* clock.adjust(10_000)
        yield* clock.standStill(night)
        yield* clock.adjust(5_000)
        expect(world.openSockets).toBe(2)
        yield* clock.adjust(10_000)
        expect(world.openSockets).toBe(0)
      })
    )
  )

  it.live("lends no connection that was silent for longer than its pings allow: the server did not stand still", () =>
    inPool({ keepaliveInterval: 25_000 }, ({ pool, world }, clock) =>
      Effect.gen(function* () {
        const first = yield* checkout(pool)
        yield* pool.giveBack(first)
        yield* clock.adjust(10_000)
        yield* clock.standStill(10_000)
        const again = yield* checkout(pool)
        expect(again).toBe(first)
        yield* pool.giveBack(again)
        yield* clock.adjust(10_000)
        yield* clock.standStill(20_000)
        const fresh = yield* checkout(pool)
        yield* settle
        expect([fresh === first, world.made.map(({ state }) => state)]).toEqual([false, ["closed", "open"]])
      })
    )
  )

  it.live("lends what it had where the server keeps idle connections for as long as one likes", () =>
    inPool({}, ({ pool }, clock) =>
      Effect.gen(function* () {
        const first = yield* checkout(pool)
        yield* pool.giveBack(first)
        yield* clock.standStill(night)
        expect(yield* checkout(pool)).toBe(first)
      })
    )
  )
})

describe("a process whose event loop is so busy that each turn looks like a standstill", () => {
  const turn = 1_200

  const turns = (clock: VirtualClock, count: number) => Effect.repeatN(clock.standStill(turn), count - 1)

  it.live("is over its limits after that many turns, each of which counts for a part", () => {
    const clock = new VirtualClock()
    return Effect.gen(function* () {
      const awake = yield* AwakeClock.make
      const short = yield* Effect.fork(awake.sleep(Duration.millis(350)))
      const long = yield* Effect.fork(awake.sleep(Duration.millis(2_000)))
      yield* clock.adjust(0)
      yield* turns(clock, 2)
      expect([short.unsafePoll(), long.unsafePoll()]).toEqual([Exit.void, null])
      yield* turns(clock, 4)
      expect(long.unsafePoll()).toEqual(Exit.void)
    }).pipe(Effect.withClock(clock), Effect.scoped)
  })

  it.live("probes a database that is away once in a turn, and has it in use in the turn after its return", () => {
    const world = new FakeWorld()
    return inPool({ world, min: 1, max: 2, connectionTimeout: Duration.seconds(30) }, ({ pool }, clock) =>
      Effect.gen(function* () {
        world.connecting = "refuse"
        for (const resource of world.made) yield* world.hangUp(resource)
        const before = world.attempts
        yield* turns(clock, 5)
        expect([pool.connector.isReachable, world.attempts - before]).toEqual([false, 5])
        world.connecting = "accept"
        yield* turns(clock, 1)
        expect([pool.connector.isReachable, pool.bag.idleCount]).toEqual([true, 1])
      })
    )
  })
})

describe("a limit of the time that was lived", () => {
  const period = 5_000

  class Watched extends Deadline {
    expired = false
    readonly onExpire = Effect.sync(() => {
      this.expired = true
    })
  }

  const steps = fc.array(
    fc.record({
      still: fc.boolean(),
      millis: fc.oneof(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1_600, max: 99_999 }))
    }),
    { maxLength: 12, size: "max" }
  )

  /** As much of a standstill may count, in ms. */
  const beat = 1_000

  /** In ms, after each. */
  const grace = 101

  it("is over neither before it was lived nor much later, however often the process stood still", () =>
    fc.assert(
      fc.asyncProperty(steps, (all) => {
        const clock = new VirtualClock()
        const lived = Effect.gen(function* () {
          const awake = yield* AwakeClock.make
          const queue = yield* Effect.withClock(deadlines(Duration.millis(period)), awake)
          const watched = new Watched()
          queue.add(watched)
          const sleeping = yield* Effect.fork(awake.sleep(Duration.millis(period)))
          let below = 0
          let above = 0
          for (const { millis, still } of all) {
            if (still) yield* clock.standStill(millis)
            else yield* clock.adjust(millis)
            below += still ? 0 : millis
            above += still ? Math.min(millis, beat) : millis
            if (above < period) expect([watched.expired, sleeping.unsafePoll()]).toEqual([false, null])
            if (below > period + all.length * grace) {
              expect([watched.expired, sleeping.unsafePoll() !== null]).toEqual([true, true])
            }
          }
          yield* Fiber.interrupt(sleeping)
        })
        return Effect.runPromise(lived.pipe(Effect.withClock(clock), Effect.scoped))
      }),
      { numRuns: 50 }
    ))
})

describe("an operation that the process stood still in", () => {
  const options = {
    minConnections: 1,
    maxConnections: 4,
    maxRetries: 0,
    requestTimeout: "2 seconds",
    enableHealthChecks: false
  } as const

  it.live(
    "has its answer, took no longer than what was lived of it, and leaves health as it was, a check included",
    () => {
      const clock = new VirtualClock()
      return Effect.gen(function* () {
        const answer = yield* Deferred.make<void>()
        const layer = Health.layer.pipe(
          Layer.provideMerge(Db.layerTest(() => Effect.as(Deferred.await(answer), Response.json([])), options)),
          Layer.provideMerge(Config.PoolConfig.layerOf(options))
        )
        yield* Effect.gen(function* () {
          const reading = yield* Effect.fork(Effect.exit(Db.read((client) => client.from("notes").select("id"))))
          const checking = yield* Effect.fork(Health.check)
          yield* clock.adjust(100)
          yield* clock.standStill(night)
          yield* Deferred.succeed(answer, undefined)
          expect(Exit.isSuccess(yield* Fiber.join(reading))).toBe(true)
          expect((yield* Fiber.join(checking)).status).toBe("healthy")
          const { recent } = yield* Metrics.Metrics
          expect(yield* recent).toMatchObject({ failed: 0 })
          expect((yield* recent).mean).toBeLessThan(1_000)
          expect((yield* Health.check).details.reasons).toEqual([])
          const { metrics } = yield* Pool.ReadPool
          expect(yield* metrics).toMatchObject({ leaks: 0, timeouts: 0 })
        }).pipe(Effect.provide(layer))
      }).pipe(Effect.withClock(clock))
    }
  )
})

describe("a process that is stopped for longer than its limits", () => {
  it.scopedLive("gives the answers that came meanwhile, raises no alarm, and is healthy", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const answers: Array<() => void> = []
      const server = yield* serve((response, { url }) => {
        if (!url.includes("/slow")) return json(response, [])
        answers.push(() => json(response, []))
        if (answers.length === 2) Deferred.unsafeDone(asked, Effect.void)
      })
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, [program("test/support/stoppedChild.ts")], {
            env: { PATH: process.env["PATH"] ?? "", SUPABASE_URL: server.url, LOG_LEVEL: "warn" },
            stdio: ["ignore", "pipe", "inherit"]
          })
        ),
        (one) => Effect.sync(() => one.kill("SIGKILL"))
      )
      let said = ""
      child.stdout.on("data", (text) => {
        said += String(text)
      })
      const ended = once(child, "exit")
      yield* Deferred.await(asked)
      child.kill("SIGSTOP")
      for (const give of answers) give()
      // Twice as long as each of its limits.
      yield* Effect.sleep("4 seconds")
      child.kill("SIGCONT")
      yield* Effect.promise(() => ended)
      expect(said).not.toContain("connection leak")
      const found = JSON.parse(said.slice(said.indexOf("{"))) as { readonly told: ReadonlyArray<string> }
      expect(found).toEqual({
        told: ["answered", "answered", "answered", "answered"],
        status: "healthy",
        connectionLeaks: 0
      })
    })
  )
})
