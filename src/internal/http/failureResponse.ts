/** A failed operation for an HTTP client: a status, and the time to retry. */
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Duration } from "effect"
import type { DbError, QueryError, TransactionFailed } from "../../Errors.js"
import { looksOfDatabase } from "../errors/errorCodes.js"
import { problem, retryAfter } from "./responses.js"

export interface Verdict {
  readonly status: number
  /** For the client, so without figures, names of tables or the database's own text. */
  readonly error: string
  readonly wait?: Duration.Duration
  readonly headers?: Readonly<Record<string, string>>
}

/** The default: by then there have been at least as many answers as there are connections. */
const soon = Duration.seconds(1)

const busy = (status: 429 | 503, wait: Duration.Duration = soon): Verdict => ({
  status,
  error: status === 429 ? "Too many requests. Nothing was done." : "The database cannot be used now. Nothing was done.",
  wait
})

const gateway = (status: 502 | 504): Verdict => ({ status, error: "The database gave no answer." })

const ours: Verdict = { status: 500, error: "Something went wrong." }

const contradicted: Verdict = { status: 409, error: "This conflicts with existing data." }

/** The database's refusals, by SQLSTATE. */
const refusals: ReadonlyArray<readonly [code: string, verdict: Verdict]> = [
  ["42501", { status: 403, error: "Not allowed." }],
  ["23", contradicted],
  ["22", { status: 400, error: "A value is not valid." }]
]

const refusedBy = (code: string): Verdict | undefined => refusals.find(([start]) => code.startsWith(start))?.[1]

const notThisToken: Verdict = {
  status: 401,
  error: "The access token is not accepted.",
  headers: { "www-authenticate": 'Bearer error="invalid_token"' }
}

/** Statuses that concern the client's request and not this program: passed on unchanged. */
const ofTheQuestion: Readonly<Record<number, string>> = {
  413: "This is too large.",
  414: "The request is too long.",
  416: "There is no such page.",
  431: "The request is too long."
}

/** The answer of the database, or of a gateway in front of it, to a request or a transaction. */
type DatabaseError = QueryError | TransactionFailed

/** Raised in SQL: `PTxyz` and `PGRST` name the status (PostgREST's docs, "Raise errors with HTTP status codes"). */
const isRaised = ({ answeredBy, code }: DatabaseError): boolean =>
  /^PT\d{3}$/.test(code) || (answeredBy === "PostgREST" && code !== "" && !looksOfDatabase(code))

const refused = (error: DatabaseError): Verdict => {
  const { code, status } = error
  if (status === 401 && /^PGRST30\d$/.test(code)) return notThisToken
  const known = refusedBy(code)
  if (known !== undefined) return known
  if (code === "P0001") return { status: 400, error: "This was refused." }
  if (isRaised(error) && status >= 400) return { status, error: "This was refused." }
  const words = ofTheQuestion[status]
  return words === undefined ? ours : { status, error: words }
}

/** The database's answer did not arrive, whether or not the request was executed. */
const isUnanswered = ({ isTransient, mayHaveExecuted, status }: DatabaseError): boolean =>
  mayHaveExecuted ? status >= 400 : isTransient

const ofAnswer = (error: DatabaseError): Verdict => {
  if (error.isTransient && !error.mayHaveExecuted) return busy(503, error.retryAfter)
  return isUnanswered(error) ? gateway(502) : refused(error)
}

export const verdictOf = (error: DbError): Verdict => {
  switch (error._tag) {
    case "RateLimited":
      return busy(429, error.retryAfter)
    case "PoolOverloaded":
      return busy(429)
    case "AcquireTimeout":
      return busy(503)
    case "ConnectionFailed":
    case "PoolClosed":
      return error.sent ? gateway(502) : busy(503)
    case "RequestTimeout":
      return gateway(504)
    case "RowNotFound":
      return { status: 404, error: "Not found." }
    case "GuardFailed":
      return contradicted
    case "QueryError":
      return ofAnswer(error)
    case "TransactionFailed":
      return error.executed ? { status: 409, error: "This was already done." } : ofAnswer(error)
    default:
      return ours
  }
}

export const headersOf = ({ headers = {}, wait }: Verdict): Readonly<Record<string, string>> =>
  wait === undefined ? headers : retryAfter(wait)

export const failed = (error: DbError): HttpServerResponse.HttpServerResponse => {
  const verdict = verdictOf(error)
  return problem(verdict.status, verdict.error, headersOf(verdict))
}
