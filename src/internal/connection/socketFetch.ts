/**
 * One socket and the `fetch` that uses it, and nothing else.
 *
 * undici's `Client` writes and parses HTTP/1.1; connecting is ours, so that it can be interrupted and counted, and so
 * that a socket which is gone is never silently replaced by another: a connection *is* its socket.
 */
import type * as Net from "node:net"
import { Duration, Effect } from "effect"
import type { buildConnector } from "undici"
import type { Client } from "#undici"
import { ConnectionFailed, type DbError } from "../../Errors.js"
import { isAlert } from "../errors/tlsText.js"
import { asSaid, bodyAfterHead } from "../pool/hangUps.js"
import type { Deadlines } from "../shared/deadlines.js"
import { realTime } from "../shared/timers.js"
import { codeOf, failed, openSocket, type Target } from "./connect.js"
import { codings } from "./contentCoding.js"
import { Exchange } from "./exchange.js"
import { invalidAnswer, invalidRequest, refusedRequest, requestErrorCode } from "./fetchErrors.js"
import { ownHeader, type PlainHeaders, userAgent } from "./fetchInput.js"
import {
  type AskedRequest,
  FetchTransport,
  type PlainRequest,
  type Settle,
  underSignal,
  withDigits
} from "./fetchTransport.js"
import { httpClient } from "./httpClient.js"
import { headerOf, type RawHeaders } from "./leanResponse.js"
import { Tenure } from "./tenure.js"
import { withOneTrace } from "./traceHeader.js"
import type { Reason, TakeSpare } from "./transport.js"
import { isGivenUp, Turn } from "./turn.js"

/** undici takes this much off a server's keep-alive hint, and so do the pings: the race of closing and sending. */
const keepAliveMargin = Duration.seconds(1)

/** In bytes; nobody takes a question of more than half as much (PostgREST 16.2: 51 kB). */
const longestHead = 131_072

const dayMillis = 86_400_000

/** Who has answered a question as long as this one does not hang up on it for its length. */
export interface AnsweredQuestions {
  /** The longest address, in characters. */
  longest: number
}

export interface SocketOptions {
  readonly target: Target
  readonly requestTimeout: Duration.Duration
  /** The largest answer, in bytes. */
  readonly maxAnswer: number
  /** Whether to ask for compressed answers. What comes encoded is decoded in any case. */
  readonly compression: boolean
  /** Shared by all sockets of a pool. */
  readonly deadlines: Deadlines
  /** Shared by all sockets of a pool. */
  readonly answered: AnsweredQuestions
  /** Called once, when an open socket is closed by whomever. */
  readonly onClose: () => void
  /** For what would stand in line behind another request of the same borrower. */
  readonly spare?: TakeSpare
}

/** The caller chose itself, or wants a part by its bytes, which are others when encoded (Fetch standard, as `fetch` does). */
const choosesCoding = (headers: PlainHeaders): boolean => {
  for (const name in headers) {
    if (name.length === 15 && name.toLowerCase() === "accept-encoding") return true
    if (name.length === 5 && name.toLowerCase() === "range") return true
  }
  return false
}

const asPing = { ...userAgent, [ownHeader]: "ping" }

/** RFC 9112 §9.6: what was said to be closed is not to be used again. */
const closes = (headers: RawHeaders): boolean =>
  (headerOf(headers, "connection") ?? "").split(",").some((option) => option.trim().toLowerCase() === "close")

/** What came is no beginning of an answer. */
const isNoAnswer = (code: string): boolean => code.startsWith("HPE_") || code === "HTTPParserError"

/** Of a body that is text of whoever's. PostgREST's are JSON, gateways' pages HTML, and where nothing is said nothing is known. */
const couldBeHttp = (headers: RawHeaders): boolean => {
  const type = headerOf(headers, "content-type")
  return type !== null && !/\b(?:json|html)\b/i.test(type) && headerOf(headers, "content-length") !== "0"
}

class SocketGone extends Error {
  override readonly name = "SocketGone"
  readonly code = "SOCKET_GONE"
}

export class SocketFetch extends FetchTransport<Exchange> {
  keepAliveHint: number | undefined = undefined
  ended = ""
  refused: ConnectionFailed | undefined = undefined
  readonly options: SocketOptions
  private readonly turn = new Turn()
  /** Both lead to the requests under way, and their headers to the keys: out of reach of whoever prints this. */
  #client: Client | undefined = undefined
  #socket: Net.Socket | undefined = undefined
  private handedOver = false
  /** An answer began: TLS and all that it rests on works. */
  private hasAnswered = false
  private hintRead = false
  /** Of who answers HEAD with a body that comes late, nobody knows which of the requests behind it that will meet. */
  private answeredHead = false

