/**
 * What becomes of an operation whose first attempt failed: whether there is another, when, and which error its caller gets.
 *
 * It is made when the first attempt has failed, so that an operation that succeeds at once pays nothing for it. What the
 * operation's attempts know of each other is here; a single attempt is the operation's own business.
 */
import { Duration, Effect, Random, Schedule } from "effect"
import { type DbError, isDbError, type Mode } from "../../Errors.js"
import * as Retry from "../../Retry.js"
import { cutOffCode, isTokenRefused } from "../errors/errorCodes.js"
import { bodyAfterHead } from "../pool/hangUps.js"
import { keeping } from "../shared/asyncContext.js"
import type { Signal } from "../shared/signal.js"
import { isAway } from "./absence.js"
import type { RunOptions } from "./operation.js"
import type { OperationContext } from "./operationContext.js"

/** What a repetition needs of its operation. */
export interface Attempts<A, E, R> {
  readonly mode: Mode
  readonly options: RunOptions
  /** Attempts after the first. */
  readonly retries: number
  /** Requests of the last attempt that may have changed something. */
  readonly writes: number
  /** The builder said that it must not be repeated. */
  readonly isOnce: boolean
  /** A long question was hung up on, and the attempt asked first whether the socket is alive. */
  readonly proves: boolean
  /** A function is asked for the token, anew for each attempt. */
  readonly asksForToken: boolean
  /** Time left for waiting for a connection, in ms. */
  readonly remaining: number
  /** Told when connecting works again. */
  readonly recovery: Signal
  /** Another attempt. */
  next(options: { readonly proves: boolean }): Effect.Effect<A, E | DbError, R>
}

export class Repetition<A, E, R> {
  /** Repetitions that stand for an attempt which met a closed socket: they are not counted as retries. */
  private replays = 0
  /** There was an attempt with a fresh token, for one whose token was refused. It is not counted as a retry either. */
  private renewed = false
  /** A delay was cut short since the server was back. */
  private woken = false
  /** The first error of a write after which it may have been executed: nothing that comes later can take it back. */
  private doubt: DbError | undefined = undefined
  /** The error of the last attempt that asked something. */
  private told: DbError | undefined = undefined
  private readonly context: OperationContext
  private readonly of: Attempts<A, E, R>

  constructor(context: OperationContext, of: Attempts<A, E, R>) {
    this.context = context
    this.of = of
  }

  /** Whether the first attempt, which failed with this, is followed by another. */
  isDue(error: unknown): error is DbError {
    return this.mayRepeat(error) || this.mayReplay(error) || this.mayRenew(error)
  }

  private mayRepeat(error: unknown): error is DbError {
    return (
      this.isRepeatable(error) &&
      this.of.retries - this.replays - (this.renewed ? 1 : 0) < this.context.retryingOf(this.of.options).maxRetries
    )
  }

  /** At once, and once: a token that has expired was good when somebody kept it, and the next is asked for now. */
  private mayRenew(error: unknown): error is DbError {
    return !this.renewed && isDbError(error) && isRefusedToken(error) && this.of.asksForToken && this.isAllowed(error)
  }

  /** At once, on another socket. Where nothing was sent that is no retry, so that it is done without any, too. */
  private mayReplay(error: unknown): error is DbError {
    if (!staleSocket(error) && !isCutOff(error)) return false
    if (isSent(error)) return this.replays === 0 && this.mayRepeat(error)
    return this.replays < mostReplays && this.isRepeatable(error)
  }

  private isRepeatable(error: unknown): error is DbError {
    if (!isDbError(error)) return false
    const { mode, options } = this.of
    const idempotent = options.idempotent === true
    if (isSent(error) && !isUnserved(error)) this.told = error
    if (mode === "write" && error.mayHaveExecuted) this.doubt ??= error
    return (Retry.isRetryable(error, { mode, idempotent }) || this.isUnproven(error)) && this.isAllowed(error)
  }

  /** Whatever the error is: nothing else of the operation stands against another attempt. */
  private isAllowed(error: DbError): boolean {
    const { isOnce, mode, options, writes } = this.of
    // An operation of several requests: an earlier one may have been executed although the last was not.
    if (mode === "write" && writes > 0 && options.idempotent !== true) return false
    if (isOnce) return false
    const { while: goesOn } = this.context.retryingOf(options)
    return goesOn === undefined || goesOn(error)
  }

  /**
   * A server that hangs up on a long question does so again, but a socket that was dead before says as much. So once more,
   * on one that has just answered.
   */
  private isUnproven(error: DbError): boolean {
    const { mode, options, proves } = this.of
    return !proves && isCutOff(error) && (mode === "read" || options.idempotent === true)
  }

  /** The attempts that follow one which failed with this, and how the operation ends. */
  after(first: DbError): Effect.Effect<A, E | DbError, R> {
    // The server closed an idle socket while we were sending. Another one is likely to be well: no reason to wait.
    return this.renewing(Effect.fail(first)).pipe(
      Effect.catchAll((error) => this.replay(error)),
      Effect.catchAll((error) => this.withDelays(error)),
      Effect.mapError((error) => this.outcome(error))
    )
  }

