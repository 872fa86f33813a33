/**
 * Opens what the pool lacks, as many at a time as `connectAllowance.ts` says, and one at a time while connecting fails.
 *
 * An attempt belongs to nobody. Whoever waits first takes what comes of it, so a caller that leaves does not cancel it,
 * and it may last longer than that caller was willing to wait.
 *
 * Nor is a silent server waited for: beside an attempt that hangs, fresh ones go out, one at a time, and the first that
 * succeeds ends it. It is not given up before that: where connecting takes long, it is the one that will succeed. Where
 * there is no place beside it, since there are never more sockets than the pool may have, it is ended after a while and
 * started again; and should nothing come of that either, the next has all its time.
 */
import { Cause, Deferred, Duration, Effect, Exit, FiberId, type FiberSet, type Pool, Random, Scope } from "effect"
import { ConnectionFailed, type Mode } from "../../Errors.js"
import { keeping } from "../shared/asyncContext.js"
import { AwakeClock } from "../shared/awakeClock.js"
import { Signal } from "../shared/signal.js"
import { Circuit } from "./circuit.js"
import { type Allowance, afterFailure, afterSilence, afterSuccess, untried } from "./connectAllowance.js"
import type { Resource } from "./lease.js"
import type { Slot } from "./poolItem.js"
import type { Ledger } from "./poolStatistics.js"

/** After this long (ms) without a new connection the allowance is reset: what the server accepted then says nothing about now. */
const memory = 10_000

/** A connection attempt that takes longer than this has failed, however long callers are willing to wait. */
const longestConnect = Duration.seconds(10)

/** An attempt (ms) without a word for so long may hang, and a probe beside it gets no longer than this. */
const patience = 1_000
const quick = Duration.millis(patience)

/** Where no probe may go out beside one (ms) that hangs. By then TCP has sent its first packet for the third time. */
const patienceAlone = 3_000

/** One that is under way. */
class Attempt {
  /** It has lasted longer than `patience`. */
  slow = false
  /** Done when another that began later was faster. */
  readonly overtaken: Deferred.Deferred<never, Overtaken>
  readonly began: number
  readonly isProbe: boolean

  constructor(began: number, isProbe: boolean, overtaken: Deferred.Deferred<never, Overtaken>) {
    this.began = began
    this.isProbe = isProbe
    this.overtaken = overtaken
  }
}

/** Ends an attempt without being a failure to connect. */
class Overtaken {
  readonly _tag = "Overtaken"
}

/** What opening needs of the pool. */
export interface Ground<R extends Resource> {
  readonly options: {
    readonly mode: Mode
    readonly origin: string
    readonly proxy?: string | undefined
    readonly min: number
    readonly max: number
  }
  readonly ledger: Ledger
  readonly phase: "open" | "draining" | "closed"
  /** Sockets that are not gone yet, those that are closing included. */
  readonly leases: { readonly size: number }
  /** Sockets that are open and not on their way out. */
  readonly total: number
  /** So many are open also where nobody asks. */
  readonly least: number
  readonly bag: { readonly pending: number }
  now(): number
  fork(effect: Effect.Effect<void>): void
  /** Takes in a connection that is open. */
  admit(resource: R, scope: Scope.CloseableScope, random: number, answers: number): void
  /** Tells those who wait, when there is nothing left to wait for. */
  dismissHopeless(): void
}

