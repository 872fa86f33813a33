/** What a failed operation is to who asked over HTTP: a status, and when it is worth asking again. */
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Duration } from "effect"
import type { DbError } from "../../Errors.js"
import { problem, retryAfter } from "./responses.js"

interface Verdict {
  readonly status: number
  /** For whoever asks, so without figures, names of tables or words of the database. */
  readonly error: string
  readonly wait?: Duration.Duration
}

/** Where nobody knows better: by then there have been as many answers as there are connections, at the least. */
const soon = Duration.seconds(1)

const busy = (status: 429 | 503, wait: Duration.Duration = soon): Verdict => ({
  status,
  error: status === 429 ? "Too many requests. Nothing was done." : "The database cannot be used now. Nothing was done.",
  wait
})

const gateway = (status: 502 | 504): Verdict => ({ status, error: "The database gave no answer." })

const ours: Verdict = { status: 500, error: "Something went wrong." }

/** What the database has against it, by SQLSTATE. */
const refusals: ReadonlyArray<readonly [code: string, verdict: Verdict]> = [
  ["42501", { status: 403, error: "Not allowed." }],
  ["23", { status: 409, error: "This contradicts what is there." }],
  ["22", { status: 400, error: "A value is not as it has to be." }]
]

const refused = (code: string): Verdict => refusals.find(([start]) => code.startsWith(start))?.[1] ?? ours

const verdictOf = (error: DbError): Verdict => {
  switch (error._tag) {
    case "RateLimited":
      return busy(429, error.retryAfter)
    case "PoolOverloaded":
      return busy(429)
    case "AcquireTimeout":
      return busy(503)
    case "ConnectionFailed":
    case "PoolClosed":
      return error.mayHaveExecuted ? gateway(502) : busy(503)
    case "RequestTimeout":
      return gateway(504)
    case "RowNotFound":
      return { status: 404, error: "Not found." }
    case "QueryError":
      if (error.isTransient && !error.mayHaveExecuted) return busy(503, error.retryAfter)
      return error.status >= 500 && error.mayHaveExecuted ? gateway(502) : refused(error.code)
    case "TransactionFailed":
      if (error.executed) return { status: 409, error: "This was done before." }
      return error.isTransient ? busy(503) : refused(error.code)
    default:
      return ours
  }
}

export const failed = (error: DbError): HttpServerResponse.HttpServerResponse => {
  const { error: what, status, wait } = verdictOf(error)
  return problem(status, what, wait === undefined ? {} : retryAfter(wait))
}
