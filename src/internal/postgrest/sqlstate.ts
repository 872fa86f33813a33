import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Refusal } from "./refusal.js"

/** HTTP statuses as PostgREST gives them to SQLSTATEs (docs.postgrest.org, "Errors"). */
const byCode: Readonly<Record<string, number>> = { "53400": 500, P0001: 400, "42P17": 500 }

const byClass: Readonly<Record<string, number>> = {
  "08": 503,
  "09": 500,
  "0L": 403,
  "0P": 403,
  "25": 500,
  "28": 403,
  "2D": 500,
  "38": 500,
  "39": 500,
  "3B": 500,
  "40": 500,
  "53": 503,
  "54": 500,
  "55": 500,
  "57": 500,
  "58": 500,
  F0: 500,
  HV: 500,
  P0: 500,
  XX: 500
}

export const statusOf = (sqlstate: string): number => byCode[sqlstate] ?? byClass[sqlstate.slice(0, 2)] ?? 400

interface PostgresError {
  readonly code: string
  readonly message: string
  readonly detail?: unknown
  readonly hint?: unknown
}

const isPostgresError = (error: unknown): error is PostgresError =>
  error instanceof Error && "code" in error && typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code)

const orNull = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null)

const own: Readonly<Record<string, number>> = { "42883": 404, "42P01": 404, "23503": 409, "23505": 409, "25006": 405 }

const statusFor = (code: string, anonymous: boolean): number => {
  const raised = /^PT(\d{3})$/.exec(code)?.[1]
  if (raised !== undefined) return Number(raised)
  if (code === "42501") return anonymous ? 401 : 403
  return own[code] ?? statusOf(code)
}

const Words = Schema.parseJson(
  Schema.Struct({
    code: Schema.String,
    message: Schema.String,
    details: Schema.optional(Schema.NullOr(Schema.String)),
    hint: Schema.optional(Schema.NullOr(Schema.String))
  })
)

const RaisedHead = Schema.parseJson(
  Schema.Struct({ status: Schema.Int, headers: Schema.Record({ key: Schema.String, value: Schema.String }) })
)

/** `raise sqlstate 'PGRST'`: its raiser says the whole answer. */
const raisedWhole = ({ detail, message }: PostgresError): Refusal => {
  const words = Option.getOrUndefined(Schema.decodeOption(Words)(message))
  const answer = Option.getOrUndefined(Schema.decodeUnknownOption(RaisedHead)(detail))
  if (words === undefined || answer === undefined) {
    const wrong = words === undefined ? `MESSAGE: '${message}'` : `DETAIL: '${orNull(detail) ?? ""}'`
    return new Refusal({
      status: 500,
      code: "PGRST121",
      message: `Could not parse JSON in the "RAISE SQLSTATE 'PGRST'" error`,
      details: `Invalid JSON value for ${wrong}`,
      hint: "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'. DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'."
    })
  }
  const { code, details = null, hint = null, message: said } = words
  return new Refusal({ code, message: said, details, hint, ...answer })
}

/** What PostgREST makes of an error of PostgreSQL's. */
export const refusalOf = (error: unknown, anonymous: boolean): Refusal => {
  if (!isPostgresError(error)) {
    return new Refusal({
      status: 500,
      code: "XX000",
      message: "The embedded database failed.",
      details: null,
      hint: null
    })
  }
  if (error.code === "PGRST") return raisedWhole(error)
  const { code, detail, hint, message } = error
  return new Refusal({
    status: statusFor(code, anonymous),
    code,
    message,
    details: orNull(detail),
    hint: orNull(hint)
  })
}
