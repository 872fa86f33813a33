/** The state of one pool, as `Pool.PoolMetrics` has it. */
import { Duration } from "effect"
import type { PoolMetrics } from "../../Pool.js"
import type { Resource } from "./lease.js"
import type { Core } from "./resourcePool.js"

export const metricsOf = <R extends Resource>(core: Core<R>): PoolMetrics => {
  const { statistics, options } = core
  return {
    pool: options.mode,
    min: options.min,
    max: options.max,
    total: core.total,
    active: core.active,
    idle: core.total - core.active,
    pending: core.bag.pending,
    connecting: core.connector.connecting,
    reachable: core.connector.isReachable,
    created: statistics.created,
    closed: statistics.closed,
    acquired: statistics.acquired,
    timeouts: statistics.timeouts,
    overloaded: statistics.overloaded,
    leaks: statistics.leaks,
    lastLeak: statistics.lastLeak,
    lateReturns: statistics.lateReturns,
    connectFailures: statistics.connectFailures,
    longestHeld: Duration.millis(core.longestHeld(core.now()))
  }
}
