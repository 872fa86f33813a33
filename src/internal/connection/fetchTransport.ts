/**
 * The `fetch` of a connection, whatever carries it: what is refused before it is sent, what the caller's signal takes back,
 * and what is written down. What really sends is `dispatch`.
 */
import type { Effect } from "effect"
import { ConnectionFailed, type DbError, type Mode, ReadOnlyConnection } from "../../Errors.js"
import { exactly, noticing } from "../values/exactly.js"
import { aborted, abortReason, refusedRequest, requestOf } from "./fetchErrors.js"
import {
  isPlainBody,
  methodOf,
  named,
  type PlainBody,
  type PlainHeaders,
  pathAt,
  plainHeaders,
  reads
} from "./fetchInput.js"
import { unsendableRequest } from "./sendable.js"
import { Tenure } from "./tenure.js"
import type { Reason, Transport } from "./transport.js"

/** One that is under way. */
export interface UnderWay {
  readonly sent: boolean
  readonly settled: boolean
  readonly method: string
  /**
   * Ends it now: the caller is told why, by `thrown` where `fetch` has a way of its own to say it.
   */
  cancel(failure: DbError, thrown?: Error): void
}

export interface PlainRequest {
  readonly path: string
  readonly method: string
  readonly headers: PlainHeaders
  readonly body: PlainBody
  readonly tenure: Tenure
}

export interface Settle {
  readonly resolve: (response: Response) => void
  readonly reject: (error: unknown) => void
}

export abstract class FetchTransport<U extends UnderWay> implements Transport {
  readonly inFlight: Set<U> = new Set()
  /** Requests of the borrower that spare connections carry. */
  protected readonly elsewhere: Set<U> = new Set()
  tenure: Tenure = new Tenure()
  usable = false
  protected readonly mode: Mode
  protected readonly origin: string

  abstract readonly open: Effect.Effect<void, ConnectionFailed>
  abstract readonly ping: Effect.Effect<void, unknown>
  abstract readonly close: (reason: Reason) => Effect.Effect<void>
  abstract readonly isOpen: boolean
  abstract readonly keepAliveHint: number | undefined
  protected abstract dispatch(asked: PlainRequest, settle: Settle): U

  constructor(mode: Mode, origin: string) {
    this.mode = mode
    this.origin = origin
  }

  get isBusy(): boolean {
    return this.inFlight.size > 0 || this.elsewhere.size > 0
  }

  get isSending(): boolean {
    return this.inFlight.size > 0
  }

  lend(): void {
    this.usable = true
    this.tenure = new Tenure()
  }

  takeBack(): void {
    this.usable = false
    this.tenure.ends()
  }

  readonly abortAll = (reason: Reason): void => {
    for (const request of [...this.inFlight, ...this.elsewhere]) request.cancel(reason(request.sent, request.method))
  }

  readonly fetch: typeof fetch = (input, init) => {
    const { tenure } = this
    const headers = init?.headers
    if (typeof input !== "string" || !isPlainBody(init?.body) || Array.isArray(headers)) {
      return this.fetchAny(tenure, input, init)
    }
    return this.send(tenure, input, methodOf(init?.method), plainHeaders(headers), init?.body, init?.signal)
  }

  /** Whatever the platform's `fetch` takes (a `Request`, a form, a blob), brought into the plain form. */
  private async fetchAny(tenure: Tenure, input: RequestInfo | URL, init: RequestInit | undefined): Promise<Response> {
    const request = requestOf(input, init)
    if (request === undefined) {
      return refuse(tenure, refusedRequest("INVALID_REQUEST", "fetch was called with what is no request"))
    }
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined)
    const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer())
    return this.send(tenure, request.url, request.method, plainHeaders(request.headers), body, signal)
  }

  private send(
    tenure: Tenure,
    url: string,
    method: string,
    headers: PlainHeaders,
    body: PlainBody,
    signal: AbortSignal | null | undefined
  ): Promise<Response> {
    const path = pathAt(url, this.origin)
    if (path === undefined) {
      const reason = `the request is not for ${this.origin}, the server of this connection`
      return refuse(tenure, refusedRequest("INVALID_REQUEST", reason))
    }
    const isLent = this.usable && tenure === this.tenure
    if (isLent) tenure.asks(method, path)
    const refused = this.refusal(method, path, isLent) ?? unsendableRequest(path, body)
    if (refused !== undefined) return refuse(tenure, refused)
    if (signal?.aborted === true) return refuse(tenure, aborted(false, method), abortReason(signal))
    const { traceparent } = tenure
    const all = traceparent === "" ? named(headers) : { traceparent, ...named(headers) }
    return new Promise((settle, reject) => {
      const resolve = tenure.exact || tenure.notices ? wholly(tenure, path, settle) : settle
      const asked = { path, method, headers: all, body, tenure }
      if (signal === null || signal === undefined) this.dispatch(asked, { resolve, reject })
      else this.underSignal(signal, asked, { resolve, reject })
    })
  }

  private underSignal(signal: AbortSignal, asked: PlainRequest, { reject, resolve }: Settle): void {
    const onAbort = () => request.cancel(aborted(request.sent, asked.method), abortReason(signal))
    const done =
      <A>(settle: (value: A) => void) =>
      (value: A) => {
        signal.removeEventListener("abort", onAbort)
        settle(value)
      }
    const request = this.dispatch(asked, { resolve: done(resolve), reject: done(reject) })
    if (!request.settled) signal.addEventListener("abort", onAbort, { once: true })
  }

  private refusal(method: string, path: string, isLent: boolean): DbError | undefined {
    if (this.mode === "read" && !reads(method)) {
      return new ReadOnlyConnection({ method, path: path.split("?")[0] ?? "" })
    }
    if (isLent) return undefined
    return new ConnectionFailed({ pool: this.mode, origin: this.origin, failure: "returned", code: "", sent: false })
  }
}

const wholly =
  (tenure: Tenure, path: string, settle: Settle["resolve"]): Settle["resolve"] =>
  (response) =>
    settle(tenure.exact ? exactly(response) : noticing(response, (names) => tenure.rounds(path, names)))

const refuse = (tenure: Tenure, failure: DbError, thrown: Error = failure): Promise<never> => {
  tenure.refuses(failure, thrown)
  return Promise.reject(thrown)
}
