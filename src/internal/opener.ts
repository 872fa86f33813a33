/**
 * Opens what the pool lacks: at most two sockets at a time, and one at a time while connecting fails.
 *
 * An attempt belongs to nobody. Whoever waits first takes what comes of it, so a caller that leaves does not cancel it,
 * and it may last longer than that caller was willing to wait.
 */
import { Cause, Duration, Effect, Exit, FiberSet, type Pool, Random, Scope } from "effect"
import { ConnectionFailed, type Mode } from "../Errors.js"
import { Circuit } from "./circuit.js"
import type { Resource } from "./lease.js"
import type { Ledger } from "./ledger.js"

/** At most so many sockets connect at a time (HikariCP opens one at a time; two halve the warm-up). */
const maxConnecting = 2

/** A connection attempt that takes longer than this has failed, however long callers are willing to wait. */
const longestConnect = Duration.seconds(10)

/** What opening needs of the pool. */
export interface Ground<R extends Resource> {
  readonly options: { readonly mode: Mode; readonly origin: string; readonly min: number; readonly max: number }
  readonly ledger: Ledger
  readonly phase: "open" | "draining" | "closed"
  /** Sockets that are not gone yet, those that are closing included. */
  readonly leases: { readonly size: number }
  /** Sockets that are open and not on their way out. */
  readonly total: number
  readonly bag: { readonly pending: number }
  now(): number
  fork(effect: Effect.Effect<void>): void
  /** Takes in a connection that is open. */
  admit(resource: R, scope: Scope.CloseableScope, random: number): void
  /** Tells those who wait, when there is nothing left to wait for. */
  dismissHopeless(): void
}

export class Opener<R extends Resource> {
  readonly circuit: Circuit = new Circuit()
  connecting = 0
  /** Set right after construction: Effect's `Pool` makes resources that tell this pool of their end. */
  items: Pool.Pool<R> | undefined = undefined
  /** From the moment a probe is planned until it has ended. */
  private probing = false
  private readonly pool: Ground<R>
  private readonly attempts: FiberSet.FiberSet
  private readonly forkAttempt: (effect: Effect.Effect<void>) => void

  constructor(
    pool: Ground<R>,
    attempts: FiberSet.FiberSet,
    /** Forks into `attempts`, not at once. */
    forkAttempt: (effect: Effect.Effect<void>) => void
  ) {
    this.pool = pool
    this.attempts = attempts
    this.forkAttempt = forkAttempt
  }

  /** Starts as many attempts as are needed and allowed; while connecting fails, sees that a probe goes out. */
  grow(): void {
    if (this.pool.phase !== "open") return
    if (this.circuit.isOpen) this.planProbe()
    else while (this.hasRoom && this.isWanted) this.connect(this.openOne)
  }

  /** Connecting failed, or what it gave was worth nothing. `grow` plans the next attempt when its socket is gone. */
  failed(error: ConnectionFailed): void {
    if (this.pool.phase !== "open") return
    this.pool.ledger.connectFailed(error)
    if (this.circuit.failed(error, this.pool.now())) this.pool.fork(this.pool.ledger.logDown(error))
    this.pool.dismissHopeless()
  }

