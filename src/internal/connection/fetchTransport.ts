/**
 * What every `fetch` of a connection does before it sends, whatever carries the request: `plain` brings the request into its
 * plain form, `accept` writes it down or refuses it. The transport that extends this class sends what was accepted.
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
  /** When it left, on the pool's clock; undefined before. */
  readonly sentAt: number | undefined
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
  /** The caller's, which takes it back. */
  readonly signal: AbortSignal | null | undefined
  readonly tenure: Tenure
}

/** A request as the caller says it, in plain form, before it is checked. */
export interface AskedRequest {
  readonly tenure: Tenure
  readonly url: string
  readonly method: string
  readonly headers: PlainHeaders
  readonly body: PlainBody
  readonly signal: AbortSignal | null | undefined
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
  abstract readonly fetch: typeof fetch

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

  get sentSince(): number | undefined {
    let oldest: number | undefined
    for (const requests of [this.inFlight, this.elsewhere]) {
      for (const { sentAt } of requests) if (sentAt !== undefined) oldest = Math.min(sentAt, oldest ?? sentAt)
    }
    return oldest
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

  /** What was asked, in plain form; a promise of it where the body has yet to be read. */
  protected plain(input: RequestInfo | URL, init: RequestInit | undefined): AskedRequest | Promise<AskedRequest> {
    const { tenure } = this
    const headers = init?.headers
    const body = init?.body
    if (typeof input !== "string" || !isPlainBody(body) || Array.isArray(headers)) {
      return plainOf(tenure, input, init)
    }
    const method = methodOf(init?.method)
    return { tenure, url: input, method, headers: plainHeaders(headers), body, signal: init?.signal }
  }

  /** The request to send, or a rejected promise. Send it at once: a moment later the connection may be another caller's. */
  protected accept({ body, headers, method, signal, tenure, url }: AskedRequest): PlainRequest | Promise<never> {
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
    return { path, method, headers: all, body, signal, tenure }
  }

  private refusal(method: string, path: string, isLent: boolean): DbError | undefined {
    if (this.mode === "read" && !reads(method)) {
      return new ReadOnlyConnection({ method, path: path.split("?")[0] ?? "" })
    }
    if (isLent) return undefined
    return new ConnectionFailed({ pool: this.mode, origin: this.origin, failure: "returned", code: "", sent: false })
  }
}

/** Whatever the platform's `fetch` takes (a `Request`, a form, a blob), brought into the plain form. */
const plainOf = async (
  tenure: Tenure,
  input: RequestInfo | URL,
  init: RequestInit | undefined
): Promise<AskedRequest> => {
  const request = requestOf(input, init)
  if (request === undefined) {
    return refuse(tenure, refusedRequest("INVALID_REQUEST", "fetch was called with what is no request"))
  }
  const { method, url } = request
  const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined)
  const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer())
  return { tenure, url, method, headers: plainHeaders(request.headers), body, signal }
}

/** The caller, that is given the numbers of the answer with all their digits, or hears which of them were rounded. */
export const withDigits = ({ path, tenure }: PlainRequest, settle: Settle): Settle => {
  if (!tenure.exact && !tenure.notices) return settle
  const resolve: Settle["resolve"] = (response) =>
    settle.resolve(tenure.exact ? exactly(response) : noticing(response, (names) => tenure.rounds(path, names)))
  return { resolve, reject: settle.reject }
}

/** The caller's signal takes back what `dispatch` sends, until it is settled. */
export const underSignal = (
  signal: AbortSignal,
  { reject, resolve }: Settle,
  dispatch: (settle: Settle) => UnderWay
): void => {
  const onAbort = () => request.cancel(aborted(request.sent, request.method), abortReason(signal))
  const done =
    <A>(settle: (value: A) => void) =>
    (value: A) => {
      signal.removeEventListener("abort", onAbort)
      settle(value)
    }
  const request = dispatch({ resolve: done(resolve), reject: done(reject) })
  if (!request.settled) signal.addEventListener("abort", onAbort, { once: true })
}

const refuse = (tenure: Tenure, failure: DbError, thrown: Error = failure): Promise<never> => {
  tenure.refuses(failure, thrown)
  return Promise.reject(thrown)
}
