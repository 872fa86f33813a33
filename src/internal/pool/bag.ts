/**
 * Who waits and what is free: a synchronous data structure that knows neither connections nor effects.
 *
 * Idle leases are a stack: the one returned last is lent next, so that a pool too large for its traffic has leases
 * that grow old and can be closed. Waiters are a queue, first come first served; one that leaves in the middle
 * (interrupted, timed out) costs O(1). A lease that comes while somebody waits goes to the first waiter directly, so
 * nobody who comes later can take it. Idle leases and waiters exist at the same time only where a pool keeps to a limit.
 *
 * The stack with hand-off is HikariCP's ConcurrentBag as one thread needs it; the waiter with a life of its own is
 * tarn's PendingOperation.
 */
import { Deadline } from "../shared/deadlines.js"

export abstract class Waiter<L> extends Deadline {
  waiting = false
  before: Waiter<L> | undefined = undefined
  after: Waiter<L> | undefined = undefined
  /** Called once, outside the queue. */
  abstract receive(lease: L): void
}

export class Bag<L> {
  private readonly idle: Array<L> = []
  private first: Waiter<L> | undefined = undefined
  private last: Waiter<L> | undefined = undefined
  private waiters = 0

  get pending(): number {
    return this.waiters
  }

  /** Who has waited longest. */
  get oldest(): Waiter<L> | undefined {
    return this.first
  }

  get idleCount(): number {
    return this.idle.length
  }

  /** The lease that was returned last, or nothing. */
  take(): L | undefined {
    return this.idle.pop()
  }

  /** From the one that has been idle longest; do not change the bag while iterating. */
  idleLeases(): ReadonlyArray<L> {
    return this.idle
  }

  /** True when it was idle. */
  remove(lease: L): boolean {
    const at = this.idle.indexOf(lease)
    if (at === -1) return false
    this.idle.splice(at, 1)
    return true
  }

  /** To the first waiter, or on the stack. */
  offer(lease: L): "handed over" | "idle" {
    return this.handOver(lease) ? "handed over" : this.keep(lease, "top")
  }

  /** As `offer`, but what was not used goes where it was: below, with the long idle. */
  offerBelow(lease: L): "handed over" | "idle" {
    return this.handOver(lease) ? "handed over" : this.keep(lease, "bottom")
  }

  private handOver(lease: L): boolean {
    const waiter = this.first
    if (waiter === undefined) return false
    this.leave(waiter)
    waiter.receive(lease)
    return true
  }

  /** Whoever waits: for a pool that may lend no more at present. */
  keep(lease: L, end: "top" | "bottom"): "idle" {
    if (end === "top") this.idle.push(lease)
    else this.idle.unshift(lease)
    return "idle"
  }

  wait(waiter: Waiter<L>): void {
    waiter.waiting = true
    waiter.before = this.last
    if (this.last === undefined) this.first = waiter
    else this.last.after = waiter
    this.last = waiter
    this.waiters += 1
  }

  /** True when it was waiting. */
  leave(waiter: Waiter<L>): boolean {
    if (!waiter.waiting) return false
    waiter.waiting = false
    if (waiter.before === undefined) this.first = waiter.after
    else waiter.before.after = waiter.after
    if (waiter.after === undefined) this.last = waiter.before
    else waiter.after.before = waiter.before
    waiter.before = undefined
    waiter.after = undefined
    this.waiters -= 1
    return true
  }

  /** Empties the queue, in order. */
  dismiss(): ReadonlyArray<Waiter<L>> {
    const dismissed: Array<Waiter<L>> = []
    for (let waiter = this.first; waiter !== undefined; waiter = this.first) {
      this.leave(waiter)
      dismissed.push(waiter)
    }
    return dismissed
  }
}
