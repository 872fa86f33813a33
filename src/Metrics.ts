/**
 * One observation per operation, seen three ways.
 *
 * - *Recent figures* for health and the Promise API: `recent`, `totals`.
 * - *Query analytics*: `queryMetrics` lists the queries (table, operation, shape of filters; never values), with their
 *   count, errors and duration, and the slowest single ones. Its memory is bounded.
 * - *Effect's metric registry*, under OpenTelemetry's names for database clients: `@effect/opentelemetry` exports it with
 *   no more code, `prometheus` is the same registry as text. A pool's state is looked up when the registry is read.
 *
 * Recording is a few synchronous updates: no fiber, and nothing that waits. `enableMetrics: false` turns all of it off.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Duration, Effect, type Exit, Layer, Metric, Option } from "effect"
import { PoolConfig, SupabaseConfig } from "./Config.js"
import { type DbError, isDbError, type Mode } from "./Errors.js"
import { isAnswer } from "./internal/errors/errorCodes.js"
import * as Exposition from "./internal/metrics/exposition.js"
import { course, type Observation, type Observing, observed } from "./internal/metrics/observer.js"
import { Recorder } from "./internal/metrics/recorder.js"
import { byService, oncePer } from "./internal/shared/oncePer.js"

/**
 * Operations of the recent past, and their outcomes.
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
 * The same, with the evidence for and against the database itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface RecentAnswers extends Recent {
  /** Operations that the database answered, with rows or with its own error. */
  readonly answered: number
  /**
   * Failed operations that count against the database and not against the pool: it was unreachable, or stopped answering.
   */
  readonly unanswered: number
}

/**
 * How an operation ended, for health. `failed`: the pool could not serve it; `unanswered`: the database did not answer;
 * `neutral`: it was interrupted, or its caller's own code failed, which says nothing about either.
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
 * How far back query analytics look. A window slides in steps of 5 seconds, 5 minutes or an hour.
 *
 * @since 0.1.0
 * @category models
 */
export type Window = "minute" | "hour" | "day"

/**
 * How long operations took, waiting and retries included, in ms; percentiles are within 2 % of the true value. All 0
 * without operations.
 *
 * @since 0.1.0
 * @category models
 */
