/**
 * One socket and the `fetch` that uses it, and nothing else.
 *
 * undici's `Client` writes and parses HTTP/1.1; connecting is ours, so that it can be interrupted and counted, and so
 * that a socket which is gone is never silently replaced by another: a connection *is* its socket.
 */
import type * as Net from "node:net"
import { Duration, Effect } from "effect"
import type { buildConnector, Dispatcher } from "undici"
import { Client } from "#undici"
import { ConnectionFailed, type DbError, QueryError, ReadOnlyConnection, RequestTimeout } from "../Errors.js"
import { Deadline, type Deadlines } from "./deadlines.js"
import { mayHaveExecutedAnswer } from "./errorCodes.js"
import { headerOf, LeanResponse, type RawHeaders } from "./leanResponse.js"
import { openSocket, type Target } from "./openSocket.js"
import {
  isPlainBody,
  methodOf,
  type PlainBody,
  type PlainHeaders,
  pathOf,
  plainHeaders,
  reads
} from "./plainRequest.js"
import { Sent, type Transport } from "./transport.js"

/** undici takes this much off a server's keep-alive hint, and so do the pings: the race of closing and sending. */
const keepAliveMargin = Duration.seconds(1)

const dayMillis = 86_400_000

export interface SocketOptions {
  readonly target: Target
  readonly requestTimeout: Duration.Duration
  /** Shared by all sockets of a pool. */
  readonly deadlines: Deadlines
  /** Called once, when an open socket is closed by whomever. */
  readonly onClose: () => void
}

class SocketGone extends Error {
  override readonly name = "SocketGone"
  readonly code = "SOCKET_GONE"
}

/** A request under way. */
class Exchange extends Deadline implements Dispatcher.DispatchHandler {
  sent = false
  settled = false
  private abort: ((error?: Error) => void) | undefined = undefined
  private thrown: Error | undefined = undefined
  private status = 0
  private statusText = ""
  private headers: RawHeaders = []
  private readonly chunks: Array<Buffer> = []
  private readonly owner: SocketFetch
  private readonly url: string
  private readonly writes: boolean
  private readonly resolve: (response: Response) => void
  private readonly reject: (error: unknown) => void

  constructor(
    owner: SocketFetch,
    url: string,
    method: string,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void
  ) {
    super()
    this.owner = owner
    this.url = url
    this.writes = !reads(method)
    this.resolve = resolve
    this.reject = reject
  }

  get onExpire(): Effect.Effect<void> {
    return Effect.sync(() => {
      const { requestTimeout, target } = this.owner.options
      this.cancel(new RequestTimeout({ pool: target.mode, timeout: requestTimeout, sent: this.sent }))
    })
  }

  /**
   * Ends it now: the caller is told why (by `thrown`, where `fetch` has a way of its own to say it), and the socket, on
   * which the answer may still be coming, is closed.
   */
  cancel(failure: DbError, thrown: Error = failure): void {
    if (this.settled) return
    this.thrown = thrown
    this.fail(failure, thrown)
    this.abort?.(thrown)
  }

  private fail(failure: DbError, thrown: Error): void {
    this.finish()
    if (this.writes && this.sent) this.owner.writes += 1
    this.owner.failed(failure, thrown)
    this.reject(thrown)
  }

  private finish(): void {
    this.settled = true
    this.owner.inFlight.delete(this)
    this.owner.options.deadlines.remove(this)
  }

  onConnect(abort: (error?: Error) => void): void {
    if (this.settled) {
      abort(this.thrown)
      return
    }
    this.abort = abort
    this.sent = true
  }

  onHeaders(status: number, headers: Array<Buffer>, _resume: () => void, statusText: string): boolean {
    this.status = status
    this.statusText = statusText
    this.headers = headers
    return true
  }

  onData(chunk: Buffer): boolean {
    this.chunks.push(chunk)
    return true
  }

  onComplete(): void {
    if (this.settled) return
    this.finish()
    const [first] = this.chunks
    const body = this.chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.chunks)
    this.owner.answered(this.status, this.headers)
    if (this.writes && wasExecuted(this.status, body)) this.owner.writes += 1
    this.resolve(new LeanResponse(this.url, this.status, this.statusText, this.headers, body))
  }

  onError(error: Error): void {
    if (this.settled) return
    const failure = this.owner.classify(error, this.sent)
    this.fail(failure, failure)
  }
}

/** Whether a write that was answered so may have changed something. */
const wasExecuted = (status: number, body: Buffer): boolean =>
  status < 400 || mayHaveExecutedAnswer(status, /"code"\s*:\s*"(\w*)"/.exec(body.toString("utf8"))?.[1] ?? "")

