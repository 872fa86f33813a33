/**
 * Each way to hold a connection is interrupted at every single operation of its fiber, and at every yield point, for
 * every number of operations between two yields from 1 to 64: permits, leases and sockets add up whenever that happens.
 */
import { describe, expect, it } from "@effect/vitest"
import {
  Duration,
  Effect,
  Exit,
  type Fiber,
  FiberId,
  FiberRef,
  Layer,
  Logger,
  LogLevel,
  Scheduler,
  Scope
} from "effect"
import * as Db from "../../src/Db.js"
import type { ResourcePool } from "../../src/internal/pool/resourcePool.js"
import * as Pool from "../../src/Pool.js"
import { checkout, type FakePool, type FakeResource, FakeWorld, make, settle } from "../support/fakeResource.js"
import { eachShows } from "../support/reliability.js"
import { VirtualClock } from "../support/virtualClock.js"

/** What a yield costs in operations of its own; `maxOpsBeforeYield` below that makes no progress in Effect 3.22. */
const yieldCost = 9

/** Where the victim is interrupted: before its nth operation, or at its nth yield of so many operations each. */
interface Point {
  readonly nth: number
  readonly opsBeforeYield: number | "never yields"
}

/** Effect's own, which interrupts its victim at that point. */
class InterruptingScheduler implements Scheduler.Scheduler {
  victim: Fiber.RuntimeFiber<unknown, unknown> | undefined
  private passed = 0
  private readonly point: Point

  constructor(point: Point) {
    this.point = point
  }

  private pass(): void {
    this.passed += 1
    if (this.passed === this.point.nth) this.victim?.unsafeInterruptAsFork(FiberId.none)
  }

  /** Called before each operation of the fiber. */
  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    const { opsBeforeYield } = this.point
    if (opsBeforeYield === "never yields") {
      if (fiber === this.victim) this.pass()
      return false
    }
    return fiber.currentOpCount > yieldCost + opsBeforeYield
      ? fiber.getFiberRef(FiberRef.currentSchedulingPriority)
      : false
  }

  scheduleTask(task: Scheduler.Task, priority: number, fiber?: Fiber.RuntimeFiber<unknown, unknown>): void {
    Scheduler.defaultScheduler.scheduleTask(task, priority, fiber)
    if (this.point.opsBeforeYield !== "never yields") this.pass()
  }

  /** Not reached: the victim had fewer points than that. */
  get isPast(): boolean {
    return this.passed < this.point.nth
  }
}

/** Lets the victim run, interrupted at that point; what happens beside it is `meanwhile`. */
const interrupted = (
  victim: Effect.Effect<unknown, unknown>,
  meanwhile: Effect.Effect<unknown>,
  point: Point
): Effect.Effect<{ readonly isPast: boolean; readonly exit: Exit.Exit<unknown, unknown> | null }> =>
  Effect.gen(function* () {
    const scheduler = new InterruptingScheduler(point)
    const fiber = yield* victim.pipe(Effect.withScheduler(scheduler), Effect.interruptible, Effect.forkDaemon)
    scheduler.victim = fiber
    yield* Effect.repeatN(settle, 3)
    yield* meanwhile
    // A fiber that yields after each operation needs a turn for each thing that it waits for.
    yield* Effect.repeatN(settle, 10)
    return { isPast: scheduler.isPast, exit: fiber.unsafePoll() }
  })

const work = Effect.repeatN(Effect.yieldNow(), 2)

type Way = (pool: FakePool) => {
  readonly victim: Effect.Effect<unknown, unknown>
  readonly meanwhile: Effect.Effect<unknown>
  /** Ends what stood in the victim's way. */
  readonly after?: Effect.Effect<unknown>
}

const holderOf = (pool: ResourcePool<FakeResource>, count: number) =>
  Effect.runSync(Effect.replicateEffect(Effect.orDie(checkout(pool)), count))

const ways: Record<string, Way> = {
  "a connection that is idle, for one use": ({ pool }) => ({ victim: pool.use(() => work), meanwhile: Effect.void }),
  "a connection that is idle, for a scope": ({ pool }) => ({
    victim: Effect.scoped(Effect.zipRight(pool.scoped, work)),
    meanwhile: Effect.void
  }),
  "a place in the queue, until somebody gives back": ({ pool }) => {
    const [first, second] = holderOf(pool, 2)
    const back = (lease: typeof first) => (lease === undefined ? Effect.void : pool.giveBack(lease))
    return { victim: pool.use(() => work), meanwhile: back(first), after: back(second) }
  },
  "a place in the queue with little patience": ({ pool }) => {
    const [first, second] = holderOf(pool, 2)
    const back = (lease: typeof first) => (lease === undefined ? Effect.void : pool.giveBack(lease))
    const victim = Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(pool.checkout(restore, 500), (lease) => Effect.ensuring(restore(work), pool.giveBack(lease)))
    )
    return { victim, meanwhile: back(first), after: back(second) }
  },
  "a socket that is being opened": ({ pool, world }) => {
    world.connecting = "decide"
    return { victim: pool.use(() => work), meanwhile: world.accept }
  },
  "a socket that cannot be opened": ({ pool, world }) => {
    world.connecting = "decide"
    return { victim: pool.use(() => work), meanwhile: world.refuse }
  }
}