  /** Ends all attempts. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() =>
    Effect.ensuring(
      FiberSet.clear(this.attempts),
      // One that had not begun has not counted itself down.
      Effect.sync(() => {
        this.connecting = 0
      })
    )
  )

  failure(failure: ConnectionFailed["failure"], code: string): ConnectionFailed {
    const { mode, origin } = this.pool.options
    return new ConnectionFailed({ pool: mode, origin, failure, code, sent: false })
  }

  private get hasRoom(): boolean {
    return this.connecting < maxConnecting && this.pool.leases.size + this.connecting < this.pool.options.max
  }

  private get isWanted(): boolean {
    return this.pool.bag.pending > this.connecting || this.pool.total + this.connecting < this.pool.options.min
  }

  private connect(attempt: Effect.Effect<void>): void {
    this.connecting += 1
    this.forkAttempt(attempt)
  }

  private planProbe(): void {
    if (this.probing) return
    this.probing = true
    this.forkAttempt(this.probeLater)
  }

  private readonly probeLater: Effect.Effect<void> = Effect.interruptible(
    Effect.flatMap(Random.next, (random) => Effect.sleep(this.circuit.nextDelay() * (0.8 + 0.4 * random)))
  ).pipe(
    Effect.zipRight(
      Effect.sync(() => {
        if (this.pool.phase === "open" && this.circuit.isOpen && this.hasRoom) this.connect(this.probeOne)
        else this.probing = false
      })
    )
  )

  private attempt(make: (scope: Scope.Scope) => Effect.Effect<R, ConnectionFailed>): Effect.Effect<void> {
    return Effect.uninterruptible(
      Effect.gen(this, function* () {
        const scope = yield* Scope.make()
        const random = yield* Random.next
        const began = this.pool.now()
        const limit = { duration: longestConnect, onTimeout: () => this.failure("timeout", "CONNECT_TIMEOUT") }
        const exit = yield* Effect.exit(Effect.interruptible(Effect.timeoutFail(make(scope), limit)))
        // From here to `admit` no other fiber may run, or it would see a place that is free and is not.
        if (Exit.isSuccess(exit) && exit.value.isOpen && this.pool.phase === "open") {
          this.connecting -= 1
          this.pool.ledger.opened(this.pool.now() - began)
          this.admit(exit.value, scope, random)
          return
        }
        const error = this.errorOf(exit)
        if (error !== undefined) this.failed(error)
        yield* Scope.close(scope, Exit.void)
        this.connecting -= 1
      })
    )
  }

  private admit(resource: R, scope: Scope.CloseableScope, random: number): void {
    const { since } = this.circuit
    if (this.circuit.succeeded(this.pool.now())) this.pool.fork(this.pool.ledger.logRecovered(since))
    this.pool.admit(resource, scope, random)
  }

  /** Nothing when the pool itself ended the attempt. */
  private errorOf(exit: Exit.Exit<R, ConnectionFailed>): ConnectionFailed | undefined {
    if (Exit.isSuccess(exit)) return this.failure("closed", "ECONNRESET")
    const failure = Cause.failureOrCause(exit.cause)
    if (failure._tag === "Left") return failure.left
    if (Cause.isInterruptedOnly(exit.cause)) return undefined
    this.pool.fork(Effect.logError("a defect while connecting", exit.cause))
    return this.failure("unreachable", "DEFECT")
  }

  /** Only makes the object. It goes out of Effect's `Pool` for good, for its socket cannot be opened twice. */
  private item(scope: Scope.Scope): Effect.Effect<R> {
    const { items } = this
    return items === undefined
      ? Effect.dieMessage("the pool was used before it was made")
      : Scope.extend(
          Effect.tap(items.get, (resource) => Scope.addFinalizer(scope, items.invalidate(resource))),
          scope
        )
  }

  private readonly openOne: Effect.Effect<void> = Effect.suspend(() =>
    this.attempt((scope) => Effect.tap(this.item(scope), (resource) => resource.open))
  ).pipe(Effect.zipRight(Effect.sync(() => this.grow())))

  /** It must be answered too: a proxy accepts connections to a database that is away, and closes them again. */
  private readonly probeOne: Effect.Effect<void> = Effect.suspend(() =>
    this.attempt((scope) =>
      Effect.tap(this.item(scope), (resource) =>
        Effect.zipRight(
          resource.open,
          Effect.mapError(resource.ping, () => this.failure("closed", "NO_ANSWER"))
        )
      )
    )
  ).pipe(
    Effect.zipRight(
      Effect.sync(() => {
        this.probing = false
        this.grow()
      })
    )
  )
}
