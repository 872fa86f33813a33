/**
 * One socket and the `fetch` that uses it, and nothing else.
 *
 * undici's `Client` writes and parses HTTP/1.1; connecting is ours, so that it can be interrupted and counted, and so
 * that a socket which is gone is never silently replaced by another: a connection *is* its socket.
 */
import type * as Net from "node:net"
import { Duration, Effect } from "effect"
import { type buildConnector, Client, type Dispatcher } from "undici"
import { ConnectionFailed, type DbError, QueryError, ReadOnlyConnection, RequestTimeout } from "../Errors.js"
import { mayHaveExecutedAnswer } from "./answers.js"
import { Deadline, type Deadlines } from "./deadlines.js"
import { headerOf, LeanResponse, type RawHeaders } from "./leanResponse.js"
import { openSocket, type Target } from "./openSocket.js"
import type { Transport } from "./transport.js"

/** undici takes this much off a server's keep-alive hint, and so do the pings: the race of closing and sending. */
export const keepAliveMargin = Duration.seconds(1)

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
  private failure: DbError | Error | undefined = undefined
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

  readonly onExpire: Effect.Effect<void> = Effect.sync(() => {
    const { requestTimeout, target } = this.owner.options
    this.cancel(new RequestTimeout({ pool: target.mode, timeout: requestTimeout, sent: this.sent }))
  })

  /** Ends it now: the caller is told why, and the socket, on which the answer may still be coming, is closed. */
  cancel(failure: DbError | Error): void {
    if (this.settled) return
    this.failure = failure
    this.finish()
    if (this.writes && this.sent) this.owner.writes += 1
    this.reject(failure)
    this.abort?.(failure instanceof Error ? failure : undefined)
  }

  private finish(): void {
    this.settled = true
    this.owner.inFlight.delete(this)
    this.owner.options.deadlines.remove(this)
  }

  onConnect(abort: (error?: Error) => void): void {
    if (this.settled) {
      abort(this.failure instanceof Error ? this.failure : undefined)
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
    this.finish()
    if (this.writes && this.sent) this.owner.writes += 1
    const failure = this.owner.classify(error, this.sent)
    this.owner.failure = failure
    this.reject(failure)
  }
}

const reads = (method: string): boolean => method === "GET" || method === "HEAD"

/** Whether a write that was answered so may have changed something. */
const wasExecuted = (status: number, body: Buffer): boolean =>
  status < 400 || mayHaveExecutedAnswer(status, /"code"\s*:\s*"(\w*)"/.exec(body.toString("utf8"))?.[1] ?? "")

/** Node's word for "the request is not one": its name, so that it can be mended. */
const isInvalid = (error: Error & { readonly code?: unknown }): boolean =>
  error.code === "UND_ERR_INVALID_ARG" || error.code === "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH"

export class SocketFetch implements Transport {
  readonly inFlight: Set<Exchange> = new Set()
  failure: DbError | undefined = undefined
  retryAfter: string | null = null
  keepAliveHint: number | undefined = undefined
  usable = false
  status = 0
  writes = 0
  readonly options: SocketOptions
  private readonly client: Client
  private socket: Net.Socket | undefined = undefined
  private handedOver = false
  private hintRead = false

