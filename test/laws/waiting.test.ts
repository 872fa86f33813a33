/** The laws of the contract about waiting, in virtual time. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { metricsOf } from "../../src/internal/pool/poolMetrics.js"
import { checkout, FakeWorld, make, outcome, settle } from "../support/fakeResource.js"
import { eachShows } from "../support/reliability.js"
import { ask, giveBack, interrupt } from "../support/waiting.js"

eachShows("Laws of the pool")

describe("laws, in virtual time", () => {
  it.scoped("waiters are served first come first served, and 10,000 of them cost no more per operation than 10", () =>
    Effect.gen(function* () {
      // That a place in the queue costs O(1) is counted in bag.test.ts; here they all really come through, in order.
      const { pool } = yield* make({ max: 2, maxPending: 10_000 })
      const order: Array<number> = []
      const gate = yield* Deferred.make<void>()
      const holders = yield* Effect.forEach([1, 2], () => Effect.fork(pool.use(() => Deferred.await(gate))))
      yield* settle
      const callers = yield* Effect.forEach(
        Array.from({ length: 10_000 }, (_, n) => n),
        (n) => Effect.fork(pool.use(() => Effect.sync(() => order.push(n))))
      )
      yield* settle
      expect(metricsOf(pool).pending).toBe(10_000)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.joinAll(holders)
      yield* Fiber.joinAll(callers)
      expect(order.every((n, place) => n === place)).toBe(true)
      expect(order.length).toBe(10_000)
      expect(metricsOf(pool)).toMatchObject({ active: 0, pending: 0, total: 2 })
    })
  )

  it.scoped("no operation waits longer than connectionTimeout for a connection, whatever the network does", () =>
    Effect.gen(function* () {
      const world = Object.assign(new FakeWorld(), { connecting: "decide" as const })
      const { pool } = yield* make({ world, max: 2 })
      // Connecting never ends; queueing and connecting together are one period.
      const first = yield* ask(pool)
      yield* TestClock.adjust("999 millis")
      expect(first.state()).toBe("waiting")
      const second = yield* ask(pool)
      yield* TestClock.adjust("1 millis")
      expect([first.state(), second.state()]).toEqual(["AcquireTimeout", "waiting"])
      yield* TestClock.adjust("999 millis")
      expect(second.state()).toBe("AcquireTimeout")
      // Everybody holds and nobody returns.
      yield* world.accept
      yield* world.accept
      const holders = [yield* ask(pool), yield* ask(pool)]
      expect(holders.map((holder) => holder.state())).toEqual(["value", "value"])
      const third = yield* ask(pool)
      yield* TestClock.adjust("1 second")
      expect(third.state()).toBe("AcquireTimeout")
      expect(metricsOf(pool)).toMatchObject({ pending: 0, timeouts: 3, active: 2 })
    })
  )

  it.scoped("a clock that jumps over many deadlines ends each of those waits, and none that is not due", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1 })
      const holder = yield* ask(pool)
      const early = yield* ask(pool)
      yield* TestClock.adjust("400 millis")
      const middle = yield* ask(pool)
      yield* TestClock.adjust("400 millis")
      const late = yield* ask(pool)
      yield* TestClock.adjust("650 millis")
      yield* settle
      expect([early, middle, late].map((asker) => asker.state())).toEqual([
        "AcquireTimeout",
        "AcquireTimeout",
        "waiting"
      ])
      yield* giveBack(pool, holder)
      expect(late.state()).toBe("value")
    })
  )

  it.scoped("the wait of the next is neither shorter nor longer when the first in the queue leaves", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1 })
      yield* ask(pool)
      const first = yield* ask(pool)
      yield* TestClock.adjust("500 millis")
      const second = yield* ask(pool)
      yield* interrupt(first)
      yield* TestClock.adjust("999 millis")
      expect(second.state()).toBe("waiting")
      yield* TestClock.adjust("1 millis")
      expect(second.state()).toBe("AcquireTimeout")
    })
  )

  it.scoped("when more wait than may, the next fails at once and the others keep their places", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1, maxPending: 2 })
      const holder = yield* ask(pool)
      const [first, second, third] = [yield* ask(pool), yield* ask(pool), yield* ask(pool)]
      expect([first, second, third].map((asker) => asker.state())).toEqual(["waiting", "waiting", "PoolOverloaded"])
      yield* giveBack(pool, holder)
      expect([first.state(), second.state()]).toEqual(["value", "waiting"])
      expect(metricsOf(pool)).toMatchObject({ overloaded: 1, pending: 1 })
    })
  )

  it.scoped("a waiter that is interrupted gives its place to the next", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1 })
      const holder = yield* ask(pool)
      const [first, second] = [yield* ask(pool), yield* ask(pool)]
      yield* interrupt(first)
      yield* giveBack(pool, holder)
      expect([first.state(), second.state()]).toEqual(["interrupted", "value"])
    })
  )

  it.scoped("a waiter that is interrupted between hand-off and resumption loses no connection", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1 })
      const holder = yield* ask(pool)
      const [first, second] = [yield* ask(pool), yield* ask(pool)]
      yield* Effect.zipRight(pool.giveBack(holder.lease()), interrupt(first))
      expect(second.state()).toBe("value")
      yield* giveBack(pool, second)
      expect(metricsOf(pool)).toMatchObject({ active: 0, idle: 1, pending: 0 })
    })
  )

  it.scoped("cancelling who waits does not cancel the connection that is being made", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make()
      world.connecting = "decide"
      const first = yield* ask(pool)
      yield* interrupt(first)
      expect(metricsOf(pool)).toMatchObject({ connecting: 1, pending: 0 })
      yield* world.accept
      expect(metricsOf(pool)).toMatchObject({ connecting: 0, idle: 1 })
      expect((yield* ask(pool)).state()).toBe("value")
      expect(world.attempts).toBe(1)
    })
  )

  it.scoped("a waiter takes whatever comes first, a new connection or a returned one", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make()
      const holder = yield* ask(pool)
      world.connecting = "decide"
      const [first, second] = [yield* ask(pool), yield* ask(pool)]
      yield* giveBack(pool, holder)
      expect(first.lease()).toBe(holder.lease())
      yield* world.accept
      expect(second.state()).toBe("value")
      expect(second.lease()).not.toBe(holder.lease())
    })
  )

  it.scoped("closing tells those who wait, refuses newcomers, and lets work finish", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { pool, world } = yield* Scope.extend(make({ max: 1, shutdownTimeout: Duration.seconds(10) }), scope)
      const worker = yield* ask(pool)
      const waiter = yield* ask(pool)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      expect([waiter.state(), (yield* ask(pool)).state()]).toEqual(["PoolClosed", "PoolClosed"])
      yield* TestClock.adjust("9 seconds")
      expect([worker.lease().resource.isOpen, (yield* Fiber.poll(closing))._tag]).toEqual([true, "None"])
      yield* giveBack(pool, worker)
      yield* Fiber.join(closing)
      expect(world.openSockets).toBe(0)
      expect(worker.lease().resource.abortedWith).toBe(undefined)
    })
  )

  it.scoped("work that outlasts the shutdown timeout is aborted with PoolClosed, and its late return is harmless", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { pool, world } = yield* Scope.extend(make({ shutdownTimeout: Duration.seconds(10) }), scope)
      const worker = yield* ask(pool)
      worker.lease().resource.busy = true
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(closing)
      expect(worker.lease().resource.abortedWith?._tag).toBe("PoolClosed")
      expect(world.openSockets).toBe(0)
      yield* giveBack(pool, worker)
      expect(metricsOf(pool)).toMatchObject({ active: 0, lateReturns: 0, total: 0 })
    })
  )

  it.scoped("closing does not wait for what is still connecting or being pinged", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { pool, world } = yield* Scope.extend(make({ housekeeper: true, keepaliveInterval: 1_000 }), scope)
      yield* giveBack(pool, yield* ask(pool))
      world.pings = "ignored"
      yield* TestClock.adjust("1 second")
      world.connecting = "decide"
      const asker = yield* ask(pool)
      expect(metricsOf(pool)).toMatchObject({ connecting: 1, pending: 1 })
      yield* Scope.close(scope, Exit.void)
      yield* settle
      expect(asker.state()).toBe("PoolClosed")
      expect([world.openSockets, world.undecided.length, metricsOf(pool).connecting]).toEqual([0, 0, 0])
    })
  )

  it.scoped("closing lets nobody connect any more, though a place becomes free and somebody waits for it", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { pool, world } = yield* Scope.extend(make({ max: 1, housekeeper: true, keepaliveInterval: 1_000 }), scope)
      yield* giveBack(pool, yield* ask(pool))
      world.pings = "ignored"
      yield* TestClock.adjust("1 second")
      // The only connection is out for a ping.
      const asker = yield* ask(pool)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      expect([asker.state(), world.attempts, (yield* Fiber.poll(closing))._tag]).toEqual(["PoolClosed", 1, "Some"])
    })
  )

  it.scoped("closing waits for the sockets that are on their way out", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { pool, world } = yield* Scope.extend(make(), scope)
      const closed = yield* Deferred.make<void>()
      world.closing = Deferred.await(closed)
      yield* giveBack(pool, yield* ask(pool))
      yield* pool.reset
      yield* settle
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      expect([world.openSockets, (yield* Fiber.poll(closing))._tag]).toEqual([1, "None"])
      yield* Deferred.succeed(closed, undefined)
      yield* Fiber.join(closing)
      expect([world.openSockets, metricsOf(pool).closed]).toEqual([0, 1])
    })
  )

  it.scoped(
    "the pool recovers by itself within two seconds, one probe at a time, and nobody else connects meanwhile",
    () =>
      Effect.gen(function* () {
        const { pool, world } = yield* make({ min: 2 })
        world.connecting = "refuse"
        yield* Effect.forEach([...world.made], (resource) => world.hangUp(resource))
        // Long enough for the delays to be at their longest.
        yield* TestClock.adjust("1 minute")
        const before = world.attempts
        expect((yield* Effect.forEach([1, 2, 3], () => ask(pool))).map((asker) => asker.state())).toEqual(
          Array.from({ length: 3 }, () => "ConnectionFailed")
        )
        expect(world.attempts).toBe(before)
        world.connecting = "decide"
        world.peakAttempts = 0
        for (let step = 0; step < 20 && world.attempts === before; step += 1) yield* TestClock.adjust("100 millis")
        // Until one hangs, which is after a second.
        yield* TestClock.adjust("890 millis")
        expect([world.attempts - before, world.peakAttempts, metricsOf(pool).reachable]).toEqual([1, 1, false])
        world.connecting = "accept"
        yield* world.accept
        yield* settle
        expect(metricsOf(pool)).toMatchObject({ reachable: true, total: 2 })
      })
  )

  it.scoped(
    "while connecting fails, who waits for a connection that lives keeps waiting, until the last one is gone",
    () =>
      Effect.gen(function* () {
        const { pool, world } = yield* make({ connectionTimeout: Duration.seconds(30) })
        const holder = yield* ask(pool)
        world.connecting = "refuse"
        const [first, second] = [yield* ask(pool), yield* ask(pool)]
        expect(metricsOf(pool).reachable).toBe(false)
        expect([first.state(), second.state()]).toEqual(["waiting", "waiting"])
        yield* giveBack(pool, holder)
        expect([first.state(), second.state()]).toEqual(["value", "waiting"])
        yield* world.hangUp(first.lease().resource)
        yield* giveBack(pool, first)
        expect(second.state()).toBe("ConnectionFailed")
      })
  )

  it.scoped("a connection belongs to the scope that asked for it", () =>
    Effect.gen(function* () {
      const { pool } = yield* make()
      const exit = yield* Effect.exit(
        Effect.scoped(Effect.zipRight(pool.scoped, Effect.zipRight(pool.scoped, Effect.die("a bug"))))
      )
      expect([outcome(exit), pool.active]).toEqual(["defect", 0])
      const lease = yield* checkout(pool)
      expect(lease.resource.usable).toBe(true)
      yield* pool.giveBack(lease)
      expect(lease.resource.usable).toBe(false)
    })
  )
})