/** undici's words for "the request is not one", and for "the answer is not one". */
const invalidRequest = new Set(["UND_ERR_INVALID_ARG", "UND_ERR_NOT_SUPPORTED", "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH"])
const invalidAnswer = new Set(["HTTPParserError", "UND_ERR_HEADERS_OVERFLOW", "UND_ERR_RES_CONTENT_LENGTH_MISMATCH"])

const refusedRequest = (code: string, reason: string): QueryError =>
  new QueryError({ code, reason, details: "", hint: "", status: 0 })

const aborted = (sent: boolean): QueryError =>
  refusedRequest(sent ? "ABORTED" : "ABORTED_UNSENT", "the caller's signal aborted the request")

export class SocketFetch implements Transport {
  readonly inFlight: Set<Exchange> = new Set()
  failure: DbError | undefined = undefined
  rejection: unknown = undefined
  retryAfter: string | null = null
  keepAliveHint: number | undefined = undefined
  status = 0
  writes = 0
  traceparent = ""
  readonly sent = new Sent()
  readonly options: SocketOptions
  /** Both lead to the requests under way, and their headers to the keys: out of reach of whoever prints this. */
  readonly #client: Client
  #socket: Net.Socket | undefined = undefined
  private handedOver = false
  private hintRead = false
  private readonly origin: string
  private lent = false
  /** How often it was lent: tells a request that began for an earlier borrower from the present one's. */
  private tenure = 0

