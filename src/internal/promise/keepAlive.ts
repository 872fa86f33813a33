import { inNone } from "../shared/asyncContext.js"
import { longestTimer } from "../shared/time.js"
import { realTime } from "../shared/timers.js"

/**
 * Keeps Node alive exactly while somebody waits for a promise of ours.
 *
 * One timer for all of them, referenced while the count is above zero: an operation that queues, or waits before a
 * retry, has no socket that would hold the process.
 */
export class KeepAlive {
  private pending = 0
  private timer: NodeJS.Timeout | undefined = undefined

  hold(): void {
    this.pending += 1
    if (this.pending > 1) return
    // Nothing is timed; it is the handle that Node counts.
    this.timer ??= inNone(() => realTime.setInterval(() => {}, longestTimer))
    this.timer.ref()
  }

  release(): void {
    this.pending -= 1
    if (this.pending === 0) this.timer?.unref()
  }
}
