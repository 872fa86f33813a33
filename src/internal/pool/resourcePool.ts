/**
 * The pool itself: lends leases, takes them back, closes them, and keeps the count.
 *
 * Effect's `Pool` owns the resources (it makes, counts and finalises them in its scope); the bag in front of it decides
 * who gets which, the connector opens what is missing. Everything here that changes state is synchronous, so that no
 * interruption can come between two changes; what waits or does I/O is an Effect around it.
 */
import { Cause, Clock, Duration, Effect, Exit, FiberSet, Pool, Runtime, Scope } from "effect"
import { type AcquireError, AcquireTimeout, PoolClosed, PoolOverloaded } from "../../Errors.js"
import { inBackground, inNone } from "../shared/asyncContext.js"
import { Condition } from "../shared/condition.js"
import * as Deadlines from "../shared/deadlines.js"
import { monotonic } from "../shared/time.js"
import { Acquisition, type Borrower, type Restore } from "./acquisition.js"
import { Bag } from "./bag.js"
import { Connector } from "./connector.js"
import * as HangUps from "./hangUps.js"
import * as Housekeeper from "./housekeeper.js"
import { reclaim } from "./leakReclaim.js"
import { type Caller, Lease, longestHeld, type Resource } from "./lease.js"
import { Limited } from "./limited.js"
import * as PoolItem from "./poolItem.js"
import { PoolStatistics } from "./poolStatistics.js"
import type { End, ResourcePoolOptions, Services } from "./resourcePoolOptions.js"
import { Habits } from "./serverHabits.js"
import { Standstill } from "./standstill.js"

/**
 * How long Effect's `Pool` remembers what it made, ended or not. Its usage strategy would remember all of it for ever.
 */
const memory = Duration.minutes(1)

export class ResourcePool<R extends Resource> {
  readonly bag: Bag<Lease<R>> = new Bag()
  readonly leases: Map<R, Lease<R>> = new Map()
  readonly statistics: PoolStatistics
  readonly connector: Connector<R>
  readonly habits: Habits = new Habits()
  phase: "open" | "draining" | "closed" = "open"
  active = 0
  private closing = 0
  private readonly drained: Condition = new Condition(() => this.active === 0)
  /** No socket is left, not even one that is closing. */
  private readonly empty: Condition = new Condition(() => this.leases.size === 0)

  readonly options: ResourcePoolOptions<R>
  readonly deadlines: Deadlines.Deadlines
  readonly fork: (effect: Effect.Effect<void>) => void
  readonly clock: Clock.Clock
  readonly standstill: Standstill
  /** How many may be lent at once, where that is learned. */
  readonly limiter: Limited<R> | undefined
  private readonly leaks: Deadlines.Deadlines

  constructor(options: ResourcePoolOptions<R>, services: Services<ResourcePool<R>, R>) {
    this.options = options
    this.clock = services.clock
    this.standstill = new Standstill(services.clock)
    this.deadlines = services.deadlines
    this.leaks = services.leaks
    this.fork = services.fork
    this.statistics = new PoolStatistics(options.mode, services.clock, options.periods)
    for (const listener of options.listeners ?? []) this.statistics.listeners.add(listener)
    this.limiter = options.adaptive === true ? new Limited(this, options.max) : undefined
    this.connector = services.connector(this)
  }

  now(): number {
    return monotonic(this.clock)
  }

  /** Sockets that are open and not on their way out. */
  get total(): number {
    return this.leases.size - this.closing
  }

  /** A server that keeps idle connections for moments only has those that are used: others would cost a ping each moment. */
  get least(): number {
    if (this.options.warmUp?.isDue === false) return 0
    return this.habits.isShort ? Math.min(1, this.options.min) : this.options.min
  }

