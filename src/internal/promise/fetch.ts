/** `pooledFetch`: the platform's `fetch`, over the pools. */
import { Cause, Effect, Exit, type Fiber, FiberId, Option, Redacted, type Tracer } from "effect"
import { type DbError, QueryError } from "../../Errors.js"
import { parseRetryAfter } from "../../Retry.js"
import { redirectsTo } from "../connection/errorBody.js"
import { reads } from "../connection/fetchInput.js"
import { LeanResponse, relate } from "../connection/leanResponse.js"
import type { Fetch } from "../connection/supabaseClient.js"
import type { Tenure } from "../connection/tenure.js"
import { callOperation } from "../db/callOperation.js"
import type { Ask } from "../db/operation.js"
import { thrownError } from "../db/postgrestResult.js"
import { returnedRows } from "../db/tracing.js"
import type { Unsent } from "../metrics/queries.js"
import { keyOf, shapeOf } from "../metrics/shape.js"
import { AsyncContext, caller, outside } from "../shared/asyncContext.js"
import { withoutSecretsIn } from "../shared/text.js"
import type { Host, Running } from "./host.js"
import { spannedIn } from "./lateSpans.js"
import { addressOf, answererOf, type Question, questionOf } from "./question.js"
import type { User } from "./user.js"

/** A gateway's page is no reason. */
const longest = 4_096

/** Without what the request itself carries, whatever it looks like. */
const reasonOf = (words: string, { headers }: Question): string =>
  withoutSecretsIn(headers, words.slice(0, 2 * longest)).slice(0, longest)

/** What the pool makes of an answer that is an error: whether it is repeated, and how it is counted. */
const failureOf = (status: number, tenure: Tenure, question: Question, now: number): DbError => {
  const { answered, retryAfter, said } = tenure
  const after = parseRetryAfter(retryAfter, now)
  return new QueryError({
    code: said?.code ?? "",
    reason: reasonOf(said?.reason ?? "", question) || "the server gave no reason",
    details: "",
    hint: "",
    status,
    method: answered,
    ...(said === undefined ? {} : { answeredBy: said.answeredBy }),
    ...(after === undefined ? {} : { retryAfter: after })
  })
}

const isGood = (status: number): boolean => status < 300 || status === 304

const asUser = (question: Question, token: Redacted.Redacted): Question => ({
  ...question,
  headers: { ...question.headers, authorization: `Bearer ${Redacted.value(token)}` }
})

/** The rows of an answer that nobody here reads. */
const counted = (span: Tracer.AnySpan | undefined, { headers }: Response): void => {
  const [, from, to] = /^(\d+)-(\d+)\//.exec(headers.get("content-range") ?? "") ?? []
  if (from !== undefined) returnedRows(span, Number(to) - Number(from) + 1)
}

type Ended = (exit: Exit.Exit<Response, DbError>) => void

/** One request, until it is answered, given up, or taken back by its caller's signal. */
class Sending {
  private readonly running: Running
  private readonly question: Question
  private readonly user: User | undefined
  private readonly settle: Ended
  private readonly context = new AsyncContext()
  private readonly spanned = spannedIn(this.context)
  /** Answers that are errors, by what the pool makes of them: the last is the caller's. */
  private readonly answers: Map<DbError, Response> = new Map()
  private fiber: Fiber.RuntimeFiber<Response, DbError> | undefined
  private isOver = false

  constructor(running: Running, question: Question, user: User | undefined, settle: Ended) {
    this.running = running
    this.question = question
    this.user = user
    this.settle = settle
  }

  begin(): void {
    const { method, signal } = this.question
    const { operations } = this.running
    const mode = reads(method) ? "read" : "write"
    signal?.addEventListener("abort", this.onAbort, { once: true })
    const forks = this.spanned !== undefined
    const options = { mode, token: this.user?.tokenFor(this.running), unsent: this.unsent, forks } as const
    callOperation(operations, this.asked, options, this.fork, this.finish)
  }

  private readonly unsent: Unsent = () => {
    const { method, url } = this.question
    return shapeOf(keyOf(method, url.slice(this.running.base.length)))
  }

  private readonly fork = (effect: Effect.Effect<Response, DbError>): void => {
    const asked = this.user === undefined ? effect : Effect.locally(effect, caller, this.context)
    const fiber = outside(() => this.running.fork(this.spanned?.(asked) ?? asked))
    this.fiber = fiber
    fiber.addObserver(this.finish)
  }

  private readonly onAbort = (): void => {
    this.end(Exit.die(this.question.signal?.reason))
    const { fiber } = this
    // While it has a connection that takes its request back itself, by the same signal.
    if (fiber !== undefined) outside(() => fiber.unsafeInterruptAsFork(FiberId.none))
  }

