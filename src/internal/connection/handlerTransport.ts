/**
 * A transport without sockets of ours: a function answers each request. It is a handler of a user's spec, or the platform's `fetch`.
 *
 * Everything above it is the real thing: the pool, the waiting, the retries, the read-only rule, the timeouts, and what is
 * made of each answer.
 */
import { Cause, type Clock, type Duration, Effect, type Exit, Fiber, Option, Runtime } from "effect"
import { type ConnectionFailed, type DbError, type Mode, type QueryError, RequestTimeout } from "../../Errors.js"
import { monotonic } from "../shared/time.js"
import { beginning, decodeBody } from "./answerBody.js"
import { plainHeaders, reads } from "./fetchInput.js"
import {
  type AskedRequest,
  FetchTransport,
  type PlainRequest,
  type Settle,
  type UnderWay,
  underSignal,
  withDigits
} from "./fetchTransport.js"
import type { Reason } from "./transport.js"

/** Answers a request as the database would. */
export type Handler<R> = (request: Request) => Response | Effect.Effect<Response, ConnectionFailed, R>

export interface HandlerOptions<R> {
  readonly mode: Mode
  readonly origin: string
  readonly handler: Handler<R>
  readonly runtime: Runtime.Runtime<R>
  readonly clock: Clock.Clock
  readonly requestTimeout: Duration.Duration
  /** In bytes. */
  readonly maxAnswer: number
}

/** What came, and its body, or why nobody can read it. */
interface Came {
  readonly response: Response
  readonly body: Buffer | null
  readonly unread?: QueryError | undefined
}

class Handled implements UnderWay {
  readonly sent = true
  settled = false
  readonly sentAt: number
  readonly method: string
  fiber: Fiber.RuntimeFiber<Came, DbError> | undefined = undefined
  private readonly asked: PlainRequest
  private readonly settle: Settle
  private readonly onEnd: (request: Handled) => void

  constructor(asked: PlainRequest, settle: Settle, sentAt: number, onEnd: (request: Handled) => void) {
    this.asked = asked
    this.sentAt = sentAt
    this.method = asked.method
    this.settle = settle
    this.onEnd = onEnd
  }

  private finish(): void {
    this.settled = true
    this.onEnd(this)
  }

  cancel(failure: DbError, thrown: Error = failure): void {
    if (this.settled) return
    this.fail(failure, thrown, !reads(this.method))
    if (this.fiber !== undefined) Effect.runFork(Fiber.interrupt(this.fiber))
  }

  private fail(failure: DbError, thrown: unknown, writes: boolean): void {
    this.finish()
    this.asked.tenure.fails(failure, thrown, writes)
    this.settle.reject(thrown)
  }

  ended(url: string, exit: Exit.Exit<Came, DbError>): void {
    if (this.settled) return
    if (exit._tag === "Success") {
      this.answered(url, exit.value)
      return
    }
    const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
    if (failure !== undefined) {
      this.fail(failure, failure, failure.mayHaveExecuted)
      return
    }
    this.finish()
    this.settle.reject(Cause.squash(exit.cause))
  }

  private answered(url: string, { body, response, unread }: Came): void {
    this.finish()
    const { headers, status } = response
    const header = (name: string): string | null => headers.get(name)
    const { method } = this
    const { tenure } = this.asked
    if (status < 300) tenure.succeeds(method, status, headers, body)
    const text = () => (body === null ? "" : beginning(body))
    const said = status < 300 ? undefined : tenure.hears({ method, url, status, header, text, unread })
    this.settle.resolve(
      said?.instead === undefined
        ? response
        : Object.defineProperty(response, "text", { value: async () => said.instead })
    )
  }
}

export class HandlerTransport<R> extends FetchTransport<Handled> {
  isOpen = false
  readonly keepAliveHint = undefined
  private readonly options: HandlerOptions<R>

  constructor(options: HandlerOptions<R>) {
    super(options.mode, options.origin)
    this.options = options
  }

  readonly open: Effect.Effect<void> = Effect.sync(() => {
    this.isOpen = true
  })

  readonly ping: Effect.Effect<void> = Effect.void

  readonly close = (reason: Reason): Effect.Effect<void> =>
    Effect.sync(() => {
      this.abortAll(reason)
      this.isOpen = false
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

  private dispatch(asked: PlainRequest, settle: Settle): Handled {
    const handled = new Handled(asked, settle, monotonic(this.options.clock), (request) =>
      this.inFlight.delete(request)
    )
    this.inFlight.add(handled)
    const { body, headers, method, path } = asked
    const url = `${this.origin}${path}`
    const request = new Request(url, {
      method,
      headers,
      body: body instanceof Uint8Array ? new Uint8Array(body) : (body ?? null)
    })
    handled.fiber = Runtime.runFork(this.options.runtime)(this.answer(request))
    handled.fiber.addObserver((exit) => handled.ended(url, exit))
    return handled
  }

  private answer(request: Request): Effect.Effect<Came, DbError, R> {
    const { clock, handler, mode, requestTimeout } = this.options
    const { method } = request
    return Effect.suspend(() => {
      const answer = handler(request)
      return Effect.isEffect(answer) ? answer : Effect.succeed(answer)
    }).pipe(
      // The pool's time; the handler has its caller's.
      Effect.raceFirst(
        Effect.flatMap(clock.sleep(requestTimeout), () =>
          Effect.fail(new RequestTimeout({ pool: mode, timeout: requestTimeout, sent: true, method }))
        )
      ),
      Effect.flatMap((response) => this.read(response, request))
    )
  }

  /** As a socket would have it. */
  private read(response: Response, { headers, method }: Request): Effect.Effect<Came, DbError> {
    if (method === "HEAD" || response.body === null) return Effect.succeed({ response, body: null })
    const { status } = response
    const answered = { method, status, headers: plainHeaders(headers), limit: this.options.maxAnswer }
    const coding = codingOf(response)
    return Effect.promise(() => response.clone().arrayBuffer()).pipe(
      Effect.flatMap((bytes) =>
        Effect.async<ReadonlyArray<Buffer> | QueryError>((resume) =>
          decodeBody(coding, Buffer.from(bytes), answered, (read) => resume(Effect.succeed(read)))
        )
      ),
      Effect.flatMap((read): Effect.Effect<Came, QueryError> => {
        if (!(read instanceof Error)) {
          const body = Buffer.concat(read)
          return Effect.succeed({ response: coding === "" ? response : decoded(response, body), body })
        }
        return status < 300 ? Effect.fail(read) : Effect.succeed({ response, body: null, unread: read })
      })
    )
  }
}

/** What the platform's `fetch` gave is decoded, although its head still says how it was encoded. */
const codingOf = ({ headers, url }: Response): string => (url === "" ? (headers.get("content-encoding") ?? "") : "")

const decoded = (encoded: Response, body: Buffer): Response => {
  const { status, statusText } = encoded
  const headers = new Headers(encoded.headers)
  headers.delete("content-encoding")
  headers.delete("content-length")
  return new Response(new Uint8Array(body), { status, statusText, headers })
}
