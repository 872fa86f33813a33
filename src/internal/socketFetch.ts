/**
 * One socket and the `fetch` that uses it, and nothing else.
 *
 * undici's `Client` writes and parses HTTP/1.1; connecting is ours, so that it can be interrupted and counted, and so
 * that a socket which is gone is never silently replaced by another: a connection *is* its socket.
 */
import type * as Net from "node:net"
import { Duration, Effect } from "effect"
import type { buildConnector } from "undici"
// Only this part of undici: the whole takes longer to load than all of this package.
import Client from "undici/lib/dispatcher/client.js"
import { ConnectionFailed, type DbError, ReadOnlyConnection } from "../Errors.js"
import type { Deadlines } from "./deadlines.js"
import { Exchange } from "./exchange.js"
import { aborted, abortReason, invalidAnswer, invalidRequest, refusedRequest, requestOf } from "./fetchErrors.js"
import { headerOf, type RawHeaders } from "./leanResponse.js"
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
import { isGivenUp, Turn } from "./turn.js"

/** undici takes this much off a server's keep-alive hint, and so do the pings: the race of closing and sending. */
const keepAliveMargin = Duration.seconds(1)

const dayMillis = 86_400_000

export interface SocketOptions {
  readonly target: Target
  readonly requestTimeout: Duration.Duration
  /** The largest answer, in bytes. */
  readonly maxAnswer: number
  /** Shared by all sockets of a pool. */
  readonly deadlines: Deadlines
  /** Called once, when an open socket is closed by whomever. */
  readonly onClose: () => void
}

class SocketGone extends Error {
  override readonly name = "SocketGone"
  readonly code = "SOCKET_GONE"
}

export class SocketFetch implements Transport {
  readonly inFlight: Set<Exchange> = new Set()
  failure: DbError | undefined = undefined
  rejection: unknown = undefined
  retryAfter: string | null = null
  keepAliveHint: number | undefined = undefined
  status = 0
  writes = 0
  traceparent = ""
  ended = ""
  readonly sent = new Sent()
  readonly options: SocketOptions
  private readonly turn = new Turn()
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
    this.#socket.off("data", this.onEarlyData)
    this.#socket.pause()
    // undici unreferences an idle socket and references it again, but only what it unreferenced itself.
    this.#socket.ref()
    callback(null, this.#socket)
  }

  private readonly onEarlyEnd = (): void => {
    this.#socket?.destroy()
  }

  /** An answer to nobody: the next request would take it for its own. */
  private readonly onEarlyData = (): void => this.end("spoke before it was asked")

  /** The socket is not to be used again. */
  end(why: string): void {
    this.ended = why
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
      socket.once("data", this.onEarlyData)
      this.turn.begin()
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

  /** An answer begins while its request is still being written: it was made without it. */
  answering(): void {
    if ((this.#socket?.writableLength ?? 0) > 0) this.ended = "answered before it was asked"
  }

  answered(status: number, headers: RawHeaders, code: string): void {
    this.turn.begin()
    if (isGivenUp(status, code)) this.ended = `gave up waiting (HTTP ${status})`
    if (this.ended !== "") this.end(this.ended)
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

  /** The answer came, and is none that can be handed on. */
  unreadable(thrown: unknown): DbError {
    this.end("an answer that cannot be read")
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "UNREADABLE"
    return new ConnectionFailed({
      pool: this.options.target.mode,
      origin: this.origin,
      failure: "protocol",
      code,
      sent: true
    })
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
    const options = { path, method, headers, body: body ?? null, reset: false }
    this.turn.whenSettled(() => {
      if (!exchange.settled) this.#client.dispatch(options, exchange)
    })
    return exchange
  }
}