  /** With the user's token, as it is when this is sent, in place of whatever the request says. */
  private readonly asked: Ask<Response, DbError> = (client, { transport }, ended, token, fiber) => {
    const question = token === undefined ? this.question : asUser(this.question, token)
    const { body, headers, method, signal, url } = question
    const { now } = this.running.operations
    const { tenure } = transport
    tenure.once = question.once
    // What goes on is ours, or that of who waits for the connection.
    const told: Ended = (exit) => outside(() => ended(exit))
    const answered = (response: Response): void => {
      if (isGood(response.status)) {
        if (this.spanned !== undefined) counted(fiber?.currentSpan, response)
        told(Exit.succeed(response))
        return
      }
      const failure = failureOf(response.status, tenure, question, now())
      this.answers.set(failure, response)
      told(Exit.fail(failure))
    }
    const threw = (thrown: unknown): void => {
      const error = thrownError(thrown, transport, now(), client)
      told(error === undefined ? Exit.die(thrown) : Exit.fail(error))
    }
    const within = fiber?.getFiberRef(caller) ?? this.context
    within.run(() => {
      transport.fetch(url, { method, headers, body: body ?? null, signal: signal ?? null }).then(answered, threw)
    })
  }

  private readonly finish: Ended = (exit) => {
    const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
    const answer = error === undefined ? undefined : this.answers.get(error)
    this.end(answer === undefined ? exit : Exit.succeed(answer))
  }

  private end(exit: Exit.Exit<Response, DbError>): void {
    if (this.isOver) return
    this.isOver = true
    this.question.signal?.removeEventListener("abort", this.onAbort)
    this.settle(exit)
  }
}

/** Through the pools of `host`, which are for the address that it asks. Errors of HTTP are answers. */
export const send = (host: Host, question: Question, user?: User): Promise<Response> => {
  const { signal } = question
  if (signal?.aborted === true) return Promise.reject(signal.reason)
  return host.promiseOfFetch((running, settle) => new Sending(running, question, user, settle).begin())
}

const mostRedirects = 20

const isRedirect = (status: number): boolean => status >= 301 && status <= 308 && status !== 304 && status !== 305

/** Fetch standard, "HTTP-redirect fetch": what was posted is asked for by GET elsewhere, except after 307 and 308. */
const redirected = (question: Question, status: number, url: string): Question => {
  const { method } = question
  const becomesGet = status === 303 ? !reads(method) : status <= 302 && method === "POST"
  if (!becomesGet) return { ...question, url }
  const headers = Object.fromEntries(Object.entries(question.headers).filter(([name]) => !name.startsWith("content-")))
  return { ...question, url, method: "GET", headers, body: undefined }
}

const elsewhere = ({ headers, url }: Question, location: string): QueryError =>
  new QueryError({
    code: "REDIRECTED",
    reason: `the server redirects to ${withoutSecretsIn(headers, redirectsTo(location, url))}`,
    details: "",
    hint: "Nothing is sent there, since the key would go with it. Set SUPABASE_URL to the address that answers.",
    status: 0
  })

/** Where a question is asked, and for whom. */
interface Place {
  readonly base: string
  readonly host: Host
  readonly user: User | undefined
}

/** Within the database's API, and nowhere else. */
const follow = async ({ base, host, user }: Place, asked: Question, first: Response): Promise<Response> => {
  let question = asked
  let response = first
  for (let hops = 1; isRedirect(response.status); hops += 1) {
    const location = response.headers.get("location")
    if (location === null) return response
    if (question.redirect === "error" || hops > mostRedirects) {
      throw new TypeError(
        question.redirect === "error"
          ? "the server redirects, and redirect is error"
          : `the server redirects more than ${mostRedirects} times`
      )
    }
    const next = URL.canParse(location, question.url) ? addressOf(new URL(location, question.url)) : location
    if (answererOf(next, base) !== "database") throw elsewhere(question, location)
    question = redirected(question, response.status, next)
    response = await send(host, question, user)
  }
  return Object.defineProperty(asItCame(response), "redirected", { value: true })
}

const asItCame = (response: Response): Response => (response instanceof LeanResponse ? response.asItCame() : response)

const asked = (place: Place, question: Question): Promise<Response> =>
  send(place.host, question, place.user).then((response) =>
    isRedirect(response.status) && question.redirect !== "manual"
      ? follow(place, question, response)
      : asItCame(response)
  )

/** Another service of the project knows the user by the same token. */
const outOfPools = (host: Host, user: User, input: RequestInfo | URL, init: RequestInit | undefined) => {
  const context = new AsyncContext()
  const token = host.promiseOfFetch<Redacted.Redacted, DbError>((running, settle) => {
    outside(() => running.fork(Effect.locally(user.sendable(running), caller, context))).addObserver(settle)
  })
  return token.then((jwt) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
    headers.set("authorization", `Bearer ${Redacted.value(jwt)}`)
    return globalThis.fetch(input, { ...init, headers })
  })
}

/** Refuses what is for another project; what is for another service of this one goes out as it would without us. */
export const fetchOn =
  (host: Host, user?: User): Fetch =>
  (input, init) => {
    try {
      relate()
      const { base } = host.fetching
      const url = addressOf(input)
      const answerer = answererOf(url, base)
      if (answerer === "project") {
        return user === undefined ? globalThis.fetch(input, init) : outOfPools(host, user, input, init)
      }
      if (answerer !== "database") return Promise.reject(answerer)
      const question = questionOf(url, input, init)
      if (question instanceof Error) return Promise.reject(question)
      const place = { base, host, user }
      return question instanceof Promise ? question.then((read) => asked(place, read)) : asked(place, question)
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }
