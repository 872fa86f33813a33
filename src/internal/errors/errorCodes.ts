/**
 * How an operation ended, as far as an answer tells: one table of status, code, method and who spoke.
 *
 * The code stands above the status: PostgREST answers a serialization failure with 500, as it does a crash. What was
 * measured on PostgREST 16.2 and what follows from it is in docs/postgrest.md. PGRST…: PostgREST's error reference.
 * SQLSTATEs: PostgreSQL's appendix A. 520…530: Cloudflare. 540 and 544: Supabase.
 */
import { reads } from "../connection/fetchInput.js"

/** An answer that is an error, or none that can be understood. */
export interface Told {
  readonly status: number
  /** PostgREST's or PostgreSQL's, a gateway's, or ours; empty where there was none. */
  readonly code: string
  readonly reason?: string | undefined
  /** Of the request; where it is not known it may have been a write. */
  readonly method?: string | undefined
  /** Who spoke, where that is known: the code alone tells it of most. */
  readonly answeredBy?: AnsweredBy | undefined
}

/** `function`: one of the database's, which set the status itself and was committed. */
export type AnsweredBy = "PostgREST" | "gateway" | "function"

export interface Ending {
  /** Could the same operation succeed a moment later? */
  readonly isTransient: boolean
  /** Could the database have carried it out? Never of what only reads. */
  readonly mayHaveExecuted: boolean
}

const final: Ending = { isTransient: false, mayHaveExecuted: false }
const notExecuted: Ending = { isTransient: true, mayHaveExecuted: false }
const unknown: Ending = { isTransient: true, mayHaveExecuted: true }
const perhapsAndFinal: Ending = { isTransient: false, mayHaveExecuted: true }

/** A server hung up on a long question. */
export const cutOffCode = "QUESTION_CUT_OFF"

/** Our own words for what has no answer. */
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
  // Rolled back for others' sake.
  [/^(40001|40P01)$/, notExecuted],
  // The backend was told to end. What ran was rolled back (20 of 20), but at COMMIT nobody can say.
  [/^(57P01|57P02|57P05)$/, unknown],
  // The database itself says that it does not know.
  [/^(08...|40003)$/, unknown]
]

/**
 * A token whose time has not come (`iat`, `nbf`): the clock of who issued it is ahead of the database's, and a moment later it
 * is good.
 */
export const isBeforeItsTime = ({ code, reason = "" }: Pick<Told, "code" | "reason">): boolean =>
  /^PGRST30\d$/.test(code) && /issued at future|not yet valid/i.test(reason)

/**
 * A token that was not taken, as one that has expired, or whose key is no longer known: another may be. Nothing was executed.
 * PGRST301 is what PostgREST before 13 says of the first, and what 16 says of the second.
 */
export const isTokenRefused = ({ code, reason, status }: Told): boolean =>
  status === 401 && (code === "PGRST301" || code === "PGRST303") && !isBeforeItsTime({ code, reason: reason ?? "" })

/** A standby after a failover refuses what writes. A function that writes, called by GET, is refused for good. */
const isStandby = ({ code, method }: Told): boolean => code === "25006" && method !== undefined && !reads(method)

/** PostgREST's or PostgreSQL's word. A gateway's JSON may have a `code` too, and proves nothing. */
export const looksOfDatabase = (code: string): boolean => /^(PGRST\w{3}|[0-9A-Z]{5})$/.test(code)

/** What PostgreSQL and PostgREST say with 5xx of themselves, and not of what was asked. */
const ofThemselves = /^(08|53|57|58|F0|HV|XX|PGRST)/

/** `raise sqlstate 'PGRST'` with what is no JSON: a mistake in the function. */
const misraised = "PGRST121"

/**
 * Whether a final error was the database's answer to what was asked, with whatever status: raised in SQL (an assertion, a limit
 * of a function's own, a code that nobody else knows) it may have 5xx, and the database is as well as it was.
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

/** A gateway gave up on an answer: one of these, or one of Cloudflare's. */
export const gaveUp = (status: number): boolean => gatewayGaveUp.has(status) || (status >= 520 && status <= 530)

const byStatus = (status: number): Ending => {
  if (undelivered.has(status)) return notExecuted
  if (gaveUp(status)) return unknown
  // 540: Supabase has paused the project. 3xx: who redirects has not done it.
  if (status === 540 || (status >= 300 && status < 500)) return final
  // A 2xx that is not understood was a success.
  return perhapsAndFinal
}

const ended = (told: Told): Ending => {
  const { answeredBy, code, status } = told
  if (answeredBy === "function") return perhapsAndFinal
  // Its code proves nothing, whosever it looks like.
  if (answeredBy === "gateway") return byStatus(status)
  const own = answeredBy === undefined ? ours.get(code) : undefined
  if (own !== undefined) return own
  if (isLost(told)) return unknown
  if (isBeforeItsTime(told) || isStandby(told)) return notExecuted
  const known = codes.find(([pattern]) => pattern.test(code))
  if (known !== undefined) return known[1]
  // Raised in SQL with a code of its own, or any other of the database's errors: rolled back.
  const ofDatabase = code !== "" && (answeredBy === undefined ? looksOfDatabase(code) : answeredBy === "PostgREST")
  return ofDatabase && status >= 300 && !undelivered.has(status) ? final : byStatus(status)
}

export const endingOf = (told: Told): Ending => {
  const ending = ended(told)
  return ending.mayHaveExecuted && told.method !== undefined && reads(told.method)
    ? { ...ending, mayHaveExecuted: false }
    : ending
}
