/**
 * Is the database reachable, and is the pool healthy?
 *
 * The verdict is a pure function of a sample (`assess`), so that the health route's answer can be tested and explained. The
 * sample covers the last minute, so that a bad hour does not count against a pool for days. A check sends the database one
 * small query. If every connection is busy, it does not queue with the callers, but judges by their results.
 *
 * @since 0.1.0
 */
import { Clock, Context, Duration, Effect, Fiber, Layer, Option, Ref, Schedule, type Scope } from "effect"
import { PoolConfig } from "./Config.js"
import { probe } from "./internal/health/probe.js"
import { healthSample } from "./internal/health/sample.js"
import { forkBackground, inBackground, keeping } from "./internal/shared/asyncContext.js"
import { AwakeClock } from "./internal/shared/awakeClock.js"
import { byService, oncePer } from "./internal/shared/oncePer.js"
import { percent } from "./internal/shared/text.js"
import * as Metrics from "./Metrics.js"
import * as Pool from "./Pool.js"

/**
 * `degraded`: works, and somebody should look; `unhealthy`: the database cannot be reached.
 *
 * @since 0.1.0
 * @category models
 */
export type Status = "healthy" | "degraded" | "unhealthy"

/**
 * What the verdict depends on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sample {
  readonly canConnect: boolean
  /** The fuller pool's active connections as a share of its maximum, 0 to 1. */
  readonly utilization: number
  /** Failed operations as a share of the last minute's, 0 to 1. */
  readonly errorRate: number
  /** Mean duration of the last minute's operations. */
  readonly averageResponseTime: Duration.Duration
  /** Pools that reclaimed a leaked connection in the last minute. */
  readonly leaks: number
  /** How long a pool's requests have had no answer, those under way included; zero or absent without such a time. */
  readonly unanswered?: Duration.Duration
}

/**
 * A figure above its threshold is degraded. From the original guide ("Key Metrics to Monitor"), but for `unanswered`, which is
 * ours: what hangs is in no figure of operations that have ended.
 *
 * @since 0.1.0
 * @category constructors
 */
export const thresholds = {
  utilization: 0.8,
  errorRate: 0.05,
  averageResponseTime: Duration.millis(1_000),
  leaks: 0,
  unanswered: Duration.seconds(10)
} as const

/**
 * The status of a sample, and why.
 *
 * @example
 * import { Duration } from "effect"
 * import { Health } from "effect-supabase-pool"
 *
 * const sample = { canConnect: true, utilization: 0.9, errorRate: 0, averageResponseTime: Duration.millis(12), leaks: 0 }
 * Health.assess(sample) // { status: "degraded", reasons: ["utilization is 90 %, more than 80 %"] }
 *
 * @since 0.1.0
 * @category combinators
 */
