/** The figures of the pools for health, alerts, the event stream and the Promise API. */
import { Duration, Option } from "effect"
import type { HealthReport, Sample } from "../../Health.js"
import { type Recent, windowSeconds } from "../../Metrics.js"
import type { PoolMetrics } from "../../Pool.js"

/** The fuller pool's active connections as a share of its maximum. */
export const utilizationOf = (read: PoolMetrics, write: PoolMetrics): number =>
  Math.max(read.active / read.max, write.active / write.max)

/** Pools that reclaimed a leaked connection in the last minute. */
export const leaksOf = (read: PoolMetrics, write: PoolMetrics, now: number): number =>
  [read, write].filter(({ lastLeak }) => now - lastLeak < windowSeconds * 1_000).length

/** The longer of the two silences; zero without one. */
export const unansweredOf = (read: PoolMetrics, write: PoolMetrics): Duration.Duration =>
  Duration.max(read.unanswered ?? Duration.zero, write.unanswered ?? Duration.zero)

export const errorRateOf = ({ count, failed }: Pick<Recent, "count" | "failed">): number =>
  count === 0 ? 0 : failed / count

/** Everything except whether the database is reachable. `now` in ms since the epoch. */
export const healthSample = (
  read: PoolMetrics,
  write: PoolMetrics,
  recent: Pick<Recent, "count" | "failed" | "mean">,
  now: number
): Omit<Sample, "canConnect"> => ({
  utilization: utilizationOf(read, write),
  errorRate: errorRateOf(recent),
  averageResponseTime: Duration.millis(recent.mean),
  leaks: leaksOf(read, write, now),
  unanswered: unansweredOf(read, write)
})

/**
 * Whether the database is reachable, without asking it: the last check's result, unless a pool has newer evidence. Both
 * pools have the same database, so one that fails to connect is enough.
 */
export const canConnectOf = (read: PoolMetrics, write: PoolMetrics, last: Option.Option<HealthReport>): boolean =>
  read.reachable && write.reachable && Option.match(last, { onNone: () => true, onSome: (_) => _.details.canConnect })
