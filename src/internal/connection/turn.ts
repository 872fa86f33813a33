/**
 * An answer belongs to a request by its place alone: HTTP/1.1 gives no numbers. So a connection is over as soon as the
 * other side says something that nobody asked for, or that it has given up on what was asked and may yet answer.
 */

import { AsyncContext } from "../shared/asyncContext.js"
import { realTime } from "../shared/timers.js"

let waiting: Array<() => void> = []

const goOn = (): void => {
  const all = waiting
  waiting = []
  for (const send of all) send()
}

/** One `setImmediate` for all sockets that were answered in the same turn of the event loop: each costs as much as a waiter. */
const afterReading = (send: () => void): void => {
  const context = new AsyncContext()
  if (waiting.push(() => context.run(send)) === 1) realTime.setImmediate(goOn)
}

/** "I have stopped waiting": RFC 9110 §15.5.9, and what gateways say when time ran out (524 is Cloudflare's). */
const gaveUp: ReadonlySet<number> = new Set([408, 504, 524])

/** PostgREST's own 504 is an answer like any other: it had no connection to the database in time, and nothing follows. */
export const isGivenUp = (status: number, code: string): boolean => gaveUp.has(status) && !code.startsWith("PGRST")

/**
 * Whose turn it is on a socket. What arrives right behind an answer, or when a socket has just been opened, is still with
 * the operating system when the next request is there; so that one waits until it has been looked for.
 */
export class Turn {
  private settled = true

  /** The other side may have more to say. */
  begin(): void {
    this.settled = false
  }

  /** Calls it now, or after what has arrived was read. Until then nobody else's is called before it. */
  whenSettled(send: () => void): void {
    if (this.settled) send()
    else
      afterReading(() => {
        this.settled = true
        send()
      })
  }
}
