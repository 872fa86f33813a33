/**
 * How an operation ended, as far as its answer shows: one table of status, code, method and sender.
 *
 * The code outranks the status: PostgREST answers a serialization failure with 500, like a crash. The measurements on
 * PostgREST 16.2, and their consequences, are in docs/postgrest.md. PGRST…: PostgREST's error reference. SQLSTATEs:
 * PostgreSQL's appendix A. 520…530: Cloudflare. 540 and 544: Supabase.
 */
import { reads } from "../connection/fetchInput.js"

/** An answer that is an error, or that cannot be understood. */
export interface Told {
  readonly status: number
  /** The code of PostgREST, PostgreSQL, a gateway or ours; empty without a code. */
  readonly code: string
  readonly reason?: string | undefined
  /** The request's method; an unknown one may have been a write. */
  readonly method?: string | undefined
  /** Who answered, if that is known; the code alone mostly shows it. */
  readonly answeredBy?: AnsweredBy | undefined
}

/** `function`: a database function that set the status itself and was committed. */
export type AnsweredBy = "PostgREST" | "gateway" | "function"

export interface Ending {
  /** Could the same operation succeed a moment later? */
  readonly isTransient: boolean
  /** Could the database have carried it out? Never true for a read. */
  readonly mayHaveExecuted: boolean
}

const final: Ending = { isTransient: false, mayHaveExecuted: false }
const notExecuted: Ending = { isTransient: true, mayHaveExecuted: false }
const unknown: Ending = { isTransient: true, mayHaveExecuted: true }
const perhapsAndFinal: Ending = { isTransient: false, mayHaveExecuted: true }

/** A server hung up on a long URL. */
export const cutOffCode = "QUESTION_CUT_OFF"

/** Our own codes for requests without an answer. */
const ours: ReadonlyMap<string, Ending> = new Map(
  Object.entries({
    ABORTED: perhapsAndFinal,
    ABORTED_UNSENT: final,
    INVALID_REQUEST: final,
    INVALID_TOKEN: final,
    [cutOffCode]: perhapsAndFinal,
    REDIRECTED: final
  })
)

const codes: ReadonlyArray<readonly [code: RegExp, ending: Ending]> = [
  // PostgREST had no database connection to give.
  [/^PGRST00[0-3]$/, notExecuted],
  // The server turned the connection away: too many, starting up or shutting down; could not be reached, or refused.
  [/^(53300|57P03|08001|08004)$/, notExecuted],
  // Rolled back in favour of others.
  [/^(40001|40P01)$/, notExecuted],
  // The backend was terminated. Running work was rolled back (20 of 20), but during COMMIT the outcome is unknown.
  [/^(57P01|57P02|57P05)$/, unknown],
  // The database itself says that it does not know.
  [/^(08...|40003)$/, unknown]
]

/**
 * A token that is not valid yet (`iat`, `nbf`): its issuer's clock is ahead of the database's, and a moment later it is
 * valid.
 */
export const isBeforeItsTime = ({ code, reason = "" }: Pick<Told, "code" | "reason">): boolean =>
  /^PGRST30\d$/.test(code) && /issued at future|not yet valid/i.test(reason)

/**
 * A token that was refused, because it has expired or its key is no longer known: another token may be accepted. Nothing was
 * executed. PostgREST before 13 answers PGRST301 to an expired token; PostgREST 16 answers it to an unknown key.
 */
export const isTokenRefused = ({ code, reason, status }: Told): boolean =>
  status === 401 && (code === "PGRST301" || code === "PGRST303") && !isBeforeItsTime({ code, reason: reason ?? "" })

/** A standby after a failover refuses writes. A function that writes, called by GET, is refused permanently. */
const isStandby = ({ code, method }: Told): boolean => code === "25006" && method !== undefined && !reads(method)

/** A code of PostgREST or PostgreSQL. A gateway's JSON may have a `code` too, which proves nothing. */
export const looksOfDatabase = (code: string): boolean => /^(PGRST\w{3}|[0-9A-Z]{5})$/.test(code)

/** Codes with 5xx by which PostgreSQL and PostgREST report their own failure, and not the request's. */
const ofThemselves = /^(08|53|57|58|F0|HV|XX|PGRST)/

/** `raise sqlstate 'PGRST'` with invalid JSON: a mistake in the function. */
const misraised = "PGRST121"

/**
 * Whether a final error was the database's answer to the request, whatever its status: an error raised in SQL (an assertion,
 * a function's own limit, a custom code) may have a 5xx status although the database is healthy.
 */
export const isAnswer = ({ answeredBy, code, status }: Told): boolean => {
  if (status < 500 || answeredBy === "function") return true
  const ofDatabase = answeredBy === undefined ? looksOfDatabase(code) : answeredBy === "PostgREST" && code !== ""
  return ofDatabase && (!ofThemselves.test(code) || code === misraised)
}

/** PostgREST lost the database in the middle, perhaps at COMMIT: 400 and an error without a code. */
const isLost = ({ answeredBy, code, status }: Told): boolean =>
  status === 400 && answeredBy === "PostgREST" && code === ""

/** The request did not get through to PostgREST: 525, 526 and 530 are the handshake and the name behind Cloudflare. */
const undelivered = new Set([408, 425, 429, 525, 526, 530])

const gatewayGaveUp = new Set([502, 503, 504, 544])

/** A gateway gave up waiting for an answer: one of these statuses, or one of Cloudflare's. */
export const gaveUp = (status: number): boolean => gatewayGaveUp.has(status) || (status >= 520 && status <= 530)

/**
 * Code or status of an answer that refuses for want of room; empty otherwise. A server that is away refuses too, but that says
 * nothing of how much it bears.
 */
export const refusalOf = ({ answeredBy, code, status }: Told): string => {
  if (code === "PGRST003" || code === "53300") return code
  return status === 429 || (status === 503 && answeredBy === "gateway") ? String(status) : ""
}

const byStatus = (status: number): Ending => {
  if (undelivered.has(status)) return notExecuted
  if (gaveUp(status)) return unknown
  // 540: Supabase has paused the project. 3xx: a server that redirects has not executed the request.
  if (status === 540 || (status >= 300 && status < 500)) return final
  // A 2xx that cannot be decoded was a success.
  return perhapsAndFinal
}

const ended = (told: Told): Ending => {
  const { answeredBy, code, status } = told
  if (answeredBy === "function") return perhapsAndFinal
  // A gateway's code proves nothing, whatever it looks like.
  if (answeredBy === "gateway") return byStatus(status)
  const own = answeredBy === undefined ? ours.get(code) : undefined
  if (own !== undefined) return own
  if (isLost(told)) return unknown
  if (isBeforeItsTime(told) || isStandby(told)) return notExecuted
  const known = codes.find(([pattern]) => pattern.test(code))
  if (known !== undefined) return known[1]
  // Raised in SQL with a custom code, or any other error of the database: rolled back.
  const ofDatabase = code !== "" && (answeredBy === undefined ? looksOfDatabase(code) : answeredBy === "PostgREST")
  return ofDatabase && status >= 300 && !undelivered.has(status) ? final : byStatus(status)
}

export const endingOf = (told: Told): Ending => {
  const ending = ended(told)
  return ending.mayHaveExecuted && told.method !== undefined && reads(told.method)
    ? { ...ending, mayHaveExecuted: false }
    : ending
}
