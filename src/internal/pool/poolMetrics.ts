/** The state of one pool, as `Pool.PoolMetrics` has it. */
import { Duration } from "effect"
import type { Limit, PoolMetrics } from "../../Pool.js"
import type { Limiter } from "../limit/limiter.js"
import { longestHeld, type Resource } from "./lease.js"
import type { ResourcePool } from "./resourcePool.js"

const limitOf = ({ state }: Limiter): Limit => ({
  value: Number(state.limit.toFixed(2)),
  reason: state.reason,
  said: state.said
})

export const metricsOf = <R extends Resource>(pool: ResourcePool<R>): PoolMetrics => {
  const { statistics, options } = pool
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
    longestHeld: Duration.millis(longestHeld(pool.leases.values(), pool.now())),
    ...(pool.limiter === undefined ? {} : { limit: limitOf(pool.limiter.limiter) })
  }
}