export interface Latency {
  readonly count: number
  /** Operations that ended in an error of any origin; interruptions and the caller's own errors do not count. */
  readonly errors: number
  /** Errors that count against the pool or the database, which health counts. */
  readonly failed: number
  readonly mean: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/**
 * The operations of one shape.
 *
 * @since 0.1.0
 * @category models
 */
export interface QueryStatistics extends Latency {
  /** `SELECT id, title FROM products WHERE category = ? ORDER BY price.asc LIMIT ?`. No values. */
  readonly query: string
  /** `SELECT`, `INSERT`, `UPSERT`, `UPDATE`, `DELETE` or `CALL`; otherwise empty. */
  readonly operation: string
  /** The table, view or function; otherwise empty. */
  readonly name: string
  readonly pool: Mode
}

/**
 * An operation that took longer than `Settings.slowAfter`.
 *
 * @since 0.1.0
 * @category models
 */
export interface SlowQuery {
  readonly query: string
  /** In ms. */
  readonly duration: number
  /** When it ended, in ms since the epoch. */
  readonly at: number
  /** Name of the error that it ended in; empty when it succeeded. */
  readonly error: string
}

/**
 * The operations of a window.
 *
 * @since 0.1.0
 * @category models
 */
export interface QueryMetrics {
  readonly window: Window
  /** How much of the past the figures cover, in ms: the window, or less when the layer is younger. */
  readonly covered: number
  readonly total: Latency
  /** Ordered by their total time, largest first. */
  readonly queries: ReadonlyArray<QueryStatistics>
  /** At most 20, the slowest first. */
  readonly slow: ReadonlyArray<SlowQuery>
}

/**
 * Measurements of the operations; shared by both pools.
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
  readonly queryMetrics: (window: Window) => Effect.Effect<QueryMetrics>
  /** Like `queryMetrics(window).total`, without reading each shape. */
  readonly latency: (window: Window) => Effect.Effect<Latency>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Metrics extends Context.Tag("effect-supabase-pool/Metrics")<Metrics, OperationMetrics>() {}

/**
 * The settings of query analytics. It has a default, so nothing requires it; provide another to `Db.layer` to change it.
 *
 * @example
 * import { Db, Metrics } from "effect-supabase-pool"
 * import { Duration, Layer } from "effect"
 *
 * export const DbLive = Db.layerFromEnv.pipe(
 *   Layer.provide(Layer.succeed(Metrics.Settings, { slowAfter: Duration.millis(200), maxShapes: 100 }))
 * )
 *
 * @since 0.1.0
 * @category tags
 */
export class Settings extends Context.Reference<Settings>()("effect-supabase-pool/Metrics/Settings", {
  defaultValue: (): {
    /** An operation that takes this long is a slow query. Default: 500 ms. */
    readonly slowAfter: Duration.DurationInput
    /** How many shapes have their own figures; the rest is one "(other)". Default: 100. */
    readonly maxShapes: number
  } => ({ slowAfter: Duration.millis(500), maxShapes: 100 })
}) {}

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
    case "TransactionFailed":
      return error.isTransient || !isAnswer(error) ? "unanswered" : "answered"
    case "RowNotFound":
    case "GuardFailed":
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
 * What an operation's outcome shows about the database and the pool. A missing row, a violated constraint, a wrong column
 * name or an error raised in a function is an answer, whatever its status, and shows that both are healthy.
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

const noLatency: Latency = { count: 0, errors: 0, failed: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 }

const nothing = (since: number): OperationMetrics => ({
  recent: Effect.succeed({ count: 0, failed: 0, mean: 0, answered: 0, unanswered: 0 }),
  totals: Effect.succeed({ requests: 0, failed: 0 }),
  since,
  queryMetrics: (window) => Effect.succeed({ window, covered: 0, total: noLatency, queries: [], slow: [] }),
  latency: () => Effect.succeed(noLatency)
})

const make: Effect.Effect<OperationMetrics, never, PoolConfig | SupabaseConfig> = Effect.gen(function* () {
  const { enableMetrics } = yield* PoolConfig
  const { url } = yield* SupabaseConfig
  const { maxShapes, slowAfter } = yield* Settings
  const clock = yield* Clock.clockWith(Effect.succeed)
  const since = clock.unsafeCurrentTimeMillis()
  if (!enableMetrics) return nothing(since)
  const { origin } = new URL(url)
  const recorder = new Recorder(clock, origin, windowSeconds, {
    slowAfter: Duration.toMillis(slowAfter),
    maxShapes
  })
  const observing: Observing = {
    recent: Effect.sync(() => recorder.recent),
    totals: Effect.sync(() => recorder.totals),
    since,
    queryMetrics: (window: Window) => Effect.sync(() => recorder.queryMetrics(window)),
    latency: (window: Window) => Effect.sync(() => recorder.latency(window)),
    [observed]: (observation: Observation) => recorder.observe(observation, outcomeOf(observation.exit)),
    [course]: { spread: () => recorder.spread, lately: (most) => recorder.lately(most) }
  }
  return observing
})

/**
 * Measures nothing when `enableMetrics` is false.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Metrics, never, PoolConfig | SupabaseConfig> = oncePer(
  byService(() => SupabaseConfig),
  () => Layer.effect(Metrics, make)
)

/**
 * The queries of the window, their outcomes, and the slow ones.
 *
 * @example
 * import { Metrics } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * export const worst = Effect.map(Metrics.queryMetrics("hour"), ({ queries }) =>
 *   queries.filter(({ p95 }) => p95 > 100).map(({ p95, query }) => `${query}: ${Math.round(p95)} ms`)
 * )
 *
 * @since 0.1.0
 * @category accessors
 */
export const queryMetrics = (window: Window): Effect.Effect<QueryMetrics, never, Metrics> =>
  Effect.flatMap(Metrics, (_) => _.queryMetrics(window))

/**
 * How long all operations of the window took.
 *
 * @since 0.1.0
 * @category accessors
 */
export const latency = (window: Window): Effect.Effect<Latency, never, Metrics> =>
  Effect.flatMap(Metrics, (_) => _.latency(window))

/**
 * Everything in Effect's metric registry, the application's own metrics included, in Prometheus' text format; names follow
 * OpenTelemetry's translation (`db.client.operation.duration` in `s` is `db_client_operation_duration_seconds`). Serve it as
 * `prometheusContentType`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const prometheus: Effect.Effect<string> = Effect.map(Metric.snapshot, Exposition.textOf)

/**
 * @since 0.1.0
 * @category constructors
 */
export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8"