  constructor(options: SocketOptions) {
    this.options = options
    this.origin = options.target.url.origin
    this.#client = new Client(this.origin, {
      pipelining: 1,
      // Not synchronously: undici is inside its resume loop here, and would not write the request that waits.
      connect: (_, callback) => queueMicrotask(() => this.handOver(callback)),
      keepAliveTimeout: dayMillis,
      keepAliveMaxTimeout: dayMillis,
      keepAliveTimeoutThreshold: Duration.toMillis(keepAliveMargin),
      headersTimeout: 0,
      bodyTimeout: 0
    })
  }

  private handOver(callback: buildConnector.Callback): void {
    if (this.#socket === undefined || this.handedOver || this.#socket.destroyed) {
      callback(new SocketGone("the socket is closed"), null)
      return
    }
    this.handedOver = true
    this.#socket.off("end", this.onEarlyEnd)
    this.#socket.pause()
    // undici unreferences an idle socket and references it again, but only what it unreferenced itself.
    this.#socket.ref()
    callback(null, this.#socket)
  }

  private readonly onEarlyEnd = (): void => {
    this.#socket?.destroy()
  }

  get usable(): boolean {
    return this.lent
  }

  set usable(lent: boolean) {
    this.lent = lent
    if (lent) this.tenure += 1
  }

  get isBusy(): boolean {
    return this.inFlight.size > 0
  }

  get isOpen(): boolean {
    return this.#socket !== undefined && !this.#socket.destroyed && this.#socket.writable
  }

  /** Opens the socket; once in a life. */
  readonly open: Effect.Effect<void, ConnectionFailed> = Effect.suspend(() =>
    Effect.map(openSocket(this.options.target), (socket) => {
      this.#socket = socket
      socket.unref()
      socket.once("close", this.options.onClose)
      // Until undici has it, nobody else reads: a server's FIN would go unseen.
      socket.once("end", this.onEarlyEnd)
      socket.resume()
    })
  )

  /** Closes the socket and waits until it is closed. What is under way fails with `reason`. */
  readonly close = (reason: (sent: boolean) => DbError): Effect.Effect<void> =>
    Effect.async((resume) => {
      this.abortAll(reason)
      const socket = this.#socket
      if (socket === undefined || socket.closed) {
        this.#client.destroy().then(
          () => resume(Effect.void),
          () => resume(Effect.void)
        )
        return
      }
      socket.once("close", () => resume(Effect.void))
      this.#client.destroy().catch(() => {})
      socket.destroy()
    })

  /** Fails what is under way, at once, and closes its socket: HTTP/1.1 has no other way to take a request back. */
  abortAll(reason: (sent: boolean) => DbError): void {
    for (const exchange of [...this.inFlight]) exchange.cancel(reason(exchange.sent))
  }

  failed(failure: DbError, thrown: Error): void {
    this.failure = failure
    this.rejection = thrown
  }

  answered(status: number, headers: RawHeaders): void {
    this.status = status
    this.retryAfter = status >= 400 ? headerOf(headers, "retry-after") : null
    if (this.hintRead) return
    this.hintRead = true
    const seconds = /timeout=(\d+)/.exec(headerOf(headers, "keep-alive") ?? "")?.[1]
    if (seconds !== undefined) {
      this.keepAliveHint = Math.max(0, Number(seconds) * 1_000 - Duration.toMillis(keepAliveMargin))
    }
  }

  classify(error: Error & { readonly code?: unknown }, sent: boolean): DbError {
    const code = typeof error.code === "string" ? error.code : error.name
    if (invalidRequest.has(code)) return refusedRequest("INVALID_REQUEST", error.message)
    const failure = code.startsWith("HPE_") || invalidAnswer.has(code) ? "protocol" : "closed"
    return new ConnectionFailed({ pool: this.options.target.mode, origin: this.origin, failure, code, sent })
  }

  private refusal(method: string, path: string, tenure: number): DbError | undefined {
    const { mode } = this.options.target
    if (mode === "read" && !reads(method)) return new ReadOnlyConnection({ method, path: path.split("?")[0] ?? "" })
    if (!this.lent || tenure !== this.tenure) {
      return new ConnectionFailed({ pool: mode, origin: this.origin, failure: "returned", code: "", sent: false })
    }
    return undefined
  }

  private refuse(failure: DbError, thrown: Error = failure): Promise<never> {
    this.failed(failure, thrown)
    return Promise.reject(thrown)
  }

  readonly fetch: typeof fetch = (input, init) => {
    const headers = init?.headers
    if (typeof input !== "string" || !isPlainBody(init?.body) || Array.isArray(headers)) {
      return this.fetchAny(input, init)
    }
    return this.send(input, methodOf(init?.method), plainHeaders(headers), init?.body, init?.signal, this.tenure)
  }

  /** Whatever the platform's `fetch` takes (a `Request`, a form, a blob), brought into the plain form. */
  private async fetchAny(input: RequestInfo | URL, init: RequestInit | undefined): Promise<Response> {
    const { tenure } = this
    const request = requestOf(input, init)
    if (request === undefined) {
      return this.refuse(refusedRequest("INVALID_REQUEST", "fetch was called with what is no request"))
    }
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined)
    const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer())
    return this.send(request.url, request.method, plainHeaders(request.headers), body, signal, tenure)
  }

  /** Sends on the socket even between two checkouts: the pool's own pings. */
  readonly ping: Effect.Effect<void, unknown> = Effect.async((resume) => {
    const exchange = this.dispatch(
      "/",
      "GET",
      {},
      undefined,
      () => resume(Effect.void),
      (error) => resume(Effect.fail(error))
    )
    return Effect.sync(() => exchange.cancel(this.classify(new SocketGone("interrupted"), exchange.sent)))
  })

  private send(
    url: string,
    method: string,
    headers: PlainHeaders,
    body: PlainBody,
    signal: AbortSignal | null | undefined,
    tenure: number
  ): Promise<Response> {
    const path = pathOf(url, this.origin)
    if (path === undefined) {
      const reason = `the request is not for ${this.origin}, the server of this connection`
      return this.refuse(refusedRequest("INVALID_REQUEST", reason))
    }
    if (this.lent && tenure === this.tenure) this.sent.add(method, path)
    const refused = this.refusal(method, path, tenure)
    if (refused !== undefined) return this.refuse(refused)
    if (signal?.aborted === true) return this.refuse(aborted(false), abortReason(signal))
    const all = this.traceparent === "" ? headers : { traceparent: this.traceparent, ...headers }
    return new Promise((resolve, reject) => {
      if (signal === null || signal === undefined) {
        this.dispatch(path, method, all, body, resolve, reject)
        return
      }
      const onAbort = () => exchange.cancel(aborted(exchange.sent), abortReason(signal))
      const done =
        <A>(settle: (value: A) => void) =>
        (value: A) => {
          signal.removeEventListener("abort", onAbort)
          settle(value)
        }
      const exchange = this.dispatch(path, method, all, body, done(resolve), done(reject))
      if (!exchange.settled) signal.addEventListener("abort", onAbort, { once: true })
    })
  }

  private dispatch(
    path: string,
    method: string,
    headers: PlainHeaders,
    body: PlainBody,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void
  ): Exchange {
    const exchange = new Exchange(this, `${this.origin}${path}`, method, resolve, reject)
    this.inFlight.add(exchange)
    this.options.deadlines.add(exchange)
    // `reset: false`: after a HEAD undici would otherwise close the socket.
    this.#client.dispatch({ path, method, headers, body: body ?? null, reset: false }, exchange)
    return exchange
  }
}

const abortReason = (signal: AbortSignal): Error =>
  signal.reason instanceof Error ? signal.reason : new DOMException("This operation was aborted", "AbortError")

/** Undefined instead of the platform's error, whose words repeat the value of the header that it does not like. */
const requestOf = (input: RequestInfo | URL, init: RequestInit | undefined): Request | undefined => {
  try {
    return new Request(input, init)
  } catch {
    return undefined
  }
}
