/**
 * Opens what the pool lacks, as `connectState.ts` says.
 *
 * An attempt belongs to nobody. Whoever waits first takes what comes of it, so a caller that leaves does not cancel it,
 * and it may last longer than that caller was willing to wait.
 */
import { Cause, Deferred, Duration, Effect, Exit, FiberId, type FiberSet, type Pool, Random, Scope } from "effect"
import { ConnectionFailed, type Mode } from "../../Errors.js"
import { keeping } from "../shared/asyncContext.js"
import { AwakeClock } from "../shared/awakeClock.js"
import { Signal } from "../shared/signal.js"
import * as Circuit from "./circuit.js"
import {
  type Attempt,
  type ConnectCommand,
  type ConnectEvent,
  type ConnectState,
  type Demand,
  find,
  initial,
  patience,
  patienceAlone,
  step
} from "./connectState.js"
import type { Resource } from "./lease.js"
import type { PoolItem } from "./poolItem.js"
import type { PoolStatistics } from "./poolStatistics.js"

/** Ends an attempt without being a failure to connect. */
class GivenUp {
  readonly _tag = "GivenUp"
}

/** What connecting needs of the pool. */
export interface Ground<R extends Resource> {
  readonly options: {
    readonly mode: Mode
    readonly origin: string
    readonly proxy?: string | undefined
    readonly max: number
  }
  readonly statistics: PoolStatistics
  readonly phase: "open" | "draining" | "closed"
  /** Sockets that are not gone yet, those that are closing included. */
  readonly leases: { readonly size: number }
  /** Sockets that are open and not on their way out. */
  readonly total: number
  /** So many are open also where nobody asks. */
  readonly least: number
  readonly bag: { readonly pending: number; readonly idleCount: number }
  /** How many may be lent at once, where that is less than there may be. */
  readonly limiter: { readonly places: number } | undefined
  now(): number
  fork(effect: Effect.Effect<void>): void
  /** Takes in a connection that is open. */
  admit(resource: R, scope: Scope.CloseableScope, random: number, answers: number): void
  /** Tells those who wait, when there is nothing left to wait for. */
  dismissHopeless(): void
}

export class Connector<R extends Resource> {
  /** Set right after construction: Effect's `Pool` makes resources that tell this pool of their end. */
  items: Pool.Pool<PoolItem<R>> | undefined = undefined
  /** Connecting works again after it has failed. */
  readonly recovery: Signal = new Signal()
  private state: ConnectState = initial
  /** Ends the attempt of that number. */
  private readonly givenUp: Map<number, Deferred.Deferred<never, GivenUp>> = new Map()
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

  get connecting(): number {
    return this.state.attempts.length
  }

  /** The last failure, while connecting fails. */
  get error(): ConnectionFailed | undefined {
    return this.state.circuit.error
  }

  get isReachable(): boolean {
    return !Circuit.isOpen(this.state.circuit)
  }

  /** Starts as many attempts as are needed and allowed; while connecting fails, sees that a probe goes out. */
  grow(): void {
    this.take({ _tag: "Look" })
  }

  /** What connecting gave was worth nothing. `grow` plans the next attempt when its socket is gone. */
  failed(error: ConnectionFailed): void {
    this.take({ _tag: "Worthless", error })
  }

  /**
   * Ends all attempts, and does not wait for them: one may wait for Effect's `Pool` to make an item, which it does no more
   * where its scope closes, so that only the end of that `Pool` ends the attempt. The scope waits for them after that.
   */
  stop(): void {
    for (const attempt of this.attempts) attempt.unsafeInterruptAsFork(FiberId.none)
    this.state = { ...this.state, attempts: [] }
  }

  failure(failure: ConnectionFailed["failure"], code: string): ConnectionFailed {
    const { mode, origin, proxy } = this.pool.options
    return new ConnectionFailed({ pool: mode, origin, failure, code, sent: false, proxy })
  }

  get destination(): { readonly connectingTo: string; readonly proxy: string | undefined } {
    const { origin, proxy } = this.pool.options
    return { connectingTo: origin, proxy }
  }

  // -----------------------------------------------------------------------------------
  // what happened, and what is done about it
  // -----------------------------------------------------------------------------------

  private take(event: ConnectEvent): void {
    if (this.pool.phase !== "open") return
    const { commands, state } = step(this.state, event, this.demand())
    this.state = state
    for (const command of commands) this.execute(command)
  }

  private demand(): Demand {
    const { bag, leases, least, limiter, options, total } = this.pool
    const asked = { now: this.pool.now(), sockets: leases.size, total, least }
    if (limiter === undefined) return { ...asked, max: options.max, pending: bag.pending }
    // Who waits while one is idle waits for the limit, and no other connection helps.
    const pending = bag.idleCount > 0 ? 0 : bag.pending
    return { ...asked, max: Math.min(options.max, Math.max(least, limiter.places)), pending }
  }

  private execute(command: ConnectCommand): void {
    if (command._tag === "Begin") this.forkAttempt(this.attempt(command.id))
    else if (command._tag === "PlanProbe") this.forkAttempt(this.probeAfter(command))
    else if (command._tag === "GiveUp") this.giveUp(command.id)
    else if (command._tag === "TellFailure") this.tellFailure(command.error, command.isFirst)
    else {
      this.pool.fork(this.pool.statistics.logRecovered(command.since))
      this.recovery.tell()
    }
  }