export class Opener<R extends Resource> {
  readonly circuit: Circuit = new Circuit()
  connecting = 0
  private allowance: Allowance = untried
  private lastOpened = Number.NEGATIVE_INFINITY
  /** Set right after construction: Effect's `Pool` makes resources that tell this pool of their end. */
  items: Pool.Pool<Slot<R>> | undefined = undefined
  /** From the moment a probe is planned until it begins. */
  private planned = false
  private lastProbe = Number.NEGATIVE_INFINITY
  /** When the first began of those that were ended for a fresh one: together they have the time of one. */
  private hungSince: number | undefined = undefined
  /** The last time that nothing came of fresh ones, so perhaps connecting takes long. */
  private isPatient = false
  private readonly underway: Set<Attempt> = new Set()
  /** Connecting works again after it has failed. */
  readonly recovery: Signal = new Signal()
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
    if (this.isDoubtful) this.planProbe()
    if (this.connecting === 0 && this.pool.now() - this.lastOpened > memory) this.allowance = untried
    while (!this.circuit.isOpen && this.hasRoom && this.isWanted(this.connecting)) this.connect(this.openOne)
  }

  /** Connecting failed, or what it gave was worth nothing. `grow` plans the next attempt when its socket is gone. */
  failed(error: ConnectionFailed): void {
    if (this.pool.phase !== "open") return
    this.allowance = afterFailure
    this.pool.ledger.connectFailed(error)
    if (this.circuit.failed(error, this.pool.now())) this.pool.fork(this.pool.ledger.logDown(error))
    this.pool.dismissHopeless()
  }

  /**
   * Ends all attempts, and does not wait for them: one may wait for Effect's `Pool` to make an item, which it does no more
   * where its scope closes, so that only the end of that `Pool` ends the attempt. The scope waits for them after that.
   */
  stop(): void {
    for (const attempt of this.attempts) attempt.unsafeInterruptAsFork(FiberId.none)
    this.connecting = 0
  }

  failure(failure: ConnectionFailed["failure"], code: string): ConnectionFailed {
    const { mode, origin, proxy } = this.pool.options
    return new ConnectionFailed({ pool: mode, origin, failure, code, sent: false, proxy })
  }

  get destination(): { readonly connectingTo: string; readonly proxy: string | undefined } {
    const { origin, proxy } = this.pool.options
    return { connectingTo: origin, proxy }
  }

  private get hasRoom(): boolean {
    return this.connecting < this.allowance.connects && this.pool.leases.size + this.connecting < this.pool.options.max
  }

  private isWanted(coming: number): boolean {
    return this.pool.bag.pending > coming || this.pool.total + coming < this.pool.least
  }

  private get hanging(): number {
    let hanging = 0
    for (const attempt of this.underway) if (attempt.slow) hanging += 1
    return hanging
  }

  /** Whether it has to be found out if connecting works. */
  private get isDoubtful(): boolean {
    return this.circuit.isOpen || (this.hanging > 0 && this.isWanted(this.connecting - this.hanging))
  }

  /** Not counted any more where all were stopped. */
  private ended(): void {
    if (this.pool.phase === "open") this.connecting -= 1
  }

  private connect(attempt: Effect.Effect<void>): void {
    this.connecting += 1
    this.forkAttempt(attempt)
  }

  /** One at a time, but for those that hang. */
  private planProbe(): void {
    if (this.planned) return
    for (const { isProbe, slow } of this.underway) if (isProbe && !slow) return
    this.planned = true
    this.forkAttempt(this.probeLater)
  }

  /** From beginning to beginning, so that one which hangs does not make the next come later. */
  private readonly probeLater: Effect.Effect<void> = Effect.interruptible(
    Effect.flatMap(Random.next, (random) => {
      const delay = this.circuit.nextDelay() * (0.8 + 0.4 * random)
      const elapsed = this.hanging > 0 ? this.pool.now() - this.lastProbe : 0
      return AwakeClock.pause(Duration.millis(Math.max(0, delay - elapsed)))
    })
  ).pipe(
    Effect.zipRight(
      Effect.sync(() => {
        if (this.pool.phase === "open" && this.isDoubtful && this.hasRoom) {
          this.lastProbe = this.pool.now()
          this.connect(this.probeOne)
          return
        }
        this.planned = false
        this.makeRoom()
      })
    )
  )

  private attempt(
    { isProbe, isQuick = false }: { readonly isProbe: boolean; readonly isQuick?: boolean },
    make: (scope: Scope.Scope) => Effect.Effect<R, ConnectionFailed>
  ): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const scope = yield* Scope.make()
      const random = yield* Random.next
      const current = new Attempt(this.pool.now(), isProbe, yield* Deferred.make<never, Overtaken>())
      this.underway.add(current)
      if (isProbe) this.planned = false
      const limit = isQuick ? quick : this.timeLeft(current)
      const tooLong = { duration: limit, onTimeout: () => this.failure("timeout", "CONNECT_TIMEOUT") }
      const exit = yield* Effect.raceFirst(
        Effect.timeoutFail(make(scope), tooLong),
        Effect.zipRight(isQuick ? Effect.void : this.watch(current), Deferred.await(current.overtaken))
      ).pipe(Effect.interruptible, Effect.exit)
      this.underway.delete(current)
      // From here to `admit` no other fiber may run, or it would see a place that is free and is not.
      if (Exit.isSuccess(exit) && exit.value.isOpen && this.pool.phase === "open") {
        this.succeeded()
        this.pool.ledger.opened(this.pool.now() - current.began)
        this.overtake(current)
        this.recovered()
        this.pool.admit(exit.value, scope, random, isProbe ? 1 : 0)
        return
      }
      // A probe was answered. Some servers close after each answer, and are well.
      if (Exit.isSuccess(exit) && isProbe && this.pool.phase === "open") {
        this.recovered()
        yield* Scope.close(scope, Exit.void)
        this.ended()
        return
      }
      const error = this.errorOf(exit)
      if (error !== undefined && !isQuick) this.learn(error)
      if (error !== undefined && !(isQuick && this.isInconclusive(error))) this.failed(error)
      yield* Scope.close(scope, Exit.void)
      this.ended()
    })
  }

  private succeeded(): void {
    this.allowance = afterSuccess(this.allowance, this.connecting)
    this.ended()
    this.lastOpened = this.pool.now()
    this.hungSince = undefined
  }

  /** Sees to it that a probe goes out when the attempt hangs, or that it makes place for a fresh one. */
  private watch(current: Attempt): Effect.Effect<void, Overtaken> {
    return Effect.gen(this, function* () {
      yield* Effect.sleep(patience)
      current.slow = true
      this.allowance = afterSilence(this.allowance, this.connecting)
      this.grow()
      yield* Effect.timeoutOption(Deferred.await(current.overtaken), patienceAlone - patience)
      if (this.isPatient || this.hasRoom || this.connecting >= this.allowance.connects) return
      this.hungSince ??= current.began
      Deferred.unsafeDone(current.overtaken, Effect.fail(new Overtaken()))
    })
  }

  /** So that those who wait hear no later that nobody answers. */
  private timeLeft({ began }: Attempt): Duration.Duration {
    const left = Duration.subtract(longestConnect, this.hungSince === undefined ? 0 : began - this.hungSince)
    if (Duration.greaterThanOrEqualTo(left, quick)) return left
    this.hungSince = undefined
    return longestConnect
  }

  /** An attempt that had its time has failed. */
  private learn({ failure }: ConnectionFailed): void {
    if (failure === "timeout") this.isPatient = this.hungSince !== undefined
    this.hungSince = undefined
  }

  /** What hangs since before `faster` began will come to nothing, and its failure would be old news. */
  private overtake(faster: Attempt): void {
    for (const attempt of this.underway) {
      if (attempt.began + patience <= faster.began) Deferred.unsafeDone(attempt.overtaken, Effect.fail(new Overtaken()))
    }
  }

  /** Of those that hang the elder are kept. The end of the other brings a probe. */
  private makeRoom(): void {
    if (this.hanging < this.allowance.connects) return
    const youngest = [...this.underway].at(-1)
    if (youngest !== undefined) Deferred.unsafeDone(youngest.overtaken, Effect.fail(new Overtaken()))
  }

  /** A probe that got little time beside one that hangs says nothing while nothing has failed. */
  private isInconclusive(error: ConnectionFailed): boolean {
    return error.failure === "timeout" && !this.circuit.isOpen
  }

  private recovered(): void {
    const { since } = this.circuit
    if (!this.circuit.succeeded(this.pool.now())) return
    this.pool.fork(this.pool.ledger.logRecovered(since))
    this.recovery.tell()
  }

  /** Nothing when the pool itself ended the attempt, or a faster one did. */
  private errorOf(exit: Exit.Exit<R, ConnectionFailed | Overtaken>): ConnectionFailed | undefined {
    if (Exit.isSuccess(exit)) return exit.value.refused ?? this.failure("closed", "ECONNRESET")
    const failure = Cause.failureOrCause(exit.cause)
    if (failure._tag === "Left") return failure.left._tag === "Overtaken" ? undefined : failure.left
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
          // The first are made by whom the pool was built by.
          Effect.flatMap(keeping(items.get), (slot) =>
            Effect.zipRight(
              Scope.addFinalizer(scope, items.invalidate(slot)),
              slot.resource === undefined
                ? Effect.dieMessage("Effect's Pool gave what it had closed")
                : Effect.succeed(slot.resource)
            )
          ),
          scope
        )
  }

  private readonly openOne: Effect.Effect<void> = Effect.suspend(() =>
    this.attempt({ isProbe: false }, (scope) => Effect.tap(this.item(scope), (resource) => resource.open))
  ).pipe(Effect.zipRight(Effect.sync(() => this.grow())), Effect.uninterruptible)

  /** It must be answered too: a proxy accepts connections to a database that is away, and closes them again. */
  private readonly probeOne: Effect.Effect<void> = Effect.suspend(() =>
    this.attempt({ isProbe: true, isQuick: this.hanging > 0 }, (scope) =>
      Effect.tap(this.item(scope), (resource) =>
        Effect.zipRight(
          resource.open,
          Effect.mapError(resource.ping, () => resource.refused ?? this.failure("closed", "NO_ANSWER"))
        )
      )
    )
  ).pipe(Effect.zipRight(Effect.sync(() => this.grow())), Effect.uninterruptible)
}
