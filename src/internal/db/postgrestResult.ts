/** What a PostgREST builder resolves to, turned into a value or one of our errors. */
import { type DbError, isDbError, QueryError, RowNotFound } from "../../Errors.js"
import { parseRetryAfter } from "../../Retry.js"
import { asksForOne, isBuilder, retryOf, tableOf, withoutRetries } from "../connection/builderFields.js"
import { withoutSecretsOf } from "../connection/supabaseClient.js"
import type { RememberedAnswer } from "../connection/tenure.js"
import type { Transport } from "../connection/transport.js"
import { reasonIn } from "../errors/gatewayText.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { found, notOneRow } from "./heardError.js"

/**
 * As much of supabase-js's response as every builder has. Without `data`: a contextual type that has it makes TypeScript
 * infer `unknown` for the rows of `single()`.
 */
export interface ResultWithoutData {
  readonly error: null | {
    readonly message?: unknown
    readonly code?: unknown
    readonly details?: unknown
    readonly hint?: unknown
  }
  readonly status: number
}

/** As much of supabase-js's response as is looked at here. */
export interface PostgrestResult extends ResultWithoutData {
  readonly data?: unknown
}

/** A gateway's page is no message; what is longer than PostgREST ever says is cut. */
const longest = 4_096

/** Cut twice, so that no part of a key is left where the first cut goes through one. */
const text = (value: unknown, asked: object): string =>
  typeof value === "string" ? withoutSecretsOf(asked, value.slice(0, 2 * longest)).slice(0, longest) : ""

const severalRows = /\b(?:[2-9]|[1-9]\d+) rows/

/** None is there, or several are: then the row was found, and more. */
const notOne = (
  details: string,
  { tenure }: Transport,
  last: RememberedAnswer,
  asked: object,
  reason: string
): DbError => {
  // A 2xx that supabase-js made this error of: `maybeSingle()` on a write that is committed.
  const executed = last.status >= 200 && last.status < 300 && tenure.writes > 0
  if (!severalRows.test(details)) return new RowNotFound({ table: tableOf(asked), details, executed })
  return new QueryError({
    code: notOneRow,
    reason,
    details,
    hint: "One row was asked for: narrow the filter, or leave out single() and maybeSingle().",
    status: executed ? last.status : 406,
    method: last.answered,
    answeredBy: "PostgREST"
  })
}

/** PGRST201 gives a list of what is ambiguous. */
const detailsOf = (details: unknown, asked: object): string =>
  typeof details === "object" && details !== null ? text(JSON.stringify(details), asked) : text(details, asked)

/** No answer came and nothing broke: the builder could not make a request of what it was given. */
const neverLeft = (reason: string): QueryError =>
  invalidRequest(`it could not be sent: ${reason}`, "Fix the value: JSON has no circles.")

/** `new Error` makes a text of a message that is none. */
const madeText: ReadonlySet<unknown> = new Set(["null", "[object Object]"])

/** An error that a builder throws has of the body what stands in `message`, and nothing else that says why. */
const wordsOf = (error: PostgrestResult["error"]): string =>
  error instanceof Error && madeText.has(error.message) ? "" : reasonIn(error)

/** `asked`: the builder or the client. `last`: the answer that it is of, or the last one. */
export const errorOf = (
  answer: PostgrestResult,
  transport: Transport,
  now: number,
  asked: object,
  last: RememberedAnswer = transport.tenure
): DbError => {
  const { tenure } = transport
  const { error } = answer
  // What calls a function at the edge gives has no status.
  const status = Number.isInteger(answer.status) ? answer.status : last.status
  // Of several requests it is the last one's answer that more is known of.
  const isLast = last.status === status
  const reason = text(wordsOf(error) || (isLast ? last.said?.reason : undefined), asked)
  if (status === 0) return tenure.failure ?? neverLeft(reason)
  const code = text(error?.code, asked)
  const details = detailsOf(error?.details, asked)
  // A function of the database's can say so, too; nobody asked it for one row.
  if (code === notOneRow && asksForOne(asked) !== false) return notOne(details, transport, last, asked, reason)
  const retryAfter = parseRetryAfter(last.retryAfter, now)
  return new QueryError({
    code,
    reason: reason === "" ? "the server gave no reason" : status < 300 ? `the answer is not JSON: ${reason}` : reason,
    details,
    hint: text(error?.hint, asked),
    status,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(isLast ? { method: last.answered } : {}),
    ...(isLast && last.said !== undefined ? { answeredBy: last.said.answeredBy } : {})
  })
}

const isObject = (u: unknown): u is NonNullable<ResultWithoutData["error"]> => typeof u === "object" && u !== null

/** An error's object of PostgREST's, or one that a builder made: the body of no answer, or not as it came. */
const isErrorObject = (u: object): boolean => "message" in u && "code" in u

/**
 * What user code threw, or gave back as an error: an error of ours, or one that its connection has heard of. Undefined of
 * whatever else, which is the caller's own.
 */
export const heardError = (thrown: unknown, transport: Transport, now: number, asked: object): DbError | undefined => {
  if (isDbError(thrown)) return thrown
  const what = isObject(thrown) ? found(thrown, transport.tenure) : undefined
  if (what === undefined) return undefined
  if (what._tag === "Failure") return what.failure
  if (what._tag === "NeverAsked") return neverLeft(text(what.reason, asked))
  return errorOf({ error: what.error, status: what.status }, transport, now, asked, what.of)
}

/** What a builder rejects with (`throwOnError()`) is nobody's own. */
export const thrownError = (thrown: unknown, transport: Transport, now: number, asked: object): DbError | undefined => {
  const heard = heardError(thrown, transport, now, asked)
  if (heard !== undefined || !isBuilder(asked) || !isObject(thrown) || !isErrorObject(thrown)) return heard
  return errorOf({ error: thrown, status: transport.tenure.status }, transport, now, asked)
}

/** A response that the caller has made itself says what it says, but nothing of the database: nothing is repeated for it. */
export const returnedError = (answer: PostgrestResult, transport: Transport, now: number, asked: object): DbError => {
  if (isBuilder(asked) || answer.error === null) return errorOf(answer, transport, now, asked)
  const heard = heardError(answer.error, transport, now, asked)
  if (heard === undefined) transport.tenure.once = true
  return heard ?? errorOf(answer, transport, now, asked)
}

/** JSON `null` as the body of a failure: supabase-js takes it for "no error". */
export const isGood = (answer: PostgrestResult): boolean => answer.error === null && !(answer.status >= 400)

/** A builder's own word on repeating it, before it is sent. */
export const heedRetry = (query: object, { tenure }: Transport): void => {
  const wanted = retryOf(query)
  if (wanted === true) withoutRetries(query)
  if (wanted === false) tenure.once = true
}

/** What no operation of this kind can fail with is another one's, and the types do not say that it could come from here. */
export const isForeign = ({ _tag }: DbError): boolean => _tag === "TransactionFailed" || _tag === "DecodeError"