  private giveUp(id: number): void {
    const deferred = this.givenUp.get(id)
    if (deferred !== undefined) Deferred.unsafeDone(deferred, Effect.fail(new GivenUp()))
  }

  private tellFailure(error: ConnectionFailed, isFirst: boolean): void {
    this.pool.statistics.connectFailed(error)
    if (isFirst) this.pool.fork(this.pool.statistics.logDown(error))
    this.pool.dismissHopeless()
  }

  private probeAfter(plan: { readonly delay: number; readonly elapsed: number }): Effect.Effect<void> {
    return Effect.interruptible(
      Effect.flatMap(Random.next, (random) =>
        AwakeClock.pause(Duration.millis(Math.max(0, plan.delay * (0.8 + 0.4 * random) - plan.elapsed)))
      )
    ).pipe(Effect.zipRight(Effect.sync(() => this.take({ _tag: "ProbeDue" }))))
  }

  // -----------------------------------------------------------------------------------
  // one attempt
  // -----------------------------------------------------------------------------------

  private attempt(id: number): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const scope = yield* Scope.make()
      const random = yield* Random.next
      const givenUp = yield* Deferred.make<never, GivenUp>()
      this.take({ _tag: "Began", id })
      const current = find(this.state, id)
      if (current === undefined) return
      this.givenUp.set(id, givenUp)
      const exit = yield* Effect.exit(Effect.interruptible(this.raced(current, scope, givenUp)))
      this.givenUp.delete(id)
      // From here to `admit` no other fiber may run, or it would see a place that is free and is not.
      if (Exit.isSuccess(exit) && exit.value.isOpen && this.pool.phase === "open") {
        this.pool.statistics.opened(this.pool.now() - current.began)
        this.take({ _tag: "Opened", id })
        this.pool.admit(exit.value, scope, random, current.kind === "usual" ? 0 : 1)
      } else {
        this.take(this.eventOf(current, exit))
        yield* Scope.close(scope, Exit.void)
        this.take({ _tag: "Gone", id })
      }
      this.grow()
    }).pipe(Effect.uninterruptible)
  }

  /** Until it is open, has had its time, or is given up. */
  private raced(
    current: Attempt,
    scope: Scope.Scope,
    givenUp: Deferred.Deferred<never, GivenUp>
  ): Effect.Effect<R, ConnectionFailed | GivenUp> {
    const opened = Effect.timeoutFail(current.kind === "usual" ? this.open(scope) : this.probe(scope), {
      duration: current.limit,
      onTimeout: () => this.failure("timeout", "CONNECT_TIMEOUT")
    })
    const ended = Deferred.await(givenUp)
    return Effect.raceFirst(
      opened,
      current.kind === "quick" ? ended : Effect.zipRight(this.watch(current.id, ended), ended)
    )
  }

  private watch(id: number, ended: Effect.Effect<never, GivenUp>): Effect.Effect<void, GivenUp> {
    return Effect.gen(this, function* () {
      yield* Effect.sleep(patience)
      this.take({ _tag: "Slow", id })
      yield* Effect.timeoutOption(ended, patienceAlone - patience)
      this.take({ _tag: "Silent", id })
    })
  }

  private eventOf({ id, kind }: Attempt, exit: Exit.Exit<R, ConnectionFailed | GivenUp>): ConnectEvent {
    if (Exit.isSuccess(exit) && kind !== "usual") return { _tag: "ProbeAnswered", id }
    const error = this.errorOf(exit)
    return error === undefined ? { _tag: "Ended", id } : { _tag: "Failed", id, error }
  }

  /** Nothing when the pool itself ended the attempt, or a faster one did. */
  private errorOf(exit: Exit.Exit<R, ConnectionFailed | GivenUp>): ConnectionFailed | undefined {
    if (Exit.isSuccess(exit)) return exit.value.refused ?? this.failure("closed", "ECONNRESET")
    const failure = Cause.failureOrCause(exit.cause)
    if (failure._tag === "Left") return failure.left._tag === "GivenUp" ? undefined : failure.left
    if (Cause.isInterruptedOnly(exit.cause)) return undefined
    this.pool.fork(Effect.logError("a defect while connecting", exit.cause))
    return this.failure("unreachable", "DEFECT")
  }

  private open(scope: Scope.Scope): Effect.Effect<R, ConnectionFailed> {
    return Effect.tap(this.item(scope), (resource) => resource.open)
  }

  /** It must be answered too: a proxy accepts connections to a database that is away, and closes them again. */
  private probe(scope: Scope.Scope): Effect.Effect<R, ConnectionFailed> {
    return Effect.tap(this.open(scope), (resource) =>
      Effect.mapError(resource.ping, () => resource.refused ?? this.failure("closed", "NO_ANSWER"))
    )
  }

  /** Only makes the object. It goes out of Effect's `Pool` for good, for its socket cannot be opened twice. */
  private item(scope: Scope.Scope): Effect.Effect<R> {
    const { items } = this
    return items === undefined
      ? Effect.dieMessage("the pool was used before it was made")
      : Scope.extend(
          // The first are made by whom the pool was built by.
          Effect.flatMap(keeping(items.get), (item) =>
            Effect.zipRight(
              Scope.addFinalizer(scope, items.invalidate(item)),
              item.resource === undefined
                ? Effect.dieMessage("Effect's Pool gave what it had closed")
                : Effect.succeed(item.resource)
            )
          ),
          scope
        )
  }
}
