/**
 * The pool itself: lends leases, opens and closes them, and keeps the count.
 *
 * Effect's `Pool` owns the resources (it makes, counts and finalises them in its scope); the bag in front of it decides
 * who gets which. Everything here that changes state is synchronous, so that no interruption can come between two
 * changes; what waits or does I/O is an Effect around it.
 */
import { Clock, Duration, Effect, Exit, type Fiber, FiberSet, Pool, Random, Scope } from "effect"
import {
  type AcquireError,
  AcquireTimeout,
  ConnectionFailed,
  type Mode,
  PoolClosed,
  PoolOverloaded
} from "../Errors.js"
import { Bag, Waiter } from "./bag.js"
import { Circuit } from "./circuit.js"
import * as Deadlines from "./deadlines.js"
import { reclaim } from "./leakWatch.js"
import { Lease, type Resource } from "./lease.js"
import { Ledger } from "./ledger.js"

/** All periods in ms; zero turns `idleTimeout`'s neighbours (`maxLifetime`, `keepalive`, `leakDetection`) off. */
export interface CoreOptions<R extends Resource> {
  readonly mode: Mode
  readonly origin: string
  readonly min: number
  readonly max: number
  readonly maxPending: number
  readonly connectionTimeout: Duration.Duration
  readonly leakDetectionTimeout: Duration.Duration
  readonly idleTimeout: number
  readonly maxLifetime: number
  readonly keepaliveInterval: number
  readonly shutdownTimeout: Duration.Duration
  readonly acquire: (onClose: (resource: R) => void) => Effect.Effect<R, never, Scope.Scope>
}

/** At most so many sockets connect at a time (HikariCP opens one at a time; two halve the warm-up). */
export const maxConnecting = 2

/** A connection attempt that takes longer than this has failed, however long callers are willing to wait. */
const longestConnect = Duration.seconds(10)

interface Services {
  readonly clock: Clock.Clock
  readonly deadlines: Deadlines.Deadlines
  readonly leaks: Deadlines.Deadlines
  readonly connectors: FiberSet.FiberSet
  readonly fork: (effect: Effect.Effect<void>) => void
  readonly forkConnector: (effect: Effect.Effect<void>) => void
}

class Request<R extends Resource> extends Waiter<Lease<R>> {
  lease: Lease<R> | undefined = undefined
  error: AcquireError | undefined = undefined
  since = 0
  resume: ((effect: Effect.Effect<Lease<R>, AcquireError>) => void) | undefined = undefined
  private readonly core: Core<R>
  private readonly fiber: Fiber.RuntimeFiber<unknown, unknown>

  constructor(core: Core<R>, fiber: Fiber.RuntimeFiber<unknown, unknown>) {
    super()
    this.core = core
    this.fiber = fiber
  }

  receive(lease: Lease<R>): void {
    this.core.deadlines.remove(this)
    this.core.lend(lease, this.fiber)
    this.lease = lease
    this.resume?.(Effect.succeed(lease))
  }

  fail(error: AcquireError): void {
    this.core.deadlines.remove(this)
    this.error = error
    this.resume?.(Effect.fail(error))
  }

  readonly onExpire: Effect.Effect<void> = Effect.sync(() => {
    if (this.core.bag.leave(this)) this.fail(this.core.timedOut(this.since))
  })

  readonly wait: Effect.Effect<Lease<R>, AcquireError> = Effect.async((resume) => {
    if (this.lease !== undefined) resume(Effect.succeed(this.lease))
    else if (this.error !== undefined) resume(Effect.fail(this.error))
    else this.resume = resume
  })

  /** The caller has gone. What it was given in the meantime goes to the next. */
  readonly abandon: Effect.Effect<void> = Effect.suspend(() => {
    this.core.deadlines.remove(this)
    this.core.bag.leave(this)
    return this.lease === undefined ? Effect.void : this.core.giveBack(this.lease)
  })
}

export class Core<R extends Resource> {
  readonly bag: Bag<Lease<R>> = new Bag()
  readonly leases: Map<R, Lease<R>> = new Map()
  readonly circuit: Circuit = new Circuit()
  readonly ledger: Ledger
  phase: "open" | "draining" | "closed" = "open"
  connecting = 0
  active = 0
  closing = 0
  private drained: (() => void) | undefined = undefined
  private probing = false

  readonly options: CoreOptions<R>
  readonly clock: Clock.Clock
  readonly deadlines: Deadlines.Deadlines
  private readonly leaks: Deadlines.Deadlines
  /** Attempts to connect and the waits between them: shutdown ends them before it waits for anything. */
  private readonly connectors: FiberSet.FiberSet
  private readonly fork: (effect: Effect.Effect<void>) => void
  private readonly forkConnector: (effect: Effect.Effect<void>) => void
  /** Set right after construction: Effect's `Pool` makes resources that tell this pool of their end. */
  private items: Pool.Pool<R> | undefined = undefined

