/**
 * The traps of Effect 3's `Pool` (architecture.md has the table). Each test shows the trap as it is in 3.22.4 and then
 * that this pool is not caught in it, so that an upgrade which changes one of them is seen.
 */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Pool, Scope, TestClock } from "effect"
import { metricsOf } from "../../src/internal/pool/poolMetrics.js"
import { FakeResource, FakeWorld, make, outcome, settle } from "../support/fakeResource.js"
import { collect } from "../support/garbage.js"
import { ask, giveBack, interrupt } from "../support/waiting.js"

/** Objects named 1, 2, 3… and in which order they were closed. */
const numbered = () => {
  const closed: Array<number> = []
  let made = 0
  return {
    closed,
    made: () => made,
    acquire: Effect.acquireRelease(
      Effect.sync(() => {
        made += 1
        return { name: made }
      }),
      ({ name }) => Effect.sync(() => closed.push(name))
    )
  }
}

const state = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Effect.Effect<string> =>
  Effect.map(Fiber.poll(fiber), (polled) => (polled._tag === "None" ? "waiting" : outcome(polled.value)))

const borrow = <A, E>(pool: Pool.Pool<A, E>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const item = yield* Scope.extend(pool.get, scope)
    return { item, giveBack: Scope.close(scope, Exit.void) }
  })

describe("Effect's Pool waits uninterruptibly while an item is being acquired", () => {
  it.scoped("there: a timeout round get returns when the acquisition ends", () =>
    Effect.gen(function* () {
      const pool = yield* Pool.makeWithTTL({ acquire: Effect.sleep("3 seconds"), min: 0, max: 1, timeToLive: "1 hour" })
      const getting = yield* Effect.fork(Effect.timeout(Effect.scoped(pool.get), "300 millis"))
      yield* settle
      yield* TestClock.adjust("2999 millis")
      expect(yield* state(getting)).toBe("waiting")
      yield* TestClock.adjust("1 millis")
      yield* settle
      expect(yield* state(getting)).not.toBe("waiting")
    })
  )

  it.scoped("here: interruption leaves at once while the connection is being opened", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make()
      world.connecting = "decide"
      const asker = yield* ask(pool)
      expect(world.undecided.length).toBe(1)
      yield* interrupt(asker)
      expect([asker.state(), world.undecided.length]).toEqual(["interrupted", 1])
    })
  )
})

describe("Effect's Pool keeps a failed acquisition and hands it to a later caller", () => {
  it.scoped("there: the database is up again, and a caller still gets the old error", () =>
    Effect.gen(function* () {
      let up = false
      const acquire = Effect.suspend(() => (up ? Effect.succeed("item") : Effect.fail("down")))
      const pool = yield* Pool.makeWithTTL({ acquire, min: 3, max: 3, timeToLive: "1 hour" })
      yield* settle
      up = true
      const exits = yield* Effect.forEach([1, 2, 3], () => Effect.exit(Effect.scoped(pool.get)))
      expect(exits.filter(Exit.isFailure).length).toBeGreaterThan(0)
    })
  )

  it.scoped("here: who asks after the database is back gets a connection", () =>
    Effect.gen(function* () {
      const world = Object.assign(new FakeWorld(), { connecting: "refuse" as const })
      const { pool } = yield* make({ world, min: 3, max: 3 })
      expect((yield* ask(pool)).state()).toBe("ConnectionFailed")
      Object.assign(world, { connecting: "accept" })
      yield* TestClock.adjust("2 seconds")
      const askers = [yield* ask(pool), yield* ask(pool), yield* ask(pool)]
      expect(askers.map((asker) => asker.state())).toEqual(["value", "value", "value"])
    })
  )
})

