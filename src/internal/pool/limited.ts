/** A pool that lends no more at once than its limit says, although more may be idle. */
import { type Clock, Duration, Effect } from "effect"
import { Limiter } from "../limit/limiter.js"
import { precise } from "../shared/time.js"
import type { Bag } from "./bag.js"
import type { Lease, Resource } from "./lease.js"

/** What this needs of a pool. */
interface Lender<R extends Resource> {
  readonly bag: Bag<Lease<R>>
  readonly clock: Clock.Clock
  readonly connector: { grow(): void }
  /** So many are lent. */
  readonly active: number
  now(): number
  takeOpen(now: number): Lease<R> | undefined
  fork(effect: Effect.Effect<void>): void
}

export class Limited<R extends Resource> {
  readonly limiter: Limiter
  private isBreakPlanned = false
  private readonly pool: Lender<R>

  constructor(pool: Lender<R>, max: number) {
    this.pool = pool
    this.limiter = new Limiter(max)
  }

  /** So many may be lent at once. */
  get places(): number {
    return this.limiter.places
  }

  get isReached(): boolean {
    return !this.limiter.allows(this.pool.active, precise(this.pool.clock))
  }

  lent(lease: Lease<R>): void {
    lease.leftAt = precise(this.pool.clock)
  }

  /** From how the request of a lease that comes back ended. */
  learn({ leftAt, resource }: Lease<R>): void {
    const ending = resource.outcome?.()
    if (ending === undefined) return
    this.limiter.ended(ending, leftAt, precise(this.pool.clock), this.pool.bag.pending > 0)
  }

  /** Idle, and lent again where the limit allows it. */
  keep(lease: Lease<R>, end: "top" | "bottom"): void {
    this.pool.bag.keep(lease, end)
    this.serve()
  }

  /** Lends what is idle to those who wait, as far as the limit goes. */
  serve(): void {
    const { bag, connector } = this.pool
    while (bag.pending > 0 && !this.isReached) {
      const lease = this.pool.takeOpen(this.pool.now())
      if (lease === undefined) {
        connector.grow()
        return
      }
      bag.offer(lease)
    }
    if (bag.pending > 0 && this.pool.active === 0) this.planBreak()
  }

  /** Nothing is under way, so that nothing comes back to ask again. */
  private planBreak(): void {
    const { clock } = this.pool
    const left = this.limiter.breakAt(precise(clock))
    if (left <= 0 || this.isBreakPlanned) return
    this.isBreakPlanned = true
    const over = Effect.sync(() => {
      this.isBreakPlanned = false
      this.serve()
    })
    this.pool.fork(Effect.zipRight(clock.sleep(Duration.millis(Math.ceil(left))), over))
  }
}