const addsUp = ({ pool, world }: FakePool, clock: VirtualClock) =>
  Effect.gen(function* () {
    world.connecting = "accept"
    while (world.undecided.length > 0) yield* world.accept
    yield* clock.adjust(2_000)
    expect({ active: pool.active, pending: pool.bag.pending, connecting: pool.connector.connecting }).toEqual({
      active: 0,
      pending: 0,
      connecting: 0
    })
    const leases = yield* Effect.replicateEffect(checkout(pool), pool.options.max)
    expect(new Set(leases).size).toBe(pool.options.max)
    yield* Effect.forEach(leases, (lease) => pool.giveBack(lease))
    expect(world.openSockets).toBe(pool.total)
  })

const oneRun = (way: Way, idle: number, point: Point): Effect.Effect<boolean, unknown> =>
  Effect.suspend(() => {
    const clock = new VirtualClock()
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const world = new FakeWorld()
      const pool = yield* Scope.extend(make({ max: 2, min: idle, world, shutdownTimeout: Duration.seconds(1) }), scope)
      yield* settle
      const { after = Effect.void, meanwhile, victim } = way(pool)
      const { isPast } = yield* interrupted(victim, meanwhile, point)
      yield* after
      yield* addsUp(pool, clock)
      yield* Scope.close(scope, Exit.void)
      yield* settle
      expect([world.openSockets, clock.sleepers.size]).toEqual([0, 0])
      return isPast
    }).pipe(Effect.withClock(clock), Logger.withMinimumLogLevel(LogLevel.None))
  })

const all = Array.from({ length: 64 }, (_, n) => n + 1)

/** A whole operation costs twenty times what a checkout does. */
const some = [1, 2, 5, 13, 34, 64]

/** At every point, until the victim has no more of them; how many there were. */
const everywhere = (run: (point: Point) => Effect.Effect<boolean, unknown>, strides: ReadonlyArray<number> = all) =>
  Effect.gen(function* () {
    let points = 0
    for (const opsBeforeYield of ["never yields" as const, ...strides]) {
      for (let nth = 1; !(yield* run({ nth, opsBeforeYield })); nth += 1) {
        points += 1
        expect(nth).toBeLessThan(2_000)
      }
    }
    return points
  })

eachShows("Interruption at every yield point")

describe("interrupted at every yield point", () => {
  for (const [name, way] of Object.entries(ways)) {
    const idle = name.startsWith("a socket") ? 0 : 2
    it.live(
      `${name}: permits, leases and sockets add up`,
      () =>
        Effect.map(
          everywhere((point) => oneRun(way, idle, point)),
          (points) => expect(points).toBeGreaterThan(100)
        ),
      60_000
    )
  }

  /** The first answer asks for another try, so that the retry's delay and second attempt are among the points. */
  const operation = (write: boolean, point: Point) =>
    Effect.suspend(() => {
      const clock = new VirtualClock()
      let requests = 0
      const handler = () => {
        requests += 1
        return requests === 1
          ? Response.json({ code: "PGRST001", message: "", details: null, hint: null }, { status: 503 })
          : Response.json([])
      }
      const query: Effect.Effect<unknown, Db.DbError, Db.Provided> = write
        ? Db.write((client) => client.from("a").insert({ id: 1 }).select())
        : Db.read((client) => client.from("a").select("*"))
      return Effect.gen(function* () {
        const context = yield* Effect.context<Db.Provided>()
        yield* Effect.repeatN(settle, 3)
        const victim = Effect.provide(query, context)
        const { exit, isPast } = yield* interrupted(victim, clock.adjust(1_000), point)
        expect(exit).not.toBeNull()
        for (const pool of [yield* Pool.ReadPool, yield* Pool.WritePool]) {
          const { active, pending } = yield* pool.metrics
          expect([active, pending]).toEqual([0, 0])
        }
        // Once refused and once executed, or less; nothing is sent after an interruption.
        expect(requests).toBeLessThanOrEqual(2)
        if (isPast) expect(requests).toBe(2)
        return isPast
      }).pipe(
        Effect.provide(
          Layer.provide(
            Db.layerTest(handler, {
              minConnections: 1,
              maxConnections: 2,
              retryDelay: 100,
              retryJitter: false,
              keepaliveInterval: 0
            }),
            Layer.setClock(clock)
          )
        ),
        Effect.withClock(clock),
        Logger.withMinimumLogLevel(LogLevel.None)
      )
    })

  for (const write of [false, true]) {
    it.live(
      `${write ? "a write" : "a read"} that is repeated: its connection is back, and nothing is sent afterwards`,
      () =>
        Effect.map(
          everywhere((point) => operation(write, point), some),
          (points) => expect(points).toBeGreaterThan(100)
        ),
      60_000
    )
  }
})
