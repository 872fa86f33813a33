/** Bugs that the pool had, each with the test that saw it first. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Random, Scope, TestClock } from "effect"
import { metricsOf } from "../../src/internal/pool/poolMetrics.js"
import * as Deadlines from "../../src/internal/shared/deadlines.js"
import { checkout, FakeWorld, make, outcome, settle } from "../support/fakeResource.js"
import { ask, giveBack } from "../support/waiting.js"

describe("connecting", () => {
  it.scoped("a defect while connecting is told to those who wait, and connecting goes on", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make()
      world.connecting = "break"
      const asker = yield* ask(pool)
      expect(asker.state()).toBe("ConnectionFailed")
      world.connecting = "accept"
      yield* TestClock.adjust("2 seconds")
      expect(metricsOf(pool)).toMatchObject({ reachable: true, connecting: 0 })
      expect((yield* ask(pool)).state()).toBe("value")
    })
  )

  it.scoped("a socket that is closed before the pool has it is lent to nobody", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make()
      world.connecting = "hang up"
      expect((yield* ask(pool)).state()).toBe("ConnectionFailed")
      expect(metricsOf(pool).acquired).toBe(0)
    })
  )

  it.scoped("a server that accepts and hangs up is not met by a storm", () =>
    Effect.gen(function* () {
      const world = new FakeWorld()
      const { pool } = yield* make({ world, min: 2 })
      // Each socket is closed by the other side as soon as the pool has it, and answers nothing.
      world.pings = "failed"
      for (let step = 0; step < 200; step += 1) {
        for (const resource of world.made) yield* world.hangUp(resource)
        yield* TestClock.adjust("50 millis")
      }
      expect(world.attempts).toBeLessThan(25)
      world.pings = "answered"
      yield* TestClock.adjust("2 seconds")
      expect(metricsOf(pool)).toMatchObject({ total: 2, reachable: true })
    })
  )

  it.scoped("a database that accepts connections but answers nothing has not come back", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ min: 1 })
      world.connecting = "refuse"
      yield* Effect.forEach(world.made, (resource) => world.hangUp(resource))
      world.connecting = "accept"
      world.pings = "failed"
      yield* TestClock.adjust("5 seconds")
      expect(metricsOf(pool)).toMatchObject({ reachable: false, total: 0 })
      world.pings = "answered"
      yield* TestClock.adjust("2 seconds")
      expect(metricsOf(pool)).toMatchObject({ reachable: true, total: 1 })
    })
  )

  for (const silence of [3, 15]) {
    it.scoped(`connecting hangs for ${silence} s: two seconds after that there are connections, without a storm`, () =>
      Effect.gen(function* () {
        const world = Object.assign(new FakeWorld(), { connecting: "decide" })
        const { pool } = yield* make({ world, min: 1, max: 5, connectionTimeout: Duration.seconds(60) })
        yield* TestClock.adjust(Duration.seconds(silence))
        // The one that hangs, and another beside it.
        expect(world.peakAttempts).toBe(2)
        expect(world.attempts).toBeLessThan(4 + silence / 1.2)
        world.connecting = "accept"
        yield* TestClock.adjust("2 seconds")
        expect(metricsOf(pool)).toMatchObject({ reachable: true, connecting: 0, total: 1 })
        // What hung has been ended, and its end is no failure of today.
        expect(world.undecided).toHaveLength(0)
        const failures = metricsOf(pool).connectFailures
        yield* TestClock.adjust("20 seconds")
        expect(metricsOf(pool)).toMatchObject({ reachable: true, connectFailures: failures })
      })
    )
  }

  it.scoped("all that may connect do, and hang: two seconds after the end of that there are connections", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ max: 10, connectionTimeout: Duration.seconds(60) })
      yield* giveBack(pool, yield* ask(pool))
      world.connecting = "decide"
      for (const resource of world.made) yield* world.hangUp(resource)
      const askers = yield* Effect.replicateEffect(ask(pool), 30)
      expect(world.undecided.length).toBe(10)
      yield* TestClock.adjust("6 seconds")
      // Nobody is given up for long: fresh ones go out one at a time, in the place of the youngest.
      expect([world.peakAttempts, world.attempts <= 11 + 6 / 0.3]).toEqual([10, true])
      world.connecting = "accept"
      yield* TestClock.adjust("2 seconds")
      expect(metricsOf(pool)).toMatchObject({ reachable: true, active: 10, connectFailures: 0 })
      expect([world.undecided.length, askers.filter((asker) => asker.state() === "value").length]).toEqual([0, 10])
    })
  )

  it.scoped(
    "one connection is all there may be, and connecting hangs: after three seconds it is begun anew, in its place",
    () =>
      Effect.gen(function* () {
        const world = Object.assign(new FakeWorld(), { connecting: "decide" })
        const { pool } = yield* make({ world, min: 1, max: 1 })
        yield* TestClock.adjust("2900 millis")
        expect(metricsOf(pool)).toMatchObject({ connecting: 1, total: 0 })
        world.connecting = "accept"
        yield* TestClock.adjust("200 millis")
        expect(metricsOf(pool)).toMatchObject({ reachable: true, connecting: 0, total: 1, connectFailures: 0 })
        expect([world.attempts, world.peakAttempts, world.undecided.length]).toEqual([2, 1, 0])
      })
  )

  it.scoped("one connection is all there may be, and nobody answers: that is known after ten seconds, as ever", () =>
    Effect.gen(function* () {
      const world = Object.assign(new FakeWorld(), { connecting: "decide" })
      const { pool } = yield* make({ world, min: 1, max: 1 })
      yield* TestClock.adjust("9900 millis")
      expect(metricsOf(pool)).toMatchObject({ reachable: true, connectFailures: 0 })
      yield* TestClock.adjust("200 millis")
      expect(metricsOf(pool)).toMatchObject({ reachable: false, connectFailures: 1 })
      expect(world.peakAttempts).toBe(1)
    })
  )

  it.scoped("one connection is all there may be, and connecting takes eight seconds: the second time it has them", () =>
    Effect.gen(function* () {
      const world = new FakeWorld()
      const open = world.open.bind(world)
      world.open = (resource) => Effect.zipRight(Effect.sleep("8 seconds"), open(resource))
      const { pool } = yield* make({ world, min: 1, max: 1 })
      yield* TestClock.adjust("19 seconds")
      expect(metricsOf(pool)).toMatchObject({ reachable: true, total: 1, connectFailures: 1 })
      // And from then on at once.
      yield* pool.reset
      yield* TestClock.adjust("8100 millis")
      expect(metricsOf(pool)).toMatchObject({ reachable: true, total: 1, connectFailures: 1 })
    })
  )

  it.scoped("where connecting takes longer than a probe may, the attempt that has waited longest succeeds", () =>
    Effect.gen(function* () {
      const world = new FakeWorld()
      const slowly = Effect.sleep("4 seconds")
      const open = world.open.bind(world)
      world.open = (resource) => Effect.zipRight(slowly, open(resource))
      const { pool } = yield* make({ world, min: 2, max: 5 })
      yield* TestClock.adjust("9 seconds")
      expect(metricsOf(pool)).toMatchObject({ reachable: true, total: 2, connectFailures: 0 })
    })
  )

  it.scoped("an attempt that hears nothing for ten seconds has failed", () =>
    Effect.gen(function* () {
      const world = Object.assign(new FakeWorld(), { connecting: "decide" as const })
      const { pool } = yield* make({ world, min: 1 })
      yield* TestClock.adjust("9900 millis")
      expect(metricsOf(pool)).toMatchObject({ reachable: true, connectFailures: 0 })
      yield* TestClock.adjust("200 millis")
      expect(metricsOf(pool).reachable).toBe(false)
    })
  )

  it.scoped("probes of two pools do not go out at the same moments", () =>
    Effect.gen(function* () {
      const probes = (seed: number) =>
        Effect.gen(function* () {
          const world = Object.assign(new FakeWorld(), { connecting: "refuse" as const })
          yield* make({ world, min: 1 })
          const attempts: Array<number> = []
          for (let step = 0; step < 100; step += 1) {
            yield* TestClock.adjust("10 millis")
            attempts.push(world.attempts)
          }
          return attempts
        }).pipe(Effect.withRandom(Random.make(seed)))
      expect(yield* probes(1)).not.toEqual(yield* probes(2))
    })
  )

  it.scoped("two attempts that fail together are one failure to the delays", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ min: 2, world: Object.assign(new FakeWorld(), { connecting: "refuse" }) })
      expect(world.attempts).toBe(2)
      yield* TestClock.adjust("61 millis")
      expect(world.attempts).toBe(3)
      yield* TestClock.adjust("121 millis")
      expect(world.attempts).toBe(4)
      expect(metricsOf(pool).connectFailures).toBe(4)
    })
  )

  it.scoped("a failed attempt holds its place until its socket is closed", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ max: 1 })
      const closed = yield* Deferred.make<void>()
      world.connecting = "refuse"
      world.closing = Deferred.await(closed)
      expect((yield* ask(pool)).state()).toBe("ConnectionFailed")
      world.connecting = "accept"
      yield* TestClock.adjust("5 seconds")
      expect(world.attempts).toBe(1)
      yield* Deferred.succeed(closed, undefined)
      yield* TestClock.adjust("2 seconds")
      expect(metricsOf(pool)).toMatchObject({ total: 1, reachable: true })
    })
  )

  it.scoped("a patience shorter than connecting takes does not keep the pool from ever connecting", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ connectionTimeout: Duration.millis(100) })
      world.connecting = "decide"
      const asker = yield* ask(pool)
      yield* TestClock.adjust("300 millis")
      expect(asker.state()).toBe("AcquireTimeout")
      yield* world.accept
      world.connecting = "refuse"
      expect((yield* ask(pool)).state()).toBe("value")
    })
  )
})

describe("waiting", () => {
  it.scoped("a shortened wait ends in time inside an uninterruptible caller too", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1, connectionTimeout: Duration.seconds(30) })
      yield* ask(pool)
      const waiting = yield* Effect.fork(
        Effect.uninterruptible(Effect.uninterruptibleMask((restore) => pool.checkout(restore, 100)))
      )
      yield* settle
      yield* TestClock.adjust("100 millis")
      const exit = yield* Effect.map(Fiber.poll(waiting), (polled) =>
        polled._tag === "Some" ? outcome(polled.value) : "waiting"
      )
      expect(exit).toBe("AcquireTimeout")
      expect(metricsOf(pool)).toMatchObject({ pending: 0, timeouts: 1 })
      yield* TestClock.adjust("30 seconds")
    })
  )
})

describe("deadlines", () => {
  class Mark extends Deadlines.Deadline {
    fired = false
    readonly onExpire: Effect.Effect<void>
    constructor(then: Effect.Effect<void> = Effect.void) {
      super()
      this.onExpire = Effect.zipRight(
        Effect.sync(() => {
          this.fired = true
        }),
        then
      )
    }
  }

  it.scoped("one that breaks does not stop the watch", () =>
    Effect.gen(function* () {
      const deadlines = yield* Deadlines.make(Duration.seconds(1))
      const broken = new Mark(Effect.die("a bug"))
      const next = new Mark()
      deadlines.add(broken)
      deadlines.add(next)
      yield* TestClock.adjust("1 second")
      yield* settle
      expect([broken.fired, next.fired]).toEqual([true, true])
    })
  )

  it.live("a wall clock that is set back makes nobody wait longer", () =>
    Effect.gen(function* () {
      const wall = Date.now
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          Date.now = wall
        })
      )
      const deadlines = yield* Deadlines.make(Duration.millis(50))
      const fired = yield* Deferred.make<void>()
      deadlines.add(new Mark(Deferred.succeed(fired, undefined)))
      yield* Effect.yieldNow()
      Date.now = () => wall() - 3_600_000
      yield* Effect.timeout(Deferred.await(fired), "5 seconds")
    }).pipe(Effect.scoped)
  )
})

describe("closing", () => {
  it.scoped("what shutdown takes from a borrower is closed, not reclaimed as a leak", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { pool, events } = yield* Scope.extend(make({ events: true, shutdownTimeout: Duration.zero }), scope)
      yield* ask(pool)
      yield* Scope.close(scope, Exit.void)
      expect(events.map((event) => event.type)).toEqual(["created", "acquired", "closed"])
    })
  )

  it.scoped("an attempt that closing ends before it began is not counted for ever", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { pool } = yield* Scope.extend(make({ min: 1 }), scope)
      yield* Effect.zipRight(pool.reset, Scope.close(scope, Exit.void))
      expect(metricsOf(pool)).toMatchObject({ connecting: 0, total: 0 })
    })
  )

  it.scoped("nothing is opened in the place of a socket that is still closing", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ min: 1, max: 1 })
      const closed = yield* Deferred.make<void>()
      world.closing = Deferred.await(closed)
      yield* pool.reset
      const asker = yield* ask(pool)
      expect(metricsOf(pool)).toMatchObject({ connecting: 0, pending: 1 })
      yield* Deferred.succeed(closed, undefined)
      yield* settle
      expect(asker.state()).toBe("value")
    })
  )

  it.scoped("a pool that was built where nothing may be interrupted closes like any other", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const world = Object.assign(new FakeWorld(), { connecting: "decide" })
      yield* Effect.uninterruptible(
        Scope.extend(make({ world, min: 1, housekeeper: true, leakDetectionTimeout: Duration.minutes(1) }), scope)
      )
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      yield* TestClock.adjust("20 seconds")
      yield* settle
      expect((yield* Fiber.poll(closing))._tag).toBe("Some")
    })
  )

  it.scoped("a connection that is being pinged while the pool is reset closes because of the reset", () =>
    Effect.gen(function* () {
      const { pool, events, world } = yield* make({
        min: 1,
        max: 1,
        events: true,
        housekeeper: true,
        keepaliveInterval: 1_000
      })
      const answer = yield* Deferred.make<void>()
      world.answerPing = () => Deferred.await(answer)
      yield* TestClock.adjust("1 second")
      expect(yield* pool.reset).toEqual({ closed: 0, deferred: 1 })
      yield* Deferred.succeed(answer, undefined)
      yield* settle
      yield* settle
      expect(events.map((event) => event.type)).toEqual(["created", "reset", "created"])
    })
  )

  it.scoped("a connection that grew too old during its ping is not handed to who waits", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ max: 1, housekeeper: true, keepaliveInterval: 1_000, maxLifetime: 3_000 })
      const first = yield* ask(pool)
      const { resource } = first.lease()
      yield* giveBack(pool, first)
      const answer = yield* Deferred.make<void>()
      world.answerPing = () => Deferred.await(answer)
      yield* TestClock.adjust("1500 millis")
      expect(resource.pings).toBe(1)
      const second = yield* ask(pool)
      yield* TestClock.adjust("900 millis")
      expect(second.state()).toBe("waiting")
      yield* TestClock.setTime(3_001)
      yield* Deferred.succeed(answer, undefined)
      yield* settle
      yield* settle
      expect(resource.isOpen).toBe(false)
    })
  )
})

describe("pings", () => {
  it.scoped("a connection that was only pinged is not lent before the one that was used last", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ housekeeper: true, keepaliveInterval: 2_000 })
      const [first, second] = [yield* ask(pool), yield* ask(pool)]
      yield* giveBack(pool, first)
      yield* TestClock.adjust("1 second")
      yield* giveBack(pool, second)
      yield* TestClock.adjust("1 second")
      yield* settle
      expect([first.lease().resource.pings, second.lease().resource.pings]).toEqual([1, 0])
      expect((yield* ask(pool)).lease()).toBe(second.lease())
    })
  )
})

describe("checkout", () => {
  it.scoped("giving the same lease back twice does not take it from the next borrower", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1 })
      const lease = yield* checkout(pool)
      yield* pool.giveBack(lease)
      yield* pool.giveBack(lease)
      expect(metricsOf(pool)).toMatchObject({ active: 0, idle: 1, total: 1 })
    })
  )
})