  /** An attempt, and another with a fresh token where its own was refused. */
  private renewing(attempt: Effect.Effect<A, E | DbError, R>): Effect.Effect<A, E | DbError, R> {
    return Effect.catchAll(attempt, (error) => {
      if (!this.mayRenew(error)) return Effect.fail(error)
      this.renewed = true
      return this.of.next({ proves: false })
    })
  }

  /** A repetition that got no connection says nothing of the operation; what it is a repetition of does. */
  private outcome(last: E | DbError): E | DbError {
    if (this.doubt !== undefined && saysNothing(last)) return this.doubt
    return isUnserved(last) ? (this.told ?? last) : last
  }

  /**
   * None of the `maxRetries`: that a socket was closed says nothing of how the server is. Where nothing was sent the next may
   * be as stale.
   */
  private replay(error: E | DbError): Effect.Effect<A, E | DbError, R> {
    return Effect.suspend(() => {
      if (!this.mayReplay(error) || (isSent(error) && !this.context.budget.withdraw())) return Effect.fail(error)
      this.replays += 1
      return Effect.catchAll(this.next(error), (next) => this.replay(next))
    })
  }

  private next(error: DbError): Effect.Effect<A, E | DbError, R> {
    return this.renewing(this.of.next({ proves: isCutOff(error) }))
  }

  /** Fails where there is to be no other attempt. */
  private delayed(error: DbError, delay: Effect.Effect<unknown, unknown>): Effect.Effect<void, unknown> {
    const { absence, budget } = this.context
    const paid = Effect.suspend(() => (budget.withdraw() ? Effect.void : Effect.fail(error)))
    // The next attempt is the first that the server hears of: it costs it nothing more.
    if (!isSent(error)) return this.orUntil(this.of.recovery, delay)
    if (error._tag === "ConnectionFailed") return Effect.zipRight(paid, this.orUntil(this.of.recovery, delay))
    if (!isAway(error)) return Effect.zipRight(paid, Effect.asVoid(delay))
    // Who waits until the server is back burdens none that is away.
    return absence.isKnown
      ? this.orUntil(absence.end, Effect.zipRight(delay, paid))
      : Effect.zipRight(paid, this.orUntil(absence.end, delay))
  }

  /**
   * The delay, and no longer than until the server is back. Once only: one that comes and goes would use up all retries in
   * a moment.
   */
  private orUntil<F>(back: Signal, delay: Effect.Effect<unknown, F>): Effect.Effect<void, F> {
    if (this.woken) return Effect.asVoid(delay)
    return Effect.flatMap(keeping(back.before(delay)), (isBack) => {
      if (!isBack) return Effect.void
      this.woken = true
      return Effect.flatMap(Random.next, (random) => Effect.sleep(apart * random))
    })
  }

  private withDelays(first: E | DbError): Effect.Effect<A, E | DbError, R> {
    const inTime = (error: DbError, delay: Duration.Duration): boolean =>
      error._tag !== "ConnectionFailed" || error.sent || Duration.toMillis(delay) < this.of.remaining
    const { schedule } = this.context.retryingOf(this.of.options)
    return Effect.flatMap(Schedule.driver(Schedule.check(schedule, inTime)), (driver) => {
      const loop = (error: E | DbError): Effect.Effect<A, E | DbError, R> =>
        this.mayRepeat(error)
          ? Effect.matchEffect(this.delayed(error, driver.next(error)), {
              onFailure: () => Effect.fail(error),
              onSuccess: () => Effect.catchAll(this.next(error), loop)
            })
          : Effect.fail(error)
      return loop(first)
    })
  }
}

/** Of those that meet a closed socket before anything was sent. */
const mostReplays = 3

const isSent = (error: unknown): boolean => !isDbError(error) || error._tag !== "ConnectionFailed" || error.sent

/** Those who go on when the server is back do so at moments of their own, within so long (ms). */
const apart = 100

const isCutOff = (error: unknown): boolean =>
  isDbError(error) && error._tag === "QueryError" && error.code === cutOffCode

const isRefusedToken = (error: DbError): boolean =>
  error._tag === "QueryError" && !error.mayHaveExecuted && isTokenRefused(error)

/** Nothing was asked: the pool had no connection to give. */
const isUnserved = (error: unknown): boolean =>
  isDbError(error) && (error._tag === "AcquireTimeout" || error._tag === "PoolOverloaded")

/** A body of HEAD's that came late is as little to do with what was sent behind it. */
const staleSocket = (error: unknown): boolean =>
  isDbError(error) && error._tag === "ConnectionFailed" && (error.failure === "closed" || error.code === bodyAfterHead)

/**
 * Whether the last attempt's error leaves open what became of an earlier one. The database's own answer does not: a
 * repetition that it refuses stands for the whole of an idempotent operation. A token that was refused is none.
 */
const saysNothing = (error: unknown): boolean =>
  isDbError(error) &&
  !error.mayHaveExecuted &&
  (error.isTransient || error._tag === "PoolClosed" || isRefusedToken(error))