  constructor(options: SocketOptions) {
    super(options.target.mode, options.target.url.origin)
    this.options = options
  }

  private clientBy(HttpClient: typeof Client): Client {
    const client = new HttpClient(this.origin, {
      pipelining: 1,
      // Not synchronously: undici is inside its resume loop here, and would not write the request that waits.
      connect: (_, callback) => realTime.queueMicrotask(() => this.handOver(callback)),
      keepAliveTimeout: dayMillis,
      keepAliveMaxTimeout: dayMillis,
      keepAliveTimeoutThreshold: Duration.toMillis(keepAliveMargin),
      // PostgREST repeats the whole question in the answer's head (`Content-Location`).
      maxHeaderSize: longestHead,
      headersTimeout: 0,
      bodyTimeout: 0
    })
    client.on("disconnect", (_origin, _targets, error) => {
      if (this.answeredHead && isNoAnswer(codeOf(error))) this.options.target.bodyAfterHead = true
    })
    return client
  }

  private handOver(callback: buildConnector.Callback): void {
    if (this.#socket === undefined || this.handedOver || this.#socket.destroyed) {
      callback(new SocketGone("the socket is closed"), null)
      return
    }
    this.handedOver = true
    this.#socket.off("end", this.onEarlyEnd)
    // It flows on into undici's `readable`, which is listened to before anything else happens. Paused in between it would
    // never flow again in Deno 2.9.
    this.#socket.off("data", this.onEarlyData)
    // undici unreferences an idle socket and references it again, but only what it unreferenced itself.
    this.#socket.ref()
    callback(null, this.#socket)
  }

  private readonly onEarlyEnd = (): void => {
    this.#socket?.destroy()
  }

  /** With TLS 1.3 a server looks at our certificate after the handshake is over for us; it reads nothing before. */
  private readonly onError = (error: Error): void => {
    if (!this.hasAnswered && isAlert(codeOf(error))) this.refused = failed(this.options.target, true)(error)
  }

  /** An answer to nobody: the next request would take it for its own. */
  private readonly onEarlyData = (): void => this.end("spoke before it was asked")

  /** The socket is not to be used again. */
  end(why: string): void {
    this.ended = why
    this.#socket?.destroy()
  }

  get isOpen(): boolean {
    return this.#socket !== undefined && !this.#socket.destroyed && this.#socket.writable
  }

  /**
   * A late body of HEAD's would be read in the place of the next answer, and is none (JSON begins with no `HTTP/`): a read is
   * sent again, but of a write nobody could say how it ended. So none is sent behind a HEAD, but by who has the connection still.
   */
  override takeBack(): void {
    super.takeBack()
    if (!this.answeredHead || this.isBusy) return
    if (this.mode === "write" || this.options.target.bodyAfterHead) this.end("a body may follow its answer to HEAD")
  }

  /** Opens the socket; once in a life. */
  readonly open: Effect.Effect<void, ConnectionFailed> = Effect.flatMap(httpClient, (HttpClient) =>
    openSocket(this.options.target, (socket) => {
      this.#client = this.clientBy(HttpClient)
      this.#socket = socket
      socket.unref()
      socket.once("error", this.onError)
      socket.once("close", this.options.onClose)
      // Until undici has it, nobody else reads: a server's FIN would go unseen.
      socket.once("end", this.onEarlyEnd)
      socket.once("data", this.onEarlyData)
      this.turn.begin()
    })
  )

  /** Closes the socket and waits until it is closed. What is under way fails with `reason`. */
  readonly close = (reason: Reason): Effect.Effect<void> =>
    Effect.async((resume) => {
      this.abortAll(reason)
      const socket = this.#socket
      const destroyed = this.#client?.destroy() ?? Promise.resolve()
      if (socket === undefined || socket.closed) {
        destroyed.then(
          () => resume(Effect.void),
          () => resume(Effect.void)
        )
        return
      }
      socket.once("close", () => resume(Effect.void))
      destroyed.catch(() => {})
      socket.destroy()
    })

  /** An answer begins while its request is still being written: it was made without it. */
  answering(): void {
    this.hasAnswered = true
    if ((this.#socket?.writableLength ?? 0) > 0) this.ended = "answered before it was asked"
  }

  /** Who gave up may yet answer, and what is said of it nobody has read so far. */
  arrived(status: number): void {
    this.turn.begin()
    if (isGivenUp(status, "")) this.end(`gave up waiting (HTTP ${status})`)
  }

  answered(method: string, status: number, headers: RawHeaders, code: string): void {
    this.turn.begin()
    if (method === "HEAD") {
      this.answeredHead = true
      if (couldBeHttp(headers)) this.ended = "a body that looks like an answer may follow its answer to HEAD"
    }
    if (closes(headers)) this.ended = asSaid
    if (isGivenUp(status, code)) this.ended = `gave up waiting (HTTP ${status})`
    if (this.ended !== "") this.end(this.ended)
    if (this.hintRead) return
    this.hintRead = true
    const seconds = /timeout=(\d+)/.exec(headerOf(headers, "keep-alive") ?? "")?.[1]
    if (seconds !== undefined) {
      this.keepAliveHint = Math.max(0, Number(seconds) * 1_000 - Duration.toMillis(keepAliveMargin))
    }
  }

  /** `answering`: whether its answer had begun. */
  classify(error: Error & { readonly code?: unknown }, sent: boolean, method: string, answering = false): DbError {
    const code = requestErrorCode(error)
    // undici has its own word for it, since the other side hangs up after it has said why.
    if (this.refused !== undefined) return this.refused
    if (invalidRequest.has(code)) return refusedRequest("INVALID_REQUEST", error.message, method)
    if (this.answeredHead && isNoAnswer(code) && sent && !answering) return this.behindHead(method)
    const failure = code.startsWith("HPE_") || invalidAnswer.has(code) ? "protocol" : "closed"
    return new ConnectionFailed({ pool: this.mode, origin: this.origin, failure, code, sent, method })
  }

  private behindHead(method: string): ConnectionFailed {
    const { mode: pool, origin } = this
    return new ConnectionFailed({ pool, origin, failure: "protocol", code: bodyAfterHead, sent: true, method })
  }

  /** The answer came, and is none that can be handed on. */
  unreadable(thrown: unknown, method: string): DbError {
    this.end("an answer that cannot be read")
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "UNREADABLE"
    return new ConnectionFailed({ pool: this.mode, origin: this.origin, failure: "protocol", code, sent: true, method })
  }

  /** Sends on the socket even between two checkouts: the pool's own pings. */
  readonly ping: Effect.Effect<void, unknown> = Effect.async((resume) => {
    const exchange = this.launch(
      { path: "/", method: "GET", headers: asPing, body: undefined, signal: null, tenure: new Tenure() },
      { resolve: () => resume(Effect.void), reject: (error) => resume(Effect.fail(error)) }
    )
    return Effect.sync(() => exchange.cancel(this.classify(new SocketGone("interrupted"), exchange.sent, "GET")))
  })

  readonly fetch: typeof globalThis.fetch = (input, init) => {
    const asked = this.plain(input, init)
    return "url" in asked ? this.send(asked) : asked.then((read) => this.send(read))
  }

  private send(asked: AskedRequest): Promise<Response> {
    const request = this.accept(asked)
    if (!("path" in request)) return request
    const { signal } = request
    return new Promise((resolve, reject) => {
      const settle = withDigits(request, { resolve, reject })
      if (signal === null || signal === undefined) this.dispatch(request, settle)
      else underSignal(signal, settle, (settles) => this.dispatch(request, settles))
    })
  }

  private dispatch(asked: PlainRequest, settle: Settle): Exchange {
    const compressible = this.options.compression && asked.method !== "HEAD" && !choosesCoding(asked.headers)
    const given = compressible
      ? { ...asked, headers: { "accept-encoding": codings().accepted, ...asked.headers } }
      : asked
    // Reads only, which have no order among them; a write goes where the one before it went.
    return this.isSending && this.mode === "read" ? this.beside(given, settle) : this.launch(given, settle)
  }

  /** On a connection that is idle, if there is one; it is the pool's again when the answer is here. */
  private beside(asked: PlainRequest, { reject, resolve }: Settle): Exchange {
    const spare = this.options.spare?.()
    if (spare === undefined || !(spare.transport instanceof SocketFetch)) return this.launch(asked, { reject, resolve })
    const { transport } = spare
    const done =
      <A>(settle: (value: A) => void) =>
      (value: A): void => {
        this.elsewhere.delete(exchange)
        transport.tenure.failure ??= exchange.failure
        // A request that was taken back closes its socket behind this.
        realTime.queueMicrotask(() => spare.giveBack())
        settle(value)
      }
    const exchange = transport.launch(asked, { resolve: done(resolve), reject: done(reject) })
    this.elsewhere.add(exchange)
    return exchange
  }

  private launch(asked: PlainRequest, settle: Settle): Exchange {
    const { body, headers, method, path } = asked
    const exchange = new Exchange(this, `${this.origin}${path}`, asked, settle)
    this.inFlight.add(exchange)
    // `reset: false`: after a HEAD undici would otherwise close the socket.
    const options = { path, method, headers, body: body ?? null, reset: false }
    this.turn.whenSettled(() => {
      if (!exchange.settled) withOneTrace(options, headers, (given) => this.#client?.dispatch(given, exchange))
    })
    return exchange
  }
}
