/**
 * Whether connecting works, and when to try again while it does not.
 *
 * While it fails, one probe at a time goes out, at growing distances, and everybody else is told at once what the
 * probe found: a database that comes back is not met by a storm. The delay doubles from 50 ms to 350 ms, where it stays for
 * three seconds, since a restart takes one or two and is over at once; then it doubles to 1.5 s, so that a database which
 * is back after longer is in use again within two seconds.
 */
import type { ConnectionFailed } from "../../Errors.js"

const firstDelay = 50
/** For as many probes as `restart` (some three seconds) no longer than this (ms). */
const restartDelay = 350
const restart = 10
const longestDelay = 1_500
/** Who fails again sooner than this (ms) after recovering never was well: the delays go on where they were. */
const recovered = 2_000

export class Circuit {
  /** The last failure, while connecting fails. */
  error: ConnectionFailed | undefined = undefined
  /** When it began to fail. */
  since = 0
  private failures = 0
  private closedAt = Number.NEGATIVE_INFINITY

  get isOpen(): boolean {
    return this.error !== undefined
  }

  /** True when it worked until now. */
  failed(error: ConnectionFailed, now: number): boolean {
    const first = this.error === undefined
    this.error = error
    if (!first) return false
    this.since = now
    if (now - this.closedAt >= recovered) this.failures = 0
    return true
  }

  /** How long to wait before the next probe, in ms; longer each time. */
  nextDelay(): number {
    const { failures } = this
    this.failures += 1
    return failures < restart
      ? Math.min(restartDelay, firstDelay * 2 ** failures)
      : Math.min(longestDelay, restartDelay * 2 ** Math.min(failures - restart + 1, 16))
  }

  /** True when it had failed until now. */
  succeeded(now: number): boolean {
    if (this.error === undefined) return false
    this.error = undefined
    this.closedAt = now
    return true
  }
}
