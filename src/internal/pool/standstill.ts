/** What a pool does when its process wakes up. */
import type { Clock } from "effect"
import { AwakeClock } from "../shared/awakeClock.js"
import { silence } from "./housekeeper.js"
import type { Lease, Resource } from "./lease.js"
import type { ResourcePool } from "./resourcePool.js"

/** How long a connection may have been silent to be lent unseen: without pings, as long as the server keeps it. */
const trusted = <R extends Resource>(pool: ResourcePool<R>, { resource }: Lease<R>): number =>
  pool.options.keepaliveInterval > 0
    ? silence(pool, resource.keepAliveHint)
    : 0.7 * Math.min(pool.habits.kept, resource.keepAliveHint ?? Number.POSITIVE_INFINITY)

export class Standstill {
  private known = 0
  private readonly clock: Clock.Clock

  constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  /**
   * Where the process stood still since the last look, its pings did too, and the server did not: what was silent for too
   * long is closed over there, and what would be sent on it would be in doubt. `now` is what the clock has just said: whoever
   * asks it has looked.
   */
  look<R extends Resource>(pool: ResourcePool<R>, now: number): void {
    if (!(this.clock instanceof AwakeClock)) return
    const all = this.clock.stoodStill
    const lost = all - this.known
    if (lost <= 0) return
    this.known = all
    for (const lease of [...pool.bag.idleLeases()]) {
      if (now + lost - lease.lastUsed < trusted(pool, lease)) continue
      pool.discard(lease, "failed", "silent while this process stood still")
    }
  }
}
