/** What a PostgREST builder resolves to, turned into a value or one of our errors. */
import { Effect } from "effect"
import { type DbError, isDbError, QueryError, RowNotFound } from "../Errors.js"
import { parseRetryAfter } from "../Retry.js"
import type { Transport } from "./transport.js"

/**
 * As much of supabase-js's response as every builder has. Without `data`: a contextual type that has it makes TypeScript
 * infer `unknown` for the rows of `single()`.
 */
export interface Outcome {
  readonly error: null | {
    readonly message?: unknown
    readonly code?: unknown
    readonly details?: unknown
    readonly hint?: unknown
  }
  readonly status: number
}

/** As much of supabase-js's response as is looked at here. */
export interface Response extends Outcome {
  readonly data?: unknown
}

const text = (value: unknown): string => (typeof value === "string" ? value : "")

/** PostgREST: "JSON object requested, multiple (or no) rows returned". */
const notOneRow = "PGRST116"

export const errorOf = (answer: Response, transport: Transport, now: number): DbError => {
  const { error, status } = answer
  // Status 0: no answer came. Why, is in our fetch's error; the builder has made words of it.
  if (status === 0 && transport.failure !== undefined) return transport.failure
  const code = text(error?.code)
  if (code === notOneRow) return new RowNotFound({ table: "", details: text(error?.details) })
  const retryAfter = parseRetryAfter(transport.retryAfter, now)
  return new QueryError({
    code,
    reason: text(error?.message) || "no reason was given",
    details: text(error?.details),
    hint: text(error?.hint),
    status,
    ...(retryAfter === undefined ? {} : { retryAfter })
  })
}

const isErrorBody = (u: unknown): u is NonNullable<Response["error"]> =>
  typeof u === "object" && u !== null && "message" in u && "code" in u

/** What user code threw: an error of ours, PostgREST's error object thrown on, or a defect. */
export const thrownError = (thrown: unknown, transport: Transport, now: number): DbError | undefined => {
  if (isDbError(thrown)) return thrown
  const { failure } = transport
  if (!isErrorBody(thrown)) return undefined
  if (failure !== undefined && text(thrown.message).includes(failure.message)) return failure
  return errorOf({ error: thrown, status: transport.status }, transport, now)
}

/** Runs a builder. Interruption is the connection's business: what is under way when it goes back is aborted. */
export const ask = <A extends Response>(
  query: PromiseLike<A>,
  transport: Transport,
  now: () => number
): Effect.Effect<A, DbError> =>
  Effect.async((resume) => {
    query.then(
      (answer) => {
        resume(answer.error === null ? Effect.succeed(answer) : Effect.fail(errorOf(answer, transport, now())))
      },
      (thrown: unknown) => {
        const error = thrownError(thrown, transport, now())
        resume(error === undefined ? Effect.die(thrown) : Effect.fail(error))
      }
    )
  })
