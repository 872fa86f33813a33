/** The state of one pool, as `Pool.PoolMetrics` has it. */
import { Duration } from "effect"
import type { Limit, PoolMetrics } from "../../Pool.js"
import type { Limiter } from "../limit/limiter.js"
import { Acquisition } from "./acquisition.js"
import { type Lease, longestHeld, type Resource } from "./lease.js"
import type { ResourcePool } from "./resourcePool.js"

const limitOf = ({ state }: Limiter): Limit => ({
  value: Number(state.limit.toFixed(2)),
  reason: state.reason,
  said: state.said
})

interface Oldest<R extends Resource> {
  readonly lease: Lease<R>
  readonly sent: number
}

const oldestOf = <R extends Resource>(pool: ResourcePool<R>): Oldest<R> | undefined => {
  let oldest: Oldest<R> | undefined
  for (const lease of pool.leases.values()) {
    if (lease.state !== "busy") continue
    const sent = lease.resource.sentSince
    if (sent !== undefined && (oldest === undefined || sent < oldest.sent)) oldest = { lease, sent }
  }
  return oldest
}

/** A younger one is not worth a look at what it asks. */
const worthNaming = 1_000

/** What is under way or waits, which no counter has yet. */
const underWay = <R extends Resource>(
  pool: ResourcePool<R>,
  now: number
): Pick<PoolMetrics, "oldestRequest" | "oldestWait" | "unanswered"> => {
  const oldest = oldestOf(pool)
  const waiter = pool.bag.oldest
  const unanswered = pool.statistics.silence.at(now, oldest?.sent)
  const age = oldest === undefined ? 0 : now - oldest.sent
  const holder = oldest?.lease.holder
  return {
    ...(oldest === undefined
      ? {}
      : {
          oldestRequest: {
            age: Duration.millis(age),
            query: age < worthNaming ? "" : (oldest.lease.resource.asks ?? ""),
            holder: holder === undefined ? "" : holder.span || `#${holder.fiber}`
          }
        }),
    ...(waiter instanceof Acquisition ? { oldestWait: Duration.millis(now - waiter.since) } : {}),
    ...(unanswered > 0 ? { unanswered: Duration.millis(unanswered) } : {})
  }
}

export const metricsOf = <R extends Resource>(pool: ResourcePool<R>): PoolMetrics => {
  const { statistics, options } = pool
  const now = pool.now()
  return {
    pool: options.mode,
    min: options.min,
    max: options.max,
    total: pool.total,
    active: pool.active,
    idle: pool.total - pool.active,
    pending: pool.bag.pending,
    connecting: pool.connector.connecting,
    reachable: pool.connector.isReachable,
    created: statistics.created,
    closed: statistics.closed,
    acquired: statistics.acquired,
    timeouts: statistics.timeouts,
    overloaded: statistics.overloaded,
    leaks: statistics.leaks,
    lastLeak: statistics.lastLeak,
    lateReturns: statistics.lateReturns,
    connectFailures: statistics.connectFailures,
    longestHeld: Duration.millis(longestHeld(pool.leases.values(), now)),
    ...(pool.limiter === undefined ? {} : { limit: limitOf(pool.limiter.limiter) }),
    ...underWay(pool, now)
  }
}
