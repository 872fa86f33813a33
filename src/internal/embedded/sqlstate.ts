/**
 * HTTP statuses as PostgREST gives them to SQLSTATEs (docs.postgrest.org, "Errors", PostgREST 12). Lite answers those
 * listed in `known` rightly; every other one it turns into status 500 with the code `SUP` and neither detail nor hint.
 */
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

const known = /^(21...|22...|42...|23502|23503|23505|25006|PT...)$/

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

/**
 * The error in the form of PostgREST's `raise sqlstate 'PGRST'`, which lets its raiser say the whole answer, and which
 * lite understands.
 *
 * @internal
 */
export const asPostgrest = (error: unknown): unknown => {
  if (!isPostgresError(error) || error.code === "PGRST" || known.test(error.code)) return error
  const { code, message, detail, hint } = error
  return Object.assign(new Error(JSON.stringify({ code, message, details: orNull(detail), hint: orNull(hint) })), {
    code: "PGRST",
    detail: JSON.stringify({ status: statusOf(code), headers: {} })
  })
}