  constructor(options: SocketOptions) {
    this.options = options
    this.client = new Client(options.target.url.origin, {
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
    if (this.socket === undefined || this.handedOver || this.socket.destroyed) {
      callback(new SocketGone("the socket is closed"), null)
      return
    }
    this.handedOver = true
    this.socket.off("end", this.onEarlyEnd)
    this.socket.pause()
    // undici unreferences an idle socket and references it again, but only what it unreferenced itself.
    this.socket.ref()
    callback(null, this.socket)
  }

  private readonly onEarlyEnd = (): void => {
    this.socket?.destroy()
  }

  get isBusy(): boolean {
    return this.inFlight.size > 0
  }

  get isOpen(): boolean {
    return this.socket !== undefined && !this.socket.destroyed && this.socket.writable
  }

  /** Opens the socket; once in a life. */
  readonly open: Effect.Effect<void, ConnectionFailed> = Effect.suspend(() =>
    Effect.map(openSocket(this.options.target), (socket) => {
      this.socket = socket
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
      const { socket } = this
      if (socket === undefined || socket.closed) {
        this.client.destroy().then(
          () => resume(Effect.void),
          () => resume(Effect.void)
        )
        return
      }
      socket.once("close", () => resume(Effect.void))
      this.client.destroy().catch(() => {})
      socket.destroy()
    })

  /** Fails what is under way, at once, and closes its socket: HTTP/1.1 has no other way to take a request back. */
  abortAll(reason: (sent: boolean) => DbError): void {
    for (const exchange of [...this.inFlight]) {
      const failure = reason(exchange.sent)
      this.failure = failure
      exchange.cancel(failure)
    }
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
    const { mode, url } = this.options.target
    const code = typeof error.code === "string" ? error.code : error.name
    if (isInvalid(error)) {
      return new QueryError({ code: "INVALID_REQUEST", reason: error.message, details: "", hint: "", status: 0 })
    }
    const failure = code.startsWith("HPE_") || code === "UND_ERR_HEADERS_OVERFLOW" ? "protocol" : "closed"
    return new ConnectionFailed({ pool: mode, origin: url.origin, failure, code, sent })
  }

  private refusal(method: string, url: string): DbError | undefined {
    const { mode, url: base } = this.options.target
    if (mode === "read" && !reads(method)) {
      return new ReadOnlyConnection({ method, path: pathOf(url, base.origin).split("?")[0] ?? "" })
    }
    if (!this.usable) {
      return new ConnectionFailed({ pool: mode, origin: base.origin, failure: "returned", code: "", sent: false })
    }
    return undefined
  }

  readonly fetch: typeof fetch = (input, init) => {
    if (typeof input !== "string" || !isPlainBody(init?.body)) return this.fetchAny(input, init)
    return this.send(input, init?.method ?? "GET", plainHeaders(init?.headers), init?.body, init?.signal)
  }

  /** Whatever the platform's `fetch` takes (a `Request`, a form, a blob), brought into the plain form. */
  private async fetchAny(input: RequestInfo | URL, init: RequestInit | undefined): Promise<Response> {
    const request = new Request(input, init)
    const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer())
    return this.send(request.url, request.method, plainHeaders(request.headers), body, init?.signal)
  }

  /** Sends on the socket even between two checkouts: the pool's own pings. */
  readonly ping: Effect.Effect<void, unknown> = Effect.async((resume) => {
    const exchange = this.dispatch(
      `${this.options.target.url.origin}/`,
      "GET",
      {},
      undefined,
      () => resume(Effect.void),
      (error) => resume(Effect.fail(error))
    )
    return Effect.sync(() => exchange.cancel(new SocketGone("interrupted")))
  })

  private send(
    url: string,
    method: string,
    headers: Record<string, string>,
    body: string | Uint8Array | null | undefined,
    signal: AbortSignal | null | undefined
  ): Promise<Response> {
    const refused = this.refusal(method, url)
    if (refused !== undefined) {
      this.failure = refused
      return Promise.reject(refused)
    }
    if (signal?.aborted === true) return Promise.reject(abortReason(signal))
    return new Promise((resolve, reject) => {
      if (signal === null || signal === undefined) {
        this.dispatch(url, method, headers, body, resolve, reject)
        return
      }
      const onAbort = () => exchange.cancel(abortReason(signal))
      const done =
        <A>(settle: (value: A) => void) =>
        (value: A) => {
          signal.removeEventListener("abort", onAbort)
          settle(value)
        }
      const exchange = this.dispatch(url, method, headers, body, done(resolve), done(reject))
      if (!exchange.settled) signal.addEventListener("abort", onAbort, { once: true })
    })
  }

  private dispatch(
    url: string,
    method: string,
    headers: Record<string, string>,
    body: string | Uint8Array | null | undefined,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void
  ): Exchange {
    const exchange = new Exchange(this, url, method, resolve, reject)
    this.inFlight.add(exchange)
    this.options.deadlines.add(exchange)
    // `reset: false`: after a HEAD undici would otherwise close the socket.
    const path = pathOf(url, this.options.target.url.origin)
    this.client.dispatch({ path, method, headers, body: body ?? null, reset: false }, exchange)
    return exchange
  }
}

const abortReason = (signal: AbortSignal): Error =>
  signal.reason instanceof Error ? signal.reason : new DOMException("This operation was aborted", "AbortError")

const isPlainBody = (body: unknown): body is string | Uint8Array | null | undefined =>
  body === undefined || body === null || typeof body === "string" || body instanceof Uint8Array

const plainHeaders = (headers: HeadersInit | undefined): Record<string, string> => {
  if (headers === undefined) return {}
  if (headers instanceof Headers) return Object.fromEntries(headers.entries())
  if (Array.isArray(headers)) return Object.fromEntries(new Headers(headers).entries())
  return headers
}

const pathOf = (url: string, origin: string): string => {
  if (url.startsWith(origin)) return url.slice(origin.length) || "/"
  const parsed = new URL(url)
  return `${parsed.pathname}${parsed.search}`
}
