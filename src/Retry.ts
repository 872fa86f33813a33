/**
 * Retries that execute nothing twice.
 *
 * An operation is retried only if that cannot execute it twice; the error tells (`isTransient`, `mayHaveExecuted`). A read
 * may always be repeated. A write may be repeated when the error proves that nothing was executed, or when the caller
 * declares it `idempotent`: executing it twice is the same as once.
 *
 * Retries have a budget, so that they cannot multiply the load of an outage: each success earns a fifth of a retry. Retries
 * that add no load are free: if nothing was sent, or if a server that was away is known to be back.
 *
 * @since 0.1.0
 */
import { Duration, Schedule } from "effect"
import { type DbError, type Mode, retryAfterOf } from "./Errors.js"
import { isBeforeItsTime } from "./internal/errors/errorCodes.js"

/**
 * What the decision needs to know about the operation.
 *
 * @since 0.1.0
 * @category models
 */
export interface Operation {
  readonly mode: Mode
  /** Executing it twice is the same as executing it once. */
  readonly idempotent: boolean
}

/**
 * The table: may this error of this operation be followed by another attempt?
 *
 * A read: yes when it is transient. A write: yes when it is transient and either nothing was executed or executing it
 * again does no harm. `AcquireTimeout` and `PoolOverloaded` are transient for the caller but never retried here: the
 * first has used up the time that an operation may wait for a connection, the second asks for less load.
 *
 * @example
 * import { Duration } from "effect"
 * import { Db, Retry } from "effect-supabase-pool"
 *
 * const timeout = new Db.RequestTimeout({ pool: "write", timeout: Duration.seconds(30), sent: true })
 * Retry.isRetryable(timeout, { mode: "write", idempotent: false }) // false: it may have been executed
 * Retry.isRetryable(timeout, { mode: "write", idempotent: true }) // true
 *
 * @since 0.1.0
 * @category combinators
 */
export const isRetryable = (error: DbError, operation: Operation): boolean => {
  if (!error.isTransient) return false
  if (error._tag === "AcquireTimeout" || error._tag === "PoolOverloaded" || error._tag === "RateLimited") return false
  return operation.mode === "read" || operation.idempotent || !error.mayHaveExecuted
}

/**
 * The delays of an operation's retries.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delays {
  readonly maxRetries: number
  readonly retryDelay: Duration.Duration
  /** Each delay ×0.8 to ×1.2. */
  readonly retryJitter: boolean
}

/**
 * The longest `Retry-After` that is obeyed; a longer one would keep the caller waiting too long.
 *
 * @since 0.1.0
 * @category constructors
 */
export const longestRetryAfter: Duration.Duration = Duration.seconds(30)

/** In ms: the whole days below `longestTimer`, so that a sum that is rounded upwards is no longer than a timer can run. */
const longestDelay = 24 * 86_400_000

/**
 * How long a token "issued at future" or "not yet valid" is retried, all retries together. It happens if a gateway's clock
 * is ahead of the database's by more than the 30 s that PostgREST allows (16.2), as hosted projects with new keys show; a
 * moment later the token is valid.
 */
const clockSkew = Duration.seconds(3)

const leastOf = (error: DbError, { maxRetries }: Delays): Duration.Duration =>
  "code" in error && "reason" in error && isBeforeItsTime(error)
    ? Duration.times(clockSkew, 1 / Math.max(1, maxRetries))
    : Duration.zero

/**
 * `Schedule.exponential` from `retryDelay`, doubling, `maxRetries` times; never less than the server asked for with
 * `Retry-After` (up to `longestRetryAfter`), and never more than a timer can count (24 days).
 *
 * @since 0.1.0
 * @category constructors
 */
export const schedule = (delays: Delays): Schedule.Schedule<Duration.Duration, DbError> => {
  const exponential = Schedule.exponential(delays.retryDelay, 2)
  return obeying(
    Schedule.intersect(
      delays.retryJitter ? Schedule.jittered(exponential) : exponential,
      Schedule.recurs(delays.maxRetries)
    ),
    delays
  )
}

/**
 * A schedule of your own that also waits for as long as the server asks for with `Retry-After`, up to
 * `longestRetryAfter`, as `schedule` does.
 *
 * @example
 * import { Config, Retry } from "effect-supabase-pool"
 * import { Schedule } from "effect"
 *
 * export const steady = Retry.obeying(Schedule.intersect(Schedule.spaced("200 millis"), Schedule.recurs(5)), Config.production)
 *
 * @since 0.1.0
 * @category constructors
 */
export const obeying = (
  schedule: Schedule.Schedule<unknown, DbError>,
  delays: Delays
): Schedule.Schedule<Duration.Duration, DbError> =>
  schedule.pipe(
    Schedule.zipRight(Schedule.identity<DbError>()),
    Schedule.modifyDelay((error, delay) =>
      Duration.min(
        Duration.max(delay, Duration.max(leastOf(error, delays), retryAfterOf(error, longestRetryAfter))),
        longestDelay
      )
    ),
    Schedule.delays
  )

/**
 * `Retry-After` as seconds or as an HTTP date (RFC 9110 §10.2.3), counted from `now` (milliseconds since the epoch).
 * Any other text, and a time in the past, asks for no delay.
 *
 * @since 0.1.0
 * @category combinators
 */
export const parseRetryAfter = (header: string | null, now: number): Duration.Duration | undefined => {
  if (header === null) return undefined
  const text = header.trim()
  if (/^\d+$/.test(text)) return Duration.seconds(Math.min(Number(text), longestDelay / 1_000))
  // `Date.parse` would take "-5", "1.5" or "abc 5" for a date.
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined
  const at = Date.parse(/GMT$/.test(text) ? text : `${text} GMT`)
  return Number.isNaN(at) ? undefined : Duration.millis(at - now)
}

/**
 * How many retries all operations together may make: `deposit` on each success, `withdraw` before each retry.
 *
 * @since 0.1.0
 * @category models
 */
export interface Budget {
  readonly deposit: () => void
  /** False when the budget is used up: the operation fails with the error that it has. */
  readonly withdraw: () => boolean
}

/**
 * A budget of 20 % of recent successes, with a reserve that lets a few callers retry freely (Finagle's RetryBudget has the
 * same shares: 20 %, and a minimum reserve).
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeBudget = (options: { readonly share: number; readonly reserve: number } = defaultBudget): Budget => {
  // A long calm must not save up retries for an outage.
  const limit = options.reserve * 10
  let tokens = options.reserve
  return {
    deposit: () => {
      tokens = Math.min(limit, tokens + options.share)
    },
    withdraw: () => {
      if (tokens < 1) return false
      tokens -= 1
      return true
    }
  }
}

const defaultBudget = { share: 0.2, reserve: 100 }