  constructor(options: CoreOptions<R>, services: Services) {
    this.options = options
    this.clock = services.clock
    this.deadlines = services.deadlines
    this.leaks = services.leaks
    this.connectors = services.connectors
    this.fork = services.fork
    this.forkConnector = services.forkConnector
    this.ledger = new Ledger(options.mode, services.clock)
  }

  now(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }

  /** Sockets that are open and not on their way out. */
  get total(): number {
    return this.leases.size - this.closing
  }

  // ------------------------------------------------------------------------------------------------ lending

  /**
   * Run it uninterruptibly; only the waiting inside is interruptible, by `restore`. `limit` (ms) shortens the wait of an
   * operation that has used up a part of its `connectionTimeout` in an earlier attempt.
   */
  checkout(
    restore: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>,
    limit?: number
  ): Effect.Effect<Lease<R>, AcquireError> {
    return Effect.withFiberRuntime((fiber) => {
      if (this.phase !== "open") return Effect.fail(this.closed(false))
      const lease = this.takeOpen()
      if (lease !== undefined) {
        this.lend(lease, fiber)
        return Effect.succeed(lease)
      }
      const refusal = this.refusal()
      if (refusal !== undefined) return Effect.fail(refusal)
      const request = new Request(this, fiber)
      request.since = this.now()
      this.bag.wait(request)
      this.deadlines.add(request)
      this.grow()
      const wait =
        limit === undefined
          ? request.wait
          : Effect.timeoutFail(request.wait, { duration: limit, onTimeout: () => this.timedOut(request.since) })
      return Effect.onExit(restore(wait), (exit) => (Exit.isSuccess(exit) ? Effect.void : request.abandon))
    })
  }

  private takeOpen(): Lease<R> | undefined {
    for (let lease = this.bag.take(); lease !== undefined; lease = this.bag.take()) {
      if (lease.resource.isOpen && this.now() < lease.expiresAt) return lease
      this.discard(lease, lease.resource.isOpen ? "retired" : "failed")
    }
    return undefined
  }

  private refusal(): AcquireError | undefined {
    if (this.circuit.error !== undefined && this.leases.size === 0) return this.circuit.error
    if (this.bag.pending >= this.options.maxPending) {
      this.ledger.overloaded += 1
      const { maxPending, mode } = this.options
      return new PoolOverloaded({ pool: mode, pending: this.bag.pending, maxPending })
    }
    return undefined
  }

  lend(lease: Lease<R>, fiber: Fiber.RuntimeFiber<unknown, unknown>): void {
    lease.state = "busy"
    lease.lentAt = this.now()
    const span = fiber.currentSpan
    lease.holder = { span: span?._tag === "Span" ? span.name : "", fiber: `#${fiber.id().id}` }
    this.active += 1
    this.leaks.add(lease)
    lease.resource.lend()
    this.ledger.record("acquired", lease)
  }