export const assess = (sample: Sample): { readonly status: Status; readonly reasons: ReadonlyArray<string> } => {
  const { unanswered = Duration.zero } = sample
  const reasons = [
    Duration.greaterThan(unanswered, thresholds.unanswered)
      ? `nothing was answered for ${Math.floor(Duration.toSeconds(unanswered))} s, more than ${Duration.toSeconds(thresholds.unanswered)} s`
      : "",
    sample.utilization > thresholds.utilization
      ? `utilization is ${percent(sample.utilization)}, more than ${percent(thresholds.utilization)}`
      : "",
    sample.errorRate > thresholds.errorRate
      ? `error rate is ${percent(sample.errorRate)}, more than ${percent(thresholds.errorRate)}`
      : "",
    Duration.greaterThan(sample.averageResponseTime, thresholds.averageResponseTime)
      ? `operations take ${Math.ceil(Duration.toMillis(sample.averageResponseTime))} ms on average, more than ${Duration.toMillis(thresholds.averageResponseTime)} ms`
      : "",
    sample.leaks > thresholds.leaks ? "a leaked connection was reclaimed in the last minute" : ""
  ].filter((reason) => reason !== "")
  if (!sample.canConnect) return { status: "unhealthy", reasons: ["the database cannot be reached", ...reasons] }
  return { status: reasons.length > 0 ? "degraded" : "healthy", reasons }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface HealthReport {
  readonly status: Status
  /** When the check ended, in ms since the epoch. */
  readonly timestamp: number
  /** How long the check took. */
  readonly responseTime: Duration.Duration
  readonly details: {
    readonly canConnect: boolean
    /** How long the database took to answer; nothing if no query could be sent. */
    readonly connectionTime: Option.Option<Duration.Duration>
    /** Why the database could not be reached. */
    readonly error: Option.Option<string>
    /** Why the status is not `healthy`. */
    readonly reasons: ReadonlyArray<string>
    readonly read: Pool.PoolMetrics
    readonly write: Pool.PoolMetrics
    readonly totals: Metrics.Totals
    readonly errorRate: number
    readonly averageResponseTime: Duration.Duration
    readonly uptime: Duration.Duration
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface HealthService {
  /** Never fails: problems are in the report. Concurrent callers share one check. */
  readonly check: Effect.Effect<HealthReport>
  /** The last report, if there was a check. */
  readonly last: Effect.Effect<Option.Option<HealthReport>>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Health extends Context.Tag("effect-supabase-pool/Health")<Health, HealthService>() {}

interface Parts {
  readonly read: Pool.ConnectionPool
  readonly write: Pool.ConnectionPool
  readonly metrics: Metrics.OperationMetrics
}

const report = (parts: Parts): Effect.Effect<HealthReport> =>
  Effect.gen(function* () {
    const started = yield* Clock.currentTimeMillis
    const answer = yield* probe(parts.read, parts.write, parts.metrics.recent)
    const timestamp = yield* Clock.currentTimeMillis
    const read = yield* parts.read.metrics
    const write = yield* parts.write.metrics
    const recent = yield* parts.metrics.recent
    const sample = { canConnect: answer.reachable, ...healthSample(read, write, recent, timestamp) }
    const { reasons, status } = assess(sample)
    return {
      status,
      timestamp,
      responseTime: Duration.millis(timestamp - started),
      details: {
        canConnect: answer.reachable,
        connectionTime: answer.time,
        error: answer.error,
        reasons,
        read,
        write,
        totals: yield* parts.metrics.totals,
        errorRate: sample.errorRate,
        averageResponseTime: sample.averageResponseTime,
        uptime: Duration.millis(timestamp - parts.metrics.since)
      }
    }
  })

/** Its figures (how long somebody waited) change at each check; the problem does not. */
const withoutFigures = (text: string): string => text.replace(/(?<!HTTP )\b\d+/g, "")

/** The problem without figures: a refused key is different news from a database that is away. */
const newsOf = ({ details, status }: HealthReport): string =>
  `${status} ${Option.getOrElse(Option.map(details.error, withoutFigures), () => "")}`

/** Logged when it changes, not at each check. */
const logChange = (before: Option.Option<HealthReport>, now: HealthReport): Effect.Effect<void> => {
  if (Option.contains(Option.map(before, newsOf), newsOf(now))) return Effect.void
  if (now.status === "healthy")
    return Option.isNone(before) ? Effect.void : Effect.logInfo("database pool is healthy again")
  const reasons = [...now.details.reasons, ...Option.toArray(now.details.error)]
  return Effect.logWarning(`database pool is ${now.status}: ${reasons.join("; ")}`)
}

const make: Effect.Effect<
  HealthService,
  never,
  Scope.Scope | Pool.ReadPool | Pool.WritePool | Metrics.Metrics | PoolConfig
> = Effect.gen(function* () {
  const { enableHealthChecks, healthCheckInterval } = yield* PoolConfig
  const parts: Parts = {
    read: yield* Pool.ReadPool,
    write: yield* Pool.WritePool,
    metrics: yield* Metrics.Metrics
  }
  const scope = yield* Effect.scope
  const last = yield* Ref.make(Option.none<HealthReport>())
  let current: Fiber.RuntimeFiber<HealthReport> | undefined
  // If the process stands still during a check, that is not the database's fault.
  const awake = Effect.scoped(Effect.flatMap(AwakeClock.make, (clock) => Effect.withClock(report(parts), clock)))
  const run = awake.pipe(
    Effect.tap((now) => Effect.flatMap(Ref.getAndSet(last, Option.some(now)), (before) => logChange(before, now))),
    Effect.ensuring(
      Effect.sync(() => {
        current = undefined
      })
    )
  )
  // In the layer's scope and not in a caller's: the first caller may be interrupted without failing the others.
  const check = Effect.suspend(() =>
    current === undefined
      ? Effect.flatMap(Effect.forkIn(inBackground(run), scope), (fiber) => {
          if (fiber.unsafePoll() === null) current = fiber
          return keeping(Fiber.join(fiber))
        })
      : keeping(Fiber.join(current))
  )
  if (enableHealthChecks) yield* forkBackground(Effect.schedule(check, Schedule.fixed(healthCheckInterval)))
  return { check, last: Ref.get(last) }
})

/**
 * Checks in the background at `healthCheckInterval` (unless `enableHealthChecks` is false) and whenever asked.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Health, never, Pool.ReadPool | Pool.WritePool | Metrics.Metrics | PoolConfig> = oncePer(
  byService(() => Pool.ReadPool),
  () => Layer.scoped(Health, make)
)

/**
 * One check now.
 *
 * @example
 * import { Health } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * export const isUp = Effect.map(Health.check, (report) => report.details.canConnect)
 *
 * @since 0.1.0
 * @category accessors
 */
export const check: Effect.Effect<HealthReport, never, Health> = Effect.flatMap(Health, (_) => _.check)
