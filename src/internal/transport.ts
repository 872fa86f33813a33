import type { Effect } from "effect"
import type { ConnectionFailed, DbError } from "../Errors.js"

/** What carries the requests of one connection: a socket, or in a user's specs a handler. */
export interface Transport {
  readonly fetch: typeof globalThis.fetch
  readonly open: Effect.Effect<void, ConnectionFailed>
  readonly ping: Effect.Effect<void, unknown>
  readonly close: (reason: (sent: boolean) => DbError) => Effect.Effect<void>
  readonly abortAll: (reason: (sent: boolean) => DbError) => void
  readonly isOpen: boolean
  /** Whether a request is under way. */
  readonly isBusy: boolean
  /** In ms; what the other side said. */
  readonly keepAliveHint: number | undefined
  /** Between checkout and return; outside, nothing may be sent. */
  usable: boolean
  /** The last failure that was not an HTTP answer: the PostgREST builder keeps only its words. */
  failure: DbError | undefined
  /** What `fetch` rejected with when it failed so: for an aborted request the platform's own error. */
  readonly rejection?: unknown
  /** `Retry-After` of the last answer that was an error: the builder drops it. */
  retryAfter: string | null
  /** Status of the last answer; 0 before one came. */
  status: number
  /** Requests since the checkout that may have changed something: a write after which a repetition would do it twice. */
  writes: number
  /** Why no more can be sent on it, where what was said on it is the reason; empty otherwise. */
  readonly ended?: string
  /** Header of each request, until the connection comes back; empty for none. */
  traceparent: string
  /** The first request since the checkout, and how many there were. */
  readonly sent: Sent
}

/** Which requests a borrower has sent. */
export class Sent {
  method = ""
  /** With the query, without the origin. */
  path = ""
  requests = 0

  add(method: string, path: string): void {
    if (this.requests === 0) {
      this.method = method
      this.path = path
    }
    this.requests += 1
  }

  clear(): void {
    this.requests = 0
  }
}

/** Makes one, without I/O; `onClose` is called once, when it is closed by the other side. */
export type MakeTransport = (onClose: () => void) => Transport
