/**
 * Whether connecting works, and when to try again while it does not.
 *
 * While it fails, one probe at a time goes out, at growing distances, and everybody else is told at once what the
 * probe found: a database that comes back is not met by a storm. The delay doubles from 50 ms to 1.5 s, so that a
 * database which is back is in use again within two seconds.
 */
import type { ConnectionFailed } from "../Errors.js"

const firstDelay = 50
const longestDelay = 1_500

export class Circuit {
  /** The last failure, while connecting fails. */
  error: ConnectionFailed | undefined = undefined
  /** When it began to fail. */
  since = 0
  private failures = 0

  get isOpen(): boolean {
    return this.error !== undefined
  }

  /** Returns how long to wait before the next probe, in ms; true `first` when it worked until now. */
  failed(error: ConnectionFailed, now: number): { readonly first: boolean; readonly delay: number } {
    const first = this.error === undefined
    if (first) this.since = now
    this.error = error
    const delay = Math.min(longestDelay, firstDelay * 2 ** Math.min(this.failures, 16))
    this.failures += 1
    return { first, delay }
  }

  /** True when it had failed until now. */
  succeeded(): boolean {
    const recovered = this.error !== undefined
    this.error = undefined
    this.failures = 0
    return recovered
  }
}
