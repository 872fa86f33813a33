/**
 * One observation per operation: how many there were, how many failed, how long they took, of late and altogether.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Effect, type Exit, Layer, Option } from "effect"
import { PoolConfig } from "./Config.js"
import { type DbError, isDbError } from "./Errors.js"
import { SlidingWindow } from "./internal/slidingWindow.js"

/**
 * Operations of the recent past, and how they went.
 *
 * @since 0.1.0
 * @category models
 */
export interface Recent {
  readonly count: number
  readonly failed: number
  /** Mean duration in ms, waiting and retries included; 0 without operations. */
  readonly mean: number
}

/**
 * The same, with what speaks for and against the database itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface RecentAnswers extends Recent {
  /** Those that the database answered, with rows or with an error of its own making. */
  readonly answered: number
  /** Those of the failed that speak against the database and not against the pool: it was not there, or fell silent. */
  readonly unanswered: number
}

/**
 * How an operation ended, as far as health goes. `failed`: the pool could not serve it; `unanswered`: the database did
 * not; `neutral`: it was interrupted, or its caller's own code failed, and that says nothing of either.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = "answered" | "failed" | "unanswered" | "neutral"

/**
 * @since 0.1.0
 * @category models
 */
export interface Totals {
  readonly requests: number
  readonly failed: number
}

/**
 * What was measured of the operations; shared by both pools.
 *
 * @since 0.1.0
 * @category models
 */
export interface OperationMetrics {
  /** Of the last minute. */
  readonly recent: Effect.Effect<RecentAnswers>
  /** Since the layer was built. */
  readonly totals: Effect.Effect<Totals>
  /** When the layer was built, in ms since the epoch. */
  readonly since: number
  /** @internal */
  readonly observe: (now: number, millis: number, outcome: Outcome) => void
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Metrics extends Context.Tag("effect-supabase-pool/Metrics")<Metrics, OperationMetrics>() {}

/**
 * How far back `recent` looks, in seconds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const windowSeconds = 60

const outcomeOfError = (error: DbError): Outcome => {
  switch (error._tag) {
    case "ConnectionFailed":
    case "RequestTimeout":
      return "unanswered"
    case "QueryError":
      return error.status >= 500 || error.isTransient ? "unanswered" : "answered"
    case "RowNotFound":
    case "TransactionFailed":
      return "answered"
    case "DecodeError":
    case "ReadOnlyConnection":
    case "RateLimited":
      return "neutral"
    default:
      return "failed"
  }
}

/**
 * What an operation's end says of the database and the pool. A row that is not there, a broken constraint or a wrong
 * column name is an answer, and shows that both are well.
 *
 * @example
 * import { Metrics } from "effect-supabase-pool"
 * import { Exit } from "effect"
 *
 * Metrics.outcomeOf(Exit.succeed([])) // "answered"
 *
 * @since 0.1.0
 * @category combinators
 */
export const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Outcome => {
  if (exit._tag === "Success") return "answered"
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  return isDbError(error) ? outcomeOfError(error) : "neutral"
}

const make = (clock: Clock.Clock, enabled: boolean): OperationMetrics => {
  const window = new SlidingWindow(windowSeconds)
  let requests = 0
  let failures = 0
  return {
    observe: (now, millis, outcome) => {
      if (!enabled) return
      requests += 1
      if (outcome === "failed" || outcome === "unanswered") failures += 1
      window.add(now, millis, outcome)
    },
    recent: Effect.sync(() => window.sample(clock.unsafeCurrentTimeMillis())),
    totals: Effect.sync(() => ({ requests, failed: failures })),
    since: clock.unsafeCurrentTimeMillis()
  }
}

/**
 * Measures nothing when `enableMetrics` is false.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Metrics, never, PoolConfig> = Layer.effect(
  Metrics,
  Effect.flatMap(PoolConfig, ({ enableMetrics }) =>
    Clock.clockWith((clock) => Effect.succeed(make(clock, enableMetrics)))
  )
)
