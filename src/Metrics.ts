/**
 * One observation per operation: how many there were, how many failed, how long they took, of late and altogether.
 *
 * @since 0.1.0
 */
import { Clock, Context, Effect, Layer } from "effect"
import { PoolConfig } from "./Config.js"
import type { DbError } from "./Errors.js"
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
  readonly recent: Effect.Effect<Recent>
  /** Since the layer was built. */
  readonly totals: Effect.Effect<Totals>
  /** In ms since the epoch; 0 if none yet. */
  readonly lastSuccess: Effect.Effect<number>
  /** When the layer was built, in ms since the epoch. */
  readonly since: number
  /** @internal */
  readonly observe: (now: number, millis: number, failed: boolean) => void
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

/**
 * Whether an error speaks against the database or the pool. A row that is not there, a broken constraint or a wrong
 * column name is an answer, and shows that both are well.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isFailure = (error: DbError): boolean => {
  switch (error._tag) {
    case "RowNotFound":
    case "DecodeError":
    case "ReadOnlyConnection":
    case "RateLimited":
    case "TransactionFailed":
      return false
    case "QueryError":
      return error.status >= 500 || error.isTransient
    default:
      return true
  }
}

const make = (clock: Clock.Clock, enabled: boolean): OperationMetrics => {
  const window = new SlidingWindow(windowSeconds)
  let requests = 0
  let failures = 0
  let lastSuccess = 0
  return {
    observe: (now, millis, failed) => {
      if (!failed) lastSuccess = now
      if (!enabled) return
      requests += 1
      if (failed) failures += 1
      window.add(now, millis, failed)
    },
    recent: Effect.sync(() => window.sample(clock.unsafeCurrentTimeMillis())),
    totals: Effect.sync(() => ({ requests, failed: failures })),
    lastSuccess: Effect.sync(() => lastSuccess),
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
