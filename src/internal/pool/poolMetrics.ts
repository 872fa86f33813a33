/** The state of one pool, as `Pool.PoolMetrics` has it. */
import { Duration } from "effect"
import type { PoolMetrics } from "../../Pool.js"
import type { Resource } from "./lease.js"
import type { Core } from "./resourcePool.js"

export const metricsOf = <R extends Resource>(core: Core<R>): PoolMetrics => {
  const { ledger, options } = core
  return {
    pool: options.mode,
    min: options.min,
    max: options.max,
    total: core.total,
    active: core.active,
    idle: core.total - core.active,
    pending: core.bag.pending,
    connecting: core.opener.connecting,
    reachable: !core.opener.circuit.isOpen,
    created: ledger.created,
    closed: ledger.closed,
    acquired: ledger.acquired,
    timeouts: ledger.timeouts,
    overloaded: ledger.overloaded,
    leaks: ledger.leaks,
    lastLeak: ledger.lastLeak,
    lateReturns: ledger.lateReturns,
    connectFailures: ledger.connectFailures,
    longestHeld: Duration.millis(core.longestHeld(core.now()))
  }
}
