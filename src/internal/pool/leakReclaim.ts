import { Duration, Effect } from "effect"
import { ConnectionReclaimed, type Mode } from "../../Errors.js"
import { printable } from "../shared/printable.js"
import { period } from "../shared/text.js"
import type { Lease, Resource } from "./lease.js"
import type { PoolStatistics } from "./poolStatistics.js"

/** What the watch needs of the pool. */
export interface Watched<R extends Resource> {
  readonly options: { readonly mode: Mode }
  readonly statistics: PoolStatistics
  now(): number
  takeAway(lease: Lease<R>, why: "reclaimed"): void
}

/**
 * Takes back a lease that was held longer than the leak detection timeout: its requests fail with
 * `ConnectionReclaimed`, its socket closes, its capacity is free again. Who held it is in the log, as HikariCP's
 * ProxyLeakTask does; unlike there, the connection is taken away and not only reported.
 */
export const reclaim = <R extends Resource>(pool: Watched<R>, lease: Lease<R>): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (lease.state !== "busy") return Effect.void
    const held = Duration.millis(pool.now() - lease.lentAt)
    const { holder, resource } = lease
    const { mode } = pool.options
    lease.reclaimed = true
    pool.statistics.record("leaked", lease, pool.now())
    const reason = (sent: boolean, method: string) =>
      new ConnectionReclaimed({ pool: mode, connectionId: resource.id, held, sent, method })
    resource.abort(reason)
    pool.takeAway(lease, "reclaimed")
    resource.tell?.(reason)
    return Effect.logWarning(
      `connection leak: ${resource.id} was held for ${period(held)} and has been reclaimed`
    ).pipe(
      Effect.annotateLogs({
        pool: mode,
        connectionId: resource.id,
        span: printable(holder?.span ?? "") || "(no span)",
        fiber: holder === undefined ? "" : `#${holder.fiber}`,
        heldMillis: Duration.toMillis(held)
      })
    )
  })
