/** The rules of one pool, in virtual time. What the contract calls laws is in `laws/`. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, HashMap, Logger, TestClock } from "effect"
import { metricsOf } from "../../src/internal/pool/poolMetrics.js"
import { checkout, FakeWorld, make, settle } from "../support/fakeResource.js"
import { ask, giveBack, interrupt } from "../support/waiting.js"

const askMany = (pool: Parameters<typeof ask>[0], n: number) =>
  Effect.forEach(
    Array.from({ length: n }, (_, index) => index),
    () => ask(pool)
  )

describe("size", () => {
  it.scoped("the minimum is opened at once and kept", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ min: 3, max: 5 })
      expect(metricsOf(pool)).toMatchObject({ total: 3, idle: 3, active: 0 })
      const [first] = world.made
      if (first !== undefined) yield* world.hangUp(first)
      yield* TestClock.adjust("1 second")
      expect(metricsOf(pool).total).toBe(3)
    })
  )

  it.scoped("the maximum is never exceeded, not even by sockets that are still closing", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ max: 3, maxPending: 50 })
      const askers = yield* askMany(pool, 20)
      expect(metricsOf(pool)).toMatchObject({ total: 3, active: 3, pending: 17 })
      yield* pool.reset
      const holders = askers.filter((asker) => asker.state() === "value")
      yield* Effect.forEach(holders, (holder) => giveBack(pool, holder))
      yield* settle
      expect(metricsOf(pool)).toMatchObject({ total: 3, active: 3, pending: 14 })
      expect(world.peakSockets).toBe(3)
    })
  )

  it.scoped("two connect at a time until one has succeeded, and then as many as are asked for", () =>
    Effect.gen(function* () {
      const world = Object.assign(new FakeWorld(), { connecting: "decide" as const })
      const { pool } = yield* make({ world, max: 10, min: 5 })
      yield* askMany(pool, 8)
      expect([metricsOf(pool).connecting, world.undecided.length]).toEqual([2, 2])
      yield* world.accept
      expect([metricsOf(pool).active, world.undecided.length]).toEqual([1, 7])
      for (let n = 0; n < 7; n += 1) yield* world.accept
      expect([metricsOf(pool).active, world.attempts]).toEqual([8, 8])
    })
  )

  it.scoped("after a failure two connect at a time, and one more for each that succeeds", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ max: 10, connectionTimeout: Duration.seconds(30) })
      yield* giveBack(pool, yield* ask(pool))
      world.connecting = "refuse"
      for (const resource of world.made) yield* world.hangUp(resource)
      expect((yield* ask(pool)).state()).toBe("ConnectionFailed")
      world.connecting = "accept"
      yield* TestClock.adjust("1 second")
      world.connecting = "decide"
      const before = world.attempts
      yield* askMany(pool, 9)
      const seen: Array<number> = []
      while (world.undecided.length > 0) {
        seen.push(world.undecided.length)
        yield* world.accept
      }
      // The probe was one that succeeded; it is used by the first.
      expect([seen, world.attempts - before]).toEqual([[2, 3, 4, 5, 4, 3, 2, 1], 8])
    })
  )

  it.scoped("only as many are opened as are asked for", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ max: 10 })
      for (let n = 0; n < 5; n += 1) yield* giveBack(pool, yield* ask(pool))
      expect([world.attempts, metricsOf(pool).total]).toEqual([1, 1])
    })
  )

  it.scoped("what came back last is lent next, so that the others grow old and are closed down to the minimum", () =>
    Effect.gen(function* () {
      const { pool, events } = yield* make({ min: 1, max: 4, housekeeper: true, idleTimeout: 10_000, events: true })
      const askers = yield* askMany(pool, 4)
      for (const asker of askers) yield* giveBack(pool, asker)
      const last = askers[3]?.lease()
      for (let n = 0; n < 11; n += 1) {
        const asker = yield* ask(pool)
        expect(asker.lease()).toBe(last)
        yield* giveBack(pool, asker)
        yield* TestClock.adjust("1 second")
      }
      expect(metricsOf(pool)).toMatchObject({ total: 1, idle: 1 })
      expect(events.filter((event) => event.type === "idle-closed").length).toBe(3)
      expect((yield* ask(pool)).lease()).toBe(last)
    })
  )
})

describe("age", () => {
  it.scoped("being idle is counted from the last return, not from the first", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1, housekeeper: true, idleTimeout: 10_000 })
      yield* giveBack(pool, yield* ask(pool))
      yield* TestClock.adjust("9 seconds")
      yield* giveBack(pool, yield* ask(pool))
      yield* TestClock.adjust("9 seconds")
      expect(metricsOf(pool).total).toBe(1)
      yield* TestClock.adjust("2 seconds")
      expect(metricsOf(pool).total).toBe(0)
    })
  )

  it.scoped("a connection is replaced at its maximum lifetime, less up to 2.5 %, and never while it is lent", () =>
    Effect.gen(function* () {
      const { pool, events } = yield* make({ min: 2, max: 3, housekeeper: true, maxLifetime: 100_000, events: true })
      const holder = yield* ask(pool)
      yield* TestClock.adjust("97400 millis")
      expect(events.filter((event) => event.type === "retired")).toEqual([])
      yield* TestClock.adjust("3600 millis")
      expect(holder.lease().resource.isOpen).toBe(true)
      expect(events.filter((event) => event.type === "retired").length).toBe(1)
      yield* giveBack(pool, holder)
      expect(holder.lease().resource.isOpen).toBe(false)
      expect(events.filter((event) => event.type === "retired").length).toBe(2)
      yield* TestClock.adjust("1 second")
      expect(metricsOf(pool).total).toBe(2)
    })
  )

  it.scoped("connections that were opened together do not all end together", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ min: 20, max: 20, maxLifetime: 100_000 })
      const ends = [...pool.leases.values()].map((lease) => lease.expiresAt)
      expect(new Set(ends).size).toBeGreaterThan(10)
      expect(Math.min(...ends)).toBeGreaterThanOrEqual(97_500)
      expect(Math.max(...ends)).toBeLessThanOrEqual(100_000)
    })
  )

  it.scoped("an old connection is not lent, though nobody has swept yet", () =>
    Effect.gen(function* () {
      const { pool, events } = yield* make({ maxLifetime: 10_000, events: true })
      const first = yield* ask(pool)
      yield* giveBack(pool, first)
      yield* TestClock.adjust("10 seconds")
      const second = yield* ask(pool)
      expect([second.state(), second.lease() === first.lease()]).toEqual(["value", false])
      expect(events.map(({ type }) => type)).toContain("retired")
    })
  )
})

describe("keep-alive", () => {
  it.scoped("an idle connection is pinged each interval, one in use is not", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ min: 2, max: 2, housekeeper: true, keepaliveInterval: 10_000 })
      const holder = yield* ask(pool)
      yield* TestClock.adjust("31 seconds")
      const idle = world.made.find((resource) => resource !== holder.lease().resource && resource.isOpen)
      expect([holder.lease().resource.pings, idle?.pings]).toEqual([0, 3])
    })
  )

  it.scoped("zero turns pings off", () =>
    Effect.gen(function* () {
      const { world } = yield* make({ min: 1, housekeeper: true, keepaliveInterval: 0 })
      yield* TestClock.adjust("5 minutes")
      expect(world.made.reduce((sum, resource) => sum + resource.pings, 0)).toBe(0)
    })
  )

  it.scoped("a server that hangs up sooner is pinged in time", () =>
    Effect.gen(function* () {
      const { world } = yield* make({ min: 1, max: 1, housekeeper: true, keepaliveInterval: 60_000 })
      for (const resource of world.made) resource.keepAliveHint = 4_000
      // Half way, so that a ping that comes late still comes in time.
      yield* TestClock.adjust("3 seconds")
      expect(world.made[0]?.pings).toBeGreaterThanOrEqual(1)
    })
  )

  it.scoped("a connection that does not answer its ping within five seconds is replaced", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ min: 1, max: 1, housekeeper: true, keepaliveInterval: 10_000 })
      const first = [...pool.leases.keys()][0]
      world.pings = "ignored"
      yield* TestClock.adjust("10 seconds")
      world.pings = "answered"
      yield* TestClock.adjust("6 seconds")
      expect(first?.isOpen).toBe(false)
      expect(metricsOf(pool)).toMatchObject({ total: 1, idle: 1, closed: 1 })
    })
  )

  it.scoped(
    "an idle connection that the other side closes leaves the pool at once, one in use when it comes back",
    () =>
      Effect.gen(function* () {
        const { pool, world } = yield* make({ max: 2 })
        const [first, second] = [yield* ask(pool), yield* ask(pool)]
        yield* giveBack(pool, first)
        yield* world.hangUp(first.lease().resource)
        expect(metricsOf(pool)).toMatchObject({ total: 1, idle: 0, active: 1, reachable: true })
        yield* world.hangUp(second.lease().resource)
        expect(metricsOf(pool)).toMatchObject({ total: 1, active: 1 })
        yield* giveBack(pool, second)
        expect(metricsOf(pool)).toMatchObject({ total: 0, active: 0 })
        expect((yield* ask(pool)).state()).toBe("value")
      })
  )

  it.scoped("a connection whose socket is gone is not lent, though nobody has been told yet", () =>
    Effect.gen(function* () {
      const { pool, events } = yield* make({ max: 1, events: true })
      const first = yield* ask(pool)
      yield* giveBack(pool, first)
      // A socket is destroyed a moment before it says that it is closed.
      first.lease().resource.state = "closed"
      const second = yield* ask(pool)
      expect([second.state(), second.lease() === first.lease()]).toEqual(["value", false])
      expect(events.map(({ type }) => type)).toContain("failed")
    })
  )

  it.scoped("the other side may close what it has kept for a while unused; that is no failure to connect", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ min: 1, max: 1 })
      const [resource] = world.made
      if (resource === undefined) throw new Error("nothing was opened")
      yield* TestClock.adjust("250 millis")
      yield* world.hangUp(resource)
      expect(metricsOf(pool)).toMatchObject({ reachable: true, connectFailures: 0, total: 1 })
    })
  )

  it.scoped("a connection with a request still under way when it comes back is not lent again", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1 })
      const first = yield* ask(pool)
      first.lease().resource.busy = true
      yield* giveBack(pool, first)
      const second = yield* ask(pool)
      expect([second.state(), second.lease() === first.lease()]).toEqual(["value", false])
    })
  )
})

describe("leak watch", () => {
  interface Line {
    readonly message: string
    readonly annotations: Readonly<Record<string, unknown>>
  }

  const collecting = (lines: Array<Line>) =>
    Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ annotations, message }) => {
        lines.push({
          message: String(message),
          annotations: Object.fromEntries(HashMap.toEntries(annotations))
        })
      })
    )

  it.scoped("a connection held too long is taken back, its capacity with it, and the log says who held it", () => {
    const lines: Array<Line> = []
    return Effect.gen(function* () {
      const { pool, events } = yield* make({ max: 1, leakDetectionTimeout: Duration.seconds(60), events: true })
      const leaked = yield* Effect.withSpan(ask(pool), "checkout of a shopping cart")
      leaked.lease().resource.busy = true
      yield* TestClock.adjust("59 seconds")
      const waiter = yield* ask(pool)
      expect([metricsOf(pool).leaks, waiter.state()]).toEqual([0, "waiting"])
      yield* TestClock.adjust("1 second")
      yield* settle
      // Its timeout and the leak were due together; the next asker has the capacity for sure.
      const next = yield* ask(pool)
      expect([waiter.state(), next.state()].filter((state) => state === "value").length).toBe(1)
      expect(metricsOf(pool)).toMatchObject({ leaks: 1, active: 1, total: 1, lastLeak: 60_000 })
      expect(leaked.lease().resource.abortedWith?._tag).toBe("ConnectionReclaimed")
      expect(leaked.lease().resource.usable).toBe(false)
      expect(events.slice(0, 4).map(({ type, held }) => [type, held])).toEqual([
        ["created", 0],
        ["acquired", 0],
        ["leaked", 60_000],
        ["reclaimed", 60_000]
      ])
      const id = leaked.lease().resource.id
      expect(lines).toEqual([
        {
          message: `connection leak: ${id} was held for 60 s and has been reclaimed`,
          annotations: {
            pool: "read",
            connectionId: id,
            span: "checkout of a shopping cart",
            fiber: expect.stringMatching(/^#\d+$/),
            heldMillis: 60_000
          }
        }
      ])
    }).pipe(Effect.provide(collecting(lines)))
  })

  it.scoped("a late return is harmless and logged", () => {
    const lines: Array<Line> = []
    return Effect.gen(function* () {
      const { pool } = yield* make({ max: 1, leakDetectionTimeout: Duration.seconds(60) })
      const leaked = yield* ask(pool)
      yield* TestClock.adjust("60 seconds")
      yield* settle
      const next = yield* ask(pool)
      lines.length = 0
      yield* giveBack(pool, leaked)
      expect(metricsOf(pool)).toMatchObject({ active: 1, total: 1, lateReturns: 1 })
      expect(lines.map((line) => line.message)).toEqual(["a connection came back after it had been reclaimed"])
      yield* giveBack(pool, next)
      expect(metricsOf(pool)).toMatchObject({ active: 0, idle: 1 })
    }).pipe(Effect.provide(collecting(lines)))
  })

  it.scoped("time in the queue and time between two loans do not count", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1, leakDetectionTimeout: Duration.seconds(60) })
      for (let n = 0; n < 5; n += 1) {
        const asker = yield* ask(pool)
        yield* TestClock.adjust("50 seconds")
        yield* giveBack(pool, asker)
        yield* TestClock.adjust("50 seconds")
      }
      expect(metricsOf(pool)).toMatchObject({ leaks: 0, created: 1, acquired: 5 })
    })
  )

  it.scoped("a wait that was in vain tells how long the connection that is held longest has been held", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1 })
      yield* ask(pool)
      yield* TestClock.adjust("7 seconds")
      const waiting = yield* Effect.fork(Effect.flip(checkout(pool)))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(waiting)).toMatchObject({
        _tag: "AcquireTimeout",
        longestHeld: Duration.seconds(8),
        waited: Duration.seconds(1)
      })
    })
  )

  it.scoped("zero turns the watch off", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ leakDetectionTimeout: Duration.zero })
      const holder = yield* ask(pool)
      yield* TestClock.adjust("1 day")
      expect([metricsOf(pool).leaks, holder.lease().resource.isOpen]).toEqual([0, true])
      expect(Duration.toMillis(metricsOf(pool).longestHeld)).toBe(86_400_000)
    })
  )
})

describe("counts and events", () => {
  it.scoped("each step of a connection's life is told once, in order, with its holder", () =>
    Effect.gen(function* () {
      const { pool, events } = yield* make({ max: 1, events: true })
      const first = yield* Effect.withSpan(ask(pool), "first")
      const second = yield* Effect.withSpan(ask(pool), "second")
      yield* TestClock.adjust("20 millis")
      yield* giveBack(pool, first)
      yield* giveBack(pool, second)
      yield* pool.reset
      yield* settle
      expect(events.map(({ type, holder, held, waited }) => [type, holder, held, waited])).toEqual([
        ["created", "", 0, 0],
        ["acquired", "first", 0, 0],
        ["released", "first", 20, 0],
        ["acquired", "second", 0, 20],
        ["released", "second", 0, 0],
        ["reset", "", 0, 0]
      ])
      expect(metricsOf(pool)).toMatchObject({ created: 1, acquired: 2, closed: 1, total: 0 })
    })
  )

  it.scoped("a failure to connect is told and counted, and logged once until it works again", () => {
    const lines: Array<string> = []
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ message }) => void lines.push(String(message)))
    )
    return Effect.gen(function* () {
      const world = Object.assign(new FakeWorld(), { connecting: "refuse" as const })
      const { pool } = yield* make({ world, min: 1 })
      yield* TestClock.adjust("10 seconds")
      expect(metricsOf(pool).connectFailures).toBeGreaterThan(4)
      Object.assign(world, { connecting: "accept" })
      yield* TestClock.adjust("2 seconds")
      expect(metricsOf(pool).reachable).toBe(true)
      expect(lines.length).toBe(2)
      expect(lines[0]).toMatch(/^Connection failed: nothing listens at .* The pool tries again until it answers\.$/)
      expect(lines[1]).toMatch(/^connected again after/)
    }).pipe(Effect.provide(logger))
  })

  it.scoped("where nobody listens no event is built", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ max: 1 })
      let built = 0
      const lease = (yield* ask(pool)).lease()
      Object.defineProperty(lease.resource, "id", {
        get: () => {
          built += 1
          return "watched"
        }
      })
      yield* pool.giveBack(lease)
      yield* giveBack(pool, yield* ask(pool))
      expect(built).toBe(0)
      pool.statistics.listeners.add(() => {})
      yield* giveBack(pool, yield* ask(pool))
      expect(built).toBe(2)
    })
  )
})

describe("reset", () => {
  it.scoped("closes what is idle at once and what is lent when it comes back, and fails nobody", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ min: 2, max: 3 })
      const holder = yield* ask(pool)
      const idle = [...pool.leases.values()].find((lease) => lease.state === "idle")
      expect(yield* pool.reset).toEqual({ closed: 1, deferred: 1 })
      yield* settle
      expect([idle?.resource.isOpen, holder.lease().resource.isOpen]).toEqual([false, true])
      expect(metricsOf(pool).total).toBe(2)
      const waiters = yield* askMany(pool, 3)
      yield* giveBack(pool, holder)
      yield* settle
      expect(holder.lease().resource.isOpen).toBe(false)
      expect(waiters.map((waiter) => waiter.state())).toEqual(["value", "value", "value"])
      expect(yield* pool.reset).toEqual({ closed: 0, deferred: 3 })
    })
  )

  it.scoped("twice in a row counts nothing twice", () =>
    Effect.gen(function* () {
      const { pool } = yield* make({ min: 2, max: 2 })
      expect(yield* pool.reset).toEqual({ closed: 2, deferred: 0 })
      expect(yield* pool.reset).toEqual({ closed: 0, deferred: 0 })
      yield* settle
      expect(metricsOf(pool)).toMatchObject({ total: 2, closed: 2 })
    })
  )
})

describe("interruption", () => {
  it.scoped("while connecting fails and while it succeeds, whoever is interrupted leaves nothing behind", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ max: 3 })
      world.connecting = "decide"
      for (const decide of [world.accept, world.refuse, world.accept]) {
        const askers = yield* askMany(pool, 4)
        yield* Effect.forEach(askers, interrupt)
        yield* decide
        for (const asker of askers) if (asker.state() === "value") yield* giveBack(pool, asker)
      }
      world.connecting = "accept"
      while (world.undecided.length > 0) yield* world.accept
      yield* TestClock.adjust("2 seconds")
      expect(metricsOf(pool)).toMatchObject({ active: 0, pending: 0, connecting: 0 })
      expect((yield* askMany(pool, 4)).map((asker) => asker.state())).toEqual(["value", "value", "value", "waiting"])
    })
  )
})
