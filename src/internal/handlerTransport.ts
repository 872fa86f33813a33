/**
 * A transport without a network: a function answers each request that would have been sent. For users' specs.
 *
 * Everything above it is the real thing: the pool, the waiting, the retries, the read-only rule, the timeouts.
 */
import { Cause, type Duration, Effect, type Exit, Fiber, Option, Runtime } from "effect"
import { ConnectionFailed, type DbError, type Mode, ReadOnlyConnection, RequestTimeout } from "../Errors.js"
import { tooLarge } from "./fetchErrors.js"
import { reads } from "./plainRequest.js"
import { Sent, type Transport } from "./transport.js"

/** Answers a request as the database would. */
export type Handler<R> = (request: Request) => Response | Effect.Effect<Response, ConnectionFailed, R>

export interface HandlerOptions<R> {
  readonly mode: Mode
  readonly origin: string
  readonly handler: Handler<R>
  readonly runtime: Runtime.Runtime<R>
  readonly requestTimeout: Duration.Duration
  /** In bytes. */
  readonly maxAnswer: number
}

interface UnderWay {
  readonly fiber: Fiber.RuntimeFiber<Response, DbError>
  readonly reject: (error: unknown) => void
}

export class HandlerTransport<R> implements Transport {
  isOpen = false
  usable = false
  failure: DbError | undefined = undefined
  retryAfter: string | null = null
  status = 0
  writes = 0
  traceparent = ""
  readonly sent = new Sent()
  readonly keepAliveHint = undefined
  private readonly options: HandlerOptions<R>
  private readonly underWay: Set<UnderWay> = new Set()

  constructor(options: HandlerOptions<R>) {
    this.options = options
  }

  get isBusy(): boolean {
    return this.underWay.size > 0
  }

  readonly open: Effect.Effect<void> = Effect.sync(() => {
    this.isOpen = true
  })

  readonly ping: Effect.Effect<void> = Effect.void

  readonly close = (reason: (sent: boolean) => DbError): Effect.Effect<void> =>
    Effect.sync(() => {
      this.abortAll(reason)
      this.isOpen = false
    })

  readonly abortAll = (reason: (sent: boolean) => DbError): void => {
    for (const { fiber, reject } of [...this.underWay]) {
      const failure = reason(true)
      this.failure = failure
      reject(failure)
      Effect.runFork(Fiber.interrupt(fiber))
    }
    this.underWay.clear()
  }

  readonly fetch: typeof globalThis.fetch = (input, init) => {
    const request = new Request(input, init)
    if (this.traceparent !== "") request.headers.set("traceparent", this.traceparent)
    const refused = this.refusal(request)
    if (refused !== undefined) {
      this.failure = refused
      return Promise.reject(refused)
    }
    this.sent.add(request.method, request.url.slice(this.options.origin.length))
    return new Promise((resolve, reject) => {
      const fiber = Runtime.runFork(this.options.runtime)(this.answer(request))
      const entry = { fiber, reject }
      this.underWay.add(entry)
      fiber.addObserver((exit) => {
        this.underWay.delete(entry)
        this.settle(request, exit, resolve, reject)
      })
    })
  }

  private answer(request: Request): Effect.Effect<Response, DbError, R> {
    const { handler, mode, requestTimeout } = this.options
    return Effect.suspend(() => {
      const answer = handler(request)
      return Effect.isEffect(answer) ? answer : Effect.succeed(answer)
    }).pipe(
      Effect.timeoutFail({
        duration: requestTimeout,
        onTimeout: () => new RequestTimeout({ pool: mode, timeout: requestTimeout, sent: true })
      })
    )
  }

  private settle(
    request: Request,
    exit: Exit.Exit<Response, DbError>,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void
  ): void {
    const writes = !reads(request.method)
    if (exit._tag === "Success") {
      this.status = exit.value.status
      this.retryAfter = exit.value.status >= 400 ? exit.value.headers.get("retry-after") : null
      if (writes && exit.value.ok) this.writes += 1
      resolve(this.bounded(exit.value))
      return
    }
    const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
    if (failure === undefined) {
      reject(Cause.squash(exit.cause))
      return
    }
    if (writes && failure.mayHaveExecuted) this.writes += 1
    this.failure = failure
    reject(failure)
  }

  /** As a socket would have it: an answer that is too large is one that never came. */
  private bounded(response: Response): Response {
    const { maxAnswer } = this.options
    const text = async (): Promise<string> => {
      const whole = await Response.prototype.text.call(response)
      if (Buffer.byteLength(whole) <= maxAnswer) return whole
      this.failure = tooLarge(response.status, maxAnswer)
      throw this.failure
    }
    return Object.defineProperty(response, "text", { value: text })
  }

  private refusal(request: Request): DbError | undefined {
    const { mode, origin } = this.options
    if (mode === "read" && !reads(request.method)) {
      return new ReadOnlyConnection({ method: request.method, path: new URL(request.url).pathname })
    }
    if (!this.usable) return new ConnectionFailed({ pool: mode, origin, failure: "returned", code: "", sent: false })
    return undefined
  }
}