  /** Never fails, never waits for the network, and is harmless when the lease has gone another way already. */
  giveBack(lease: Lease<R>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (lease.state !== "busy") return lease.reclaimed ? this.lateReturn(lease) : Effect.void
      this.leaks.remove(lease)
      this.active -= 1
      const clean = lease.resource.takeBack()
      const now = this.now()
      lease.idleSince = now
      lease.lastUsed = now
      this.ledger.record("released", lease)
      lease.holder = undefined
      if (!clean || !lease.resource.isOpen) this.discard(lease, "failed")
      else if (lease.retire || now >= lease.expiresAt) this.discard(lease, lease.retire ? "reset" : "retired")
      else if (this.phase !== "open") this.discard(lease, "closed")
      else this.place(lease)
      if (this.active === 0) this.drained?.()
      return Effect.void
    })
  }

  private lateReturn(lease: Lease<R>): Effect.Effect<void> {
    this.ledger.lateReturns += 1
    return Effect.logWarning("a connection came back after it had been reclaimed").pipe(
      Effect.annotateLogs({ pool: this.options.mode, connectionId: lease.resource.id })
    )
  }

  private place(lease: Lease<R>): void {
    lease.state = "idle"
    this.bag.offer(lease)
  }

  /** False when it is not idle any more. */
  borrowForPing(lease: Lease<R>): boolean {
    if (!this.bag.remove(lease)) return false
    lease.state = "pinging"
    return true
  }

  /** Back to where it was, among the long idle, unless somebody waits for it. */
  returnFromPing(lease: Lease<R>): void {
    if (lease.state !== "pinging") return
    if (this.phase !== "open") this.discard(lease, "closed")
    else if (lease.retire || !lease.resource.isOpen) this.discard(lease, "failed")
    else {
      lease.state = "idle"
      this.bag.offerBelow(lease)
    }
  }

  timedOut(since: number): AcquireTimeout {
    this.ledger.timeouts += 1
    const now = this.now()
    return new AcquireTimeout({
      pool: this.options.mode,
      waited: Duration.millis(now - since),
      active: this.active,
      max: this.options.max,
      pending: this.bag.pending,
      longestHeld: Duration.millis(this.longestHeld(now))
    })
  }

  longestHeld(now: number): number {
    let longest = 0
    for (const lease of this.leases.values()) {
      if (lease.state === "busy") longest = Math.max(longest, now - lease.lentAt)
    }
    return longest
  }

  private closed(sent: boolean): PoolClosed {
    return new PoolClosed({ pool: this.options.mode, sent })
  }

  // ------------------------------------------------------------------------------------------------ opening

  /** Starts as many connection attempts as are needed and allowed. */
  grow(): void {
    while (this.phase === "open" && !this.circuit.isOpen && this.mayConnect() && this.wantsMore()) this.connect()
  }

  private mayConnect(): boolean {
    return this.connecting < maxConnecting && this.leases.size + this.connecting < this.options.max
  }

  private wantsMore(): boolean {
    return this.bag.pending > this.connecting || this.leases.size - this.closing + this.connecting < this.options.min
  }

  private connect(): void {
    this.connecting += 1
    this.forkConnector(this.openOne)
  }

  /** One attempt. Whoever waits first takes what comes of it: callers that leave do not cancel it. */
  private readonly openOne: Effect.Effect<void> = Effect.uninterruptibleMask((restore) =>
    Effect.gen(this, function* () {
      const scope = yield* Scope.make()
      const attempt = Effect.flatMap(this.item(scope), (resource) =>
        Effect.as(Effect.timeoutFail(resource.open, this.connectLimit), resource)
      )
      const exit = yield* Effect.exit(restore(attempt))
      this.connecting -= 1
      if (Exit.isSuccess(exit) && this.phase === "open") {
        this.opened(exit.value, scope, yield* Random.next)
        return
      }
      yield* this.dispose(scope)
      if (Exit.isFailure(exit) && exit.cause._tag === "Fail") yield* this.connectFailed(exit.cause.error)
    })
  )

  private item(scope: Scope.Scope): Effect.Effect<R> {
    const { items } = this
    return items === undefined
      ? Effect.dieMessage("the pool was used before it was made")
      : Scope.extend(
          Effect.tap(items.get, (resource) => Scope.addFinalizer(scope, items.invalidate(resource))),
          scope
        )
  }

  private get connectLimit(): { readonly duration: Duration.Duration; readonly onTimeout: () => ConnectionFailed } {
    const { connectionTimeout, mode, origin } = this.options
    return {
      duration: Duration.min(connectionTimeout, longestConnect),
      onTimeout: () =>
        new ConnectionFailed({ pool: mode, origin, failure: "timeout", code: "CONNECT_TIMEOUT", sent: false })
    }
  }

  private opened(resource: R, scope: Scope.CloseableScope, random: number): void {
    const now = this.now()
    const { maxLifetime } = this.options
    const expiresAt = maxLifetime > 0 ? now + maxLifetime * (1 - 0.025 * random) : Number.POSITIVE_INFINITY
    const lease = new Lease({ resource, scope, now, expiresAt, onLeak: (leaked) => reclaim(this, leaked) })
    this.leases.set(resource, lease)
    this.ledger.record("created", lease)
    const { since } = this.circuit
    if (this.circuit.succeeded()) this.fork(this.ledger.logRecovered(since))
    this.place(lease)
    this.grow()
  }

  private connectFailed(error: ConnectionFailed): Effect.Effect<void> {
    return Effect.flatMap(Random.next, (random) => {
      const { delay, first } = this.circuit.failed(error, this.now())
      this.ledger.connectFailed(error)
      this.dismissHopeless()
      this.forkConnector(this.probeAfter(delay * (0.8 + 0.4 * random)))
      return first ? this.ledger.logDown(error) : Effect.void
    })
  }

  /** As long as one connection lives, those who wait will get it; without any, waiting has no point. */
  private dismissHopeless(): void {
    if (this.circuit.error === undefined || this.leases.size > 0) return
    this.dismiss(this.circuit.error)
  }

  private dismiss(error: AcquireError): void {
    for (const waiter of this.bag.dismiss()) if (waiter instanceof Request) waiter.fail(error)
  }

  private probeAfter(millis: number): Effect.Effect<void> {
    if (this.probing) return Effect.void
    this.probing = true
    return Effect.zipRight(
      this.clock.sleep(Duration.millis(millis)),
      Effect.suspend(() => {
        this.probing = false
        if (this.phase !== "open" || !this.circuit.isOpen || this.connecting > 0) return Effect.void
        if (!this.mayConnect()) return this.probeAfter(millis)
        this.connect()
        return Effect.void
      })
    )
  }

  // ------------------------------------------------------------------------------------------------ closing

  /** Takes a lease that is not lent out of the pool, for good. The socket closes in the background. */
  discard(lease: Lease<R>, why: "idle-closed" | "retired" | "failed" | "reset" | "closed" | "reclaimed"): void {
    if (lease.state === "closing") return
    lease.state = "closing"
    this.bag.remove(lease)
    this.closing += 1
    this.ledger.record(why, lease)
    this.fork(
      Effect.zipRight(
        this.dispose(lease.scope),
        Effect.sync(() => this.forget(lease))
      )
    )
  }

  private forget(lease: Lease<R>): void {
    this.closing -= 1
    this.leases.delete(lease.resource)
    this.dismissHopeless()
    this.grow()
  }

  private dispose(scope: Scope.CloseableScope): Effect.Effect<void> {
    return Effect.uninterruptible(Scope.close(scope, Exit.void))
  }

  /** A lease that was lent too long: its capacity comes back without its borrower's help. */
  takeAway(lease: Lease<R>): void {
    this.active -= 1
    lease.resource.takeBack()
    this.discard(lease, "reclaimed")
    if (this.active === 0) this.drained?.()
  }

  /** Every connection that is open now is replaced: idle ones at once, busy ones when they come back. */
  readonly reset: Effect.Effect<{ readonly closed: number; readonly deferred: number }> = Effect.sync(() => {
    let closed = 0
    let deferred = 0
    for (const lease of [...this.leases.values()]) {
      if (lease.state === "idle") {
        this.discard(lease, "reset")
        closed += 1
      } else if (lease.state !== "closing") {
        lease.retire = true
        deferred += 1
      }
    }
    this.grow()
    return { closed, deferred }
  })

  /** Nobody is let in any more, those who wait are told, those who work may finish within the shutdown timeout. */
  readonly shutdown: Effect.Effect<void> = Effect.gen(this, function* () {
    this.phase = "draining"
    this.dismiss(this.closed(false))
    yield* FiberSet.clear(this.connectors)
    for (const lease of [...this.leases.values()]) if (lease.state === "idle") this.discard(lease, "closed")
    if (this.active > 0) {
      yield* Effect.timeoutOption(Effect.interruptible(this.whenIdle), this.options.shutdownTimeout)
    }
    for (const lease of [...this.leases.values()]) {
      if (lease.state !== "busy") continue
      lease.resource.abort((sent) => this.closed(sent))
      this.leaks.remove(lease)
      this.takeAway(lease)
    }
    this.phase = "closed"
    yield* Effect.forEach([...this.leases.values()], (lease) => this.dispose(lease.scope), { discard: true })
  })

  private readonly whenIdle: Effect.Effect<void> = Effect.async((resume) => {
    this.drained = () => {
      if (this.active === 0) resume(Effect.void)
    }
    this.drained()
  })

  /** The other side closed an idle socket. */
  private readonly lost = (resource: R): void => {
    const lease = this.leases.get(resource)
    if (lease?.state === "idle") this.discard(lease, "failed")
  }

  static make<R extends Resource>(options: CoreOptions<R>): Effect.Effect<Core<R>, never, Scope.Scope> {
    return Effect.gen(function* () {
      const deadlines = yield* Deadlines.make(options.connectionTimeout)
      const leaks = yield* Deadlines.make(options.leakDetectionTimeout)
      const connectors = yield* FiberSet.make()
      const runConnector = yield* FiberSet.runtime(connectors)<never>()
      const run = yield* FiberSet.makeRuntime<never>()
      const core: Core<R> = new Core(options, {
        clock: yield* Clock.clockWith(Effect.succeed),
        deadlines,
        leaks,
        connectors,
        // Not at once: what is forked here must not run inside the change of state that forks it.
        fork: (effect) => run(effect, { immediate: false }),
        forkConnector: (effect) => runConnector(effect, { immediate: false })
      })
      core.items = yield* Pool.makeWithTTL({
        acquire: options.acquire(core.lost),
        min: options.min,
        max: options.max,
        timeToLive: Duration.millis(Math.max(1, options.idleTimeout)),
        timeToLiveStrategy: "usage"
      })
      yield* Effect.addFinalizer(() => core.shutdown)
      core.grow()
      return core
    })
  }
}