describe("Effect's Pool gives no permit back for a borrowed item that was invalidated", () => {
  it.scoped("there: after invalidating the only one the next get waits", () =>
    Effect.gen(function* () {
      const { acquire } = numbered()
      const pool = yield* Pool.makeWithTTL({ acquire, min: 0, max: 1, timeToLive: "1 hour" })
      const borrowed = yield* borrow(pool)
      yield* pool.invalidate(borrowed.item)
      const next = yield* Effect.fork(Effect.scoped(pool.get))
      yield* settle
      yield* TestClock.adjust("1 minute")
      expect(yield* state(next)).toBe("waiting")
      yield* borrowed.giveBack
      yield* Fiber.join(next)
    })
  )

  it.scoped("here: a leaked connection is taken away and its place is free, though it never came back", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ max: 1, leakDetectionTimeout: Duration.seconds(10) })
      const leaked = yield* ask(pool)
      yield* TestClock.adjust("10 seconds")
      yield* settle
      const next = yield* ask(pool)
      expect(next.state()).toBe("value")
      yield* giveBack(pool, leaked)
      expect([metricsOf(pool).active, next.lease().resource.isOpen, world.openSockets]).toEqual([1, true, 1])
    })
  )
})

describe("Effect's Pool, when it closes, waits for every borrowed item without limit", () => {
  it.effect("there: closing hangs until the borrower returns", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { acquire } = numbered()
      const pool = yield* Scope.extend(Pool.makeWithTTL({ acquire, min: 0, max: 1, timeToLive: "1 hour" }), scope)
      const borrowed = yield* borrow(pool)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      yield* TestClock.adjust("1 hour")
      expect(yield* state(closing)).toBe("waiting")
      yield* borrowed.giveBack
      yield* Fiber.join(closing)
    })
  )

  it.effect("here: closing ends at the shutdown timeout, whoever keeps what", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { pool, world } = yield* Scope.extend(make({ shutdownTimeout: Duration.seconds(10) }), scope)
      yield* ask(pool)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(closing)
      expect(world.openSockets).toBe(0)
    })
  )
})

describe("Effect's Pool hands out in rotation, and its usage strategy evicts in order of creation", () => {
  it.scoped("there: three calls in a row use three items, and the eldest goes first", () =>
    Effect.gen(function* () {
      const { acquire, closed } = numbered()
      const pool = yield* Pool.makeWithTTL({ acquire, min: 0, max: 3, timeToLive: "1 minute" })
      const three = yield* Effect.forEach([1, 2, 3], () => borrow(pool))
      yield* Effect.forEach(three, (borrowed) => borrowed.giveBack)
      const used: Array<number> = []
      for (let n = 0; n < 3; n += 1) {
        used.push(yield* Effect.scoped(Effect.map(pool.get, (item) => item.name)))
      }
      expect(used).toEqual([1, 2, 3])
      const last = yield* borrow(pool)
      yield* last.giveBack
      yield* TestClock.adjust("1 minute")
      expect(closed[0]).toBe(1)
    })
  )

  it.scoped("here: three calls in a row use one connection, and the ones unused are closed", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 3, min: 1, housekeeper: true, idleTimeout: 60_000 })
      const three = [yield* ask(pool), yield* ask(pool), yield* ask(pool)]
      yield* Effect.forEach(three, (asker) => giveBack(pool, asker))
      const used = new Set<FakeResource>()
      for (let n = 0; n < 61; n += 1) {
        const asker = yield* ask(pool)
        used.add(asker.lease().resource)
        yield* giveBack(pool, asker)
        yield* TestClock.adjust("1 second")
      }
      expect([used.size, [...used].every((resource) => resource.isOpen), metricsOf(pool).total]).toEqual([1, true, 1])
    })
  )
})

describe("Effect's Pool opens all that is missing at once", () => {
  const counting = () => {
    let now = 0
    let peak = 0
    const acquire = Effect.gen(function* () {
      now += 1
      peak = Math.max(peak, now)
      yield* Effect.sleep("1 second")
      now -= 1
    })
    return { acquire, peak: () => peak }
  }

  it.scoped("there: ten of a minimum of ten are acquired side by side", () =>
    Effect.gen(function* () {
      const { acquire, peak } = counting()
      yield* Pool.makeWithTTL({ acquire, min: 10, max: 10, timeToLive: "1 hour" })
      yield* settle
      expect(peak()).toBe(10)
      yield* TestClock.adjust("10 seconds")
    })
  )

  it.scoped("here: two, and the rest when one has succeeded", () =>
    Effect.gen(function* () {
      const world = Object.assign(new FakeWorld(), { connecting: "decide" as const })
      const { pool } = yield* make({ world, min: 10, max: 10 })
      for (let n = 0; n < 10; n += 1) yield* world.accept
      expect([world.peakAttempts, metricsOf(pool).total]).toEqual([9, 10])
    })
  )
})

