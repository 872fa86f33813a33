/** One sample for the event stream, from the current state of the services. Does not ask the database. */
import { Duration, Effect, Option } from "effect"
import type * as Alerts from "../../Alerts.js"
import * as Health from "../../Health.js"
import type * as Metrics from "../../Metrics.js"
import type * as Pool from "../../Pool.js"
import type * as Wire from "../feed/wire.js"
import { canConnectOf, healthSample } from "../health/sample.js"
import { courseOf } from "../metrics/observer.js"

export interface Sources {
  readonly read: Pool.ConnectionPool
  readonly write: Pool.ConnectionPool
  readonly metrics: Metrics.OperationMetrics
  readonly health: Health.HealthService
  readonly alerts: Option.Option<Alerts.AlertsService>
}

const underWay = ({ oldestRequest, oldestWait, unanswered }: Pool.PoolMetrics) => ({
  ...(oldestRequest === undefined
    ? {}
    : { oldestRequest: { ...oldestRequest, age: Math.round(Duration.toMillis(oldestRequest.age)) } }),
  ...(oldestWait === undefined ? {} : { oldestWait: Math.round(Duration.toMillis(oldestWait)) }),
  ...(unanswered === undefined ? {} : { unanswered: Math.round(Duration.toMillis(unanswered)) })
})

const poolSample = (metrics: Pool.PoolMetrics): Wire.PoolSample => ({
  min: metrics.min,
  max: metrics.max,
  active: metrics.active,
  idle: metrics.idle,
  pending: metrics.pending,
  connecting: metrics.connecting,
  reachable: metrics.reachable,
  created: metrics.created,
  closed: metrics.closed,
  acquired: metrics.acquired,
  timeouts: metrics.timeouts,
  overloaded: metrics.overloaded,
  leaks: metrics.leaks,
  connectFailures: metrics.connectFailures,
  longestHeld: Math.round(Duration.toMillis(metrics.longestHeld)),
  ...(metrics.limit === undefined ? {} : { limit: metrics.limit }),
  ...underWay(metrics)
})

export const alertOf = ({ detail, fineSince, rule, severity, since, summary }: Alerts.Alert): Wire.Alert => ({
  detail,
  rule,
  severity,
  since,
  summary,
  ...(fineSince === undefined ? {} : { fineSince })
})

const round = (value: number, digits: number): number => Number(value.toFixed(digits))

/** The rate between two samples, per second; 0 if the clock was set back. */
const rate = (before: Option.Option<Wire.Sample>, total: number, now: number): number =>
  Option.match(before, {
    onNone: () => 0,
    onSome: ({ at, operations }) => (now > at ? round(((total - operations.total) / (now - at)) * 1_000, 1) : 0)
  })

const percentiles = ({ count, p50, p95, p99 }: Metrics.Latency) =>
  count === 0 ? { p50: null, p95: null, p99: null } : { p50: round(p50, 1), p95: round(p95, 1), p99: round(p99, 1) }

/** A sample, and what the next one counts from. */
export interface Taken {
  readonly sample: Wire.Sample
  readonly counted: ReadonlyArray<number>
}

/** What has ended since, by duration; steps without any are left out. */
const spreadSince = (
  before: ReadonlyArray<number>,
  now: ReadonlyArray<number>
): ReadonlyArray<readonly [step: number, count: number]> =>
  now.flatMap((count, step) => {
    const more = count - (before[step] ?? 0)
    return more > 0 ? [[step, more] as const] : []
  })

export const take = (sources: Sources, last: Option.Option<Taken>, at: number): Effect.Effect<Taken> =>
  Effect.gen(function* () {
    const read = yield* sources.read.metrics
    const write = yield* sources.write.metrics
    const recent = yield* sources.metrics.recent
    const totals = yield* sources.metrics.totals
    const figures = healthSample(read, write, recent, at)
    const { reasons, status } = Health.assess({
      canConnect: canConnectOf(read, write, yield* sources.health.last),
      ...figures
    })
    const active = yield* Option.match(sources.alerts, { onNone: () => Effect.succeed([]), onSome: (_) => _.active })
    const pending = yield* Effect.transposeOption(Option.map(sources.alerts, (_) => _.pending))
    const before = Option.map(last, (_) => _.sample)
    const counted = [...(courseOf(sources.metrics)?.spread() ?? [])]
    const spread = Option.match(last, { onNone: () => [], onSome: (_) => spreadSince(_.counted, counted) })
    const sample: Wire.Sample = {
      at,
      status,
      reasons,
      uptime: at - sources.metrics.since,
      read: poolSample(read),
      write: poolSample(write),
      operations: {
        perSecond: rate(before, totals.requests, at),
        total: totals.requests,
        failed: totals.failed,
        errorRate: round(figures.errorRate, 4),
        mean: round(recent.mean, 1),
        ...percentiles(yield* sources.metrics.latency("minute")),
        ...(counted.length === 0 ? {} : { spread })
      },
      alerts: active.map(alertOf),
      ...(Option.isSome(pending) ? { pending: pending.value } : {})
    }
    return { sample, counted }
  })