  /** A resource until the scope closes. */
  readonly scoped: Effect.Effect<R, AcquireError, Scope.Scope> = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(this.checkout(restore), (lease) =>
      Effect.as(
        Effect.addFinalizer(() => this.giveBack(lease)),
        lease.resource
      )
    )
  )

  /** A resource while `f` runs. */
  use<A, E, S>(f: (resource: R) => Effect.Effect<A, E, S>): Effect.Effect<A, E | AcquireError, S> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiberRuntime((fiber) => {
        const lent = (lease: Lease<R>): Effect.Effect<A, E, S> => {
          const after = (exit: Exit.Exit<A, E>): Effect.Effect<A, E> => {
            const late = this.takeBack(lease)
            return late === undefined ? exit : Effect.zipRight(late, exit)
          }
          return Effect.matchCauseEffect(restore(Effect.suspend(() => f(lease.resource))), {
            onSuccess: (value) => after(Exit.succeed(value)),
            onFailure: (cause) => after(Exit.failCause(cause))
          })
        }
        return this.borrow<A, E | AcquireError, S>({ caller: fiber, restore, lent, refused: Effect.failCause })
      })
    )
  }

  /**
   * Run it uninterruptibly; only the waiting inside is interruptible, by `restore`. `limit` (ms) shortens the wait of an
   * operation that has used up a part of its `connectionTimeout` in an earlier attempt.
   */
  checkout(restore: Restore, limit?: number): Effect.Effect<Lease<R>, AcquireError> {
    return Effect.withFiberRuntime((fiber) =>
      this.borrow<Lease<R>, AcquireError, never>(
        { caller: fiber, restore, lent: Effect.succeed, refused: Effect.failCause },
        limit
      )
    )
  }

  /** `checkout`, and then what the borrower does in either case: one step for the fiber that waits, in place of two. */
  private borrow<A, E, S>(borrower: Borrower<R, A, E, S>, limit?: number): Effect.Effect<A, E, S> {
    const lease = this.takeIdle(borrower.caller)
    return lease === undefined ? this.queue(borrower, limit) : borrower.lent(lease)
  }

  /** The wait of a borrower for whom no lease is idle, and then what it does. */
  queue<A, E, S>(borrower: Borrower<R, A, E, S>, limit?: number): Effect.Effect<A, E, S> {
    if (this.phase !== "open") return borrower.refused(Cause.fail(this.closed(false)))
    const refusal = this.refusal()
    if (refusal !== undefined) return borrower.refused(Cause.fail(refusal))
    const acquisition = new Acquisition(this, borrower.caller, this.now())
    this.bag.wait(acquisition)
    this.deadlines.add(acquisition)
    if (this.limiter === undefined) this.connector.grow()
    else this.limiter.serve()
    return acquisition.wait(borrower, limit)
  }

  readonly hasIdle = (): boolean => this.phase === "open" && this.bag.idleCount > 0 && this.limiter?.isReached !== true

  /** What `checkout` gives where nobody has to wait, for those who must not pay for an Effect. Give it back as that. */
  takeIdle(caller: Caller): Lease<R> | undefined {
    if (!this.hasIdle()) return undefined
    const now = this.now()
    this.standstill.look(this, now)
    const lease = this.takeOpen(now)
    if (lease !== undefined) this.lend(lease, caller, now)
    return lease
  }

  /** The idle lease that was returned last and can still be used. */
  takeOpen(now: number): Lease<R> | undefined {
    for (let lease = this.bag.take(); lease !== undefined; lease = this.bag.take()) {
      if (lease.resource.isOpen && now < lease.expiresAt) return lease
      this.discard(lease, lease.resource.isOpen ? "retired" : "failed")
    }
    return undefined
  }

  private refusal(): AcquireError | undefined {
    const { error } = this.connector
    if (error !== undefined && this.leases.size === 0) return error
    if (this.bag.pending >= this.options.maxPending) {
      this.statistics.overloaded += 1
      const { maxPending, mode } = this.options
      return new PoolOverloaded({ pool: mode, pending: this.bag.pending, maxPending })
    }
    return undefined
  }

  lend(lease: Lease<R>, caller: Caller, now: number, waited = 0): void {
    lease.state = "busy"
    lease.used = true
    lease.lentAt = now
    this.limiter?.lent(lease)
    lease.waited = waited
    const span = caller.currentSpan
    lease.holder = { span: span?._tag === "Span" ? span.name : "", fiber: caller.id().id }
    this.active += 1
    this.leaks.add(lease, now)
    lease.resource.lend()
    this.statistics.record("acquired", lease, now)
  }

  /** Never fails, never waits for the network, and is harmless when the lease has gone another way already. */
  giveBack(lease: Lease<R>): Effect.Effect<void> {
    return Effect.suspend(() => this.takeBack(lease) ?? Effect.void)
  }

  /** `giveBack` at once; what there is left to do, if anything. */
  takeBack(lease: Lease<R>): Effect.Effect<void> | undefined {
    if (lease.state !== "busy") return lease.reclaimed ? this.statistics.cameLate(lease) : undefined
    this.leaks.remove(lease)
    this.active -= 1
    const clean = lease.resource.takeBack()
    const now = this.now()
    this.limiter?.learn(lease)
    lease.idleSince = now
    lease.lastUsed = now
    this.statistics.record("released", lease, now)
    lease.holder = undefined
    const end = clean ? this.endOf(lease, now) : "failed"
    if (clean && end === "failed") HangUps.whileLent(this, lease)
    if (end !== undefined) this.discard(lease, end)
    else if (HangUps.mayBeLentAgain(this, lease)) this.place(lease)
    else HangUps.endOrWatch(this, lease)
    this.limiter?.serve()
    this.drained.look()
    this.options.warmUp?.begin()
    return undefined
  }

  /** Why a lease that comes back cannot be lent again, if it cannot. */
  private endOf(lease: Lease<R>, now: number): End | undefined {
    if (!lease.resource.isOpen) return "failed"
    if (lease.retire) return "reset"
    if (now >= lease.expiresAt) return "retired"
    return this.phase === "open" ? undefined : "closed"
  }

  private place(lease: Lease<R>): void {
    lease.state = "idle"
    if (this.limiter === undefined) this.bag.offer(lease)
    else this.limiter.keep(lease, "top")
  }

  /** False when it is not idle any more. */
  borrowForPing(lease: Lease<R>): boolean {
    if (!this.bag.remove(lease)) return false
    lease.state = "pinging"
    return true
  }

  /** Back to where it was, among the long idle, unless somebody waits for it. */
  returnFromPing(lease: Lease<R>, answered: boolean): void {
    if (lease.state !== "pinging") return
    const now = this.now()
    const end = answered ? this.endOf(lease, now) : "failed"
    if (end !== undefined) {
      this.discard(lease, end, answered ? undefined : "no answer to a ping")
      return
    }
    lease.lastUsed = now
    this.habits.answered(++lease.answers, lease.resource.keepAliveHint)
    lease.state = "idle"
    if (this.limiter === undefined) this.bag.offerBelow(lease)
    else this.limiter.keep(lease, "bottom")
  }

  timedOut(since: number): AcquireTimeout {
    this.statistics.timeouts += 1
    const now = this.now()
    return new AcquireTimeout({
      pool: this.options.mode,
      waited: Duration.millis(now - since),
      active: this.active,
      max: this.options.max,
      pending: this.bag.pending,
      longestHeld: Duration.millis(longestHeld(this.leases.values(), now)),
      ...(this.active === 0 && this.connector.connecting > 0 && this.connector.destination)
    })
  }

  private closed(sent: boolean, method?: string): PoolClosed {
    return new PoolClosed({ pool: this.options.mode, sent, method })
  }

  admit(resource: R, scope: Scope.CloseableScope, random: number, answers: number): void {
    const now = this.now()
    const { maxLifetime } = this.options
    const expiresAt = maxLifetime > 0 ? now + maxLifetime * (1 - 0.025 * random) : Number.POSITIVE_INFINITY
    const lease = new Lease({ resource, scope, now, expiresAt, onLeak: (leaked) => reclaim(this, leaked) })
    lease.answers = answers
    this.leases.set(resource, lease)
    this.statistics.record("created", lease, now)
    this.place(lease)
  }

  /** As long as one connection lives, those who wait will get it; without any, waiting has no point. */
  dismissHopeless(): void {
    const { error } = this.connector
    if (error !== undefined && this.leases.size === 0) this.dismiss(error)
  }

  private dismiss(error: AcquireError): void {
    for (const waiter of this.bag.dismiss()) if (waiter instanceof Acquisition) waiter.fail(error)
  }

  /** Takes a lease that is not lent out of the pool, for good. The socket closes in the background. */
  discard(lease: Lease<R>, why: End, reason = lease.resource.ending): void {
    if (lease.state === "closing") return
    lease.state = "closing"
    this.bag.remove(lease)
    this.closing += 1
    this.statistics.record(why, lease, this.now(), why === "failed" ? reason : "")
    const close = Scope.close(lease.scope, Exit.void)
    this.fork(
      Effect.zipRight(
        close,
        Effect.sync(() => this.forget(lease))
      )
    )
  }

  private forget(lease: Lease<R>): void {
    this.closing -= 1
    this.leases.delete(lease.resource)
    this.dismissHopeless()
    this.connector.grow()
    this.empty.look()
  }

  /** A lease that is lent: its capacity comes back without its borrower's help. */
  takeAway(lease: Lease<R>, why: "reclaimed" | "closed"): void {
    this.leaks.remove(lease)
    this.active -= 1
    lease.resource.takeBack()
    this.discard(lease, why)
    this.limiter?.serve()
    this.drained.look()
  }

  /** The other side closed a socket. One that is lent is seen when it comes back, by its borrower first. */
  private readonly lost = (resource: R): void => {
    const lease = this.leases.get(resource)
    if (lease === undefined || (lease.state !== "idle" && this.habits.watched !== lease)) return
    HangUps.whileIdle(this, lease)
    this.discard(lease, "failed")
  }

  /** Every connection that is open now is replaced: idle ones at once, busy ones when they come back. */
  readonly reset: Effect.Effect<{ readonly closed: number; readonly deferred: number }> = Effect.sync(() => {
    let closed = 0
    let deferred = 0
    for (const lease of this.leases.values()) {
      if (lease.state === "idle") {
        this.discard(lease, "reset")
        closed += 1
      } else if (lease.state !== "closing") {
        lease.retire = true
        deferred += 1
      }
    }
    this.connector.grow()
    return { closed, deferred }
  })

  /** Nobody is let in any more, those who wait are told, those who work may finish within the shutdown timeout. */
  readonly shutdown: Effect.Effect<void> = Effect.gen(this, function* () {
    this.phase = "draining"
    this.dismiss(this.closed(false))
    this.connector.stop()
    for (const lease of this.leases.values()) if (lease.state !== "busy") this.discard(lease, "closed")
    yield* Effect.timeoutOption(Effect.interruptible(this.drained.met), this.options.shutdownTimeout)
    for (const lease of this.leases.values()) {
      if (lease.state !== "busy") continue
      const reason = (sent: boolean, method: string): PoolClosed => this.closed(sent, method)
      lease.resource.abort(reason)
      this.takeAway(lease, "closed")
      lease.resource.tell?.(reason)
    }
    this.phase = "closed"
    yield* this.empty.met
  })

  /** `keep` looks after what is idle. */
  static make<R extends Resource>(
    options: ResourcePoolOptions<R>,
    keep: (pool: ResourcePool<R>) => Effect.Effect<void, never, Scope.Scope> = Housekeeper.run
  ): Effect.Effect<ResourcePool<R>, never, Scope.Scope> {
    return Effect.gen(function* () {
      const attempts = yield* FiberSet.make()
      const runAttempt = yield* FiberSet.runtime(attempts)<never>()
      const run = yield* FiberSet.makeRuntime<never>()
      const pool: ResourcePool<R> = new ResourcePool(options, {
        clock: yield* Clock.clockWith(Effect.succeed),
        deadlines: yield* Deadlines.make(options.connectionTimeout),
        leaks: yield* Deadlines.make(options.leakDetectionTimeout),
        fork: (effect) => run(inBackground(effect), { immediate: false }),
        connector: (ground) =>
          new Connector(ground, attempts, (effect) => runAttempt(inBackground(effect), { immediate: false }))
      })
      const items = Pool.makeWithTTL({
        acquire: PoolItem.make(options.acquire(pool.lost)),
        min: options.min,
        max: options.max,
        timeToLive: memory,
        timeToLiveStrategy: "creation"
      })
      // Its fibers inherit from here whether they may be interrupted, and closing waits for them.
      // And whose context they are in: what shrinks the pool would stay in that of who built it.
      const runtime = yield* Effect.runtime<Scope.Scope>()
      pool.connector.items = inNone(() => Runtime.runSync(runtime)(Effect.interruptible(items)))
      yield* keep(pool)
      // Added after Effect's `Pool`, so that it runs before that ends; `attempts` were made before it, and are waited for last.
      yield* Effect.addFinalizer(() => pool.shutdown)
      options.warmUp?.add(pool)
      pool.connector.grow()
      return pool
    })
  }
}