describe("Effect's Pool validates nothing", () => {
  it.scoped("there: an item that broke is handed out again", () =>
    Effect.gen(function* () {
      const acquire = Effect.sync(() => ({ broken: false }))
      const pool = yield* Pool.makeWithTTL({ acquire, min: 0, max: 1, timeToLive: "1 hour" })
      yield* Effect.scoped(
        Effect.map(pool.get, (item) => {
          item.broken = true
          return item
        })
      )
      expect(yield* Effect.scoped(Effect.map(pool.get, (item) => item.broken))).toBe(true)
    })
  )

  it.scoped("here: a connection that broke while it was lent is closed and another is opened", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ max: 1 })
      const first = yield* ask(pool)
      yield* world.hangUp(first.lease().resource)
      yield* giveBack(pool, first)
      expect((yield* ask(pool)).lease().resource.isOpen).toBe(true)
    })
  )
})

describe("Effect's Pool with the usage strategy remembers every item that it did not evict itself", () => {
  /** Counts those of `refs` that are still in memory, after what has just run has let go of them. */
  const alive = (refs: ReadonlyArray<WeakRef<object>>) =>
    Effect.gen(function* () {
      for (let n = 0; n < 3; n += 1) {
        yield* settle
        collect()
      }
      return refs.filter((ref) => ref.deref() !== undefined).length
    })

  it.scoped("there: a hundred items that were invalidated and closed stay in memory", () =>
    Effect.gen(function* () {
      const refs: Array<WeakRef<object>> = []
      const acquire = Effect.sync(() => {
        const item = { bytes: new Uint8Array(10) }
        refs.push(new WeakRef(item))
        return item
      })
      const pool = yield* Pool.makeWithTTL({ acquire, min: 0, max: 1, timeToLive: "1 minute" })
      for (let n = 0; n < 100; n += 1) {
        yield* Effect.scoped(Effect.flatMap(pool.get, (item) => pool.invalidate(item)))
      }
      yield* TestClock.adjust("1 hour")
      expect([refs.length, yield* alive(refs)]).toEqual([100, 100])
    })
  )

  it.scoped("here: a hundred connections that were replaced are forgotten at once", () =>
    Effect.gen(function* () {
      const refs: Array<WeakRef<object>> = []
      const world = new FakeWorld()
      // Without the world's own list, which would keep all of them.
      const { pool } = yield* make({
        world,
        max: 1,
        housekeeper: true,
        acquire: (onClose) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              const resource = new FakeResource(world, "fake", onClose)
              refs.push(new WeakRef(resource))
              return resource
            }),
            (resource) => Effect.sync(() => resource.shut())
          )
      })
      for (let n = 0; n < 100; n += 1) {
        yield* pool.use(() => Effect.void)
        yield* pool.reset
        yield* settle
        yield* TestClock.adjust("100 millis")
      }
      expect(refs.length).toBeGreaterThanOrEqual(100)
      expect(yield* alive(refs)).toBeLessThan(10)
    })
  )
})

describe("Effect's Pool spends permits", () => {
  it.scoped("here: after any number of failures, leaks and resets the whole maximum can be lent", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ max: 3, leakDetectionTimeout: Duration.seconds(1) })
      for (let n = 0; n < 10; n += 1) {
        world.connecting = n % 3 === 1 ? "refuse" : n % 3 === 2 ? "break" : "accept"
        const askers = [yield* ask(pool), yield* ask(pool), yield* ask(pool)]
        yield* pool.reset
        yield* TestClock.adjust("2 seconds")
        for (const asker of askers) if (asker.state() === "value") yield* giveBack(pool, asker)
      }
      world.connecting = "accept"
      yield* TestClock.adjust("2 seconds")
      const gate = yield* Deferred.make<void>()
      const holders = yield* Effect.forEach([1, 2, 3], () => Effect.fork(pool.use(() => Deferred.await(gate))))
      yield* settle
      expect([pool.active, world.openSockets]).toEqual([3, 3])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.joinAll(holders)
    })
  )
})
