/**
 * What an HTTP answer says about the operation, as two pure functions of status and code.
 *
 * The code stands above the status: PostgREST answers a serialization failure with 500, as it does a crash.
 * PGRST000…003: PostgREST's error reference. SQLSTATEs: PostgreSQL's appendix A. 520…524: Cloudflare.
 */

/** PostgREST had no database connection to give, so nothing was executed. */
const noDatabase = new Set(["PGRST000", "PGRST001", "PGRST002", "PGRST003"])

/** The server turned the connection away before it executed anything. */
const turnedAway = new Set(["53300", "57P03"])

/** The transaction was rolled back by the database for others' sake. */
const rolledBack = new Set(["40001", "40P01"])

/** The database itself says that it does not know how it ended: 08006, 08007, 40003 and their class. */
const unknownEnd = /^(08\d\d\w|40003)$/

/** PostgREST's or PostgreSQL's word. A gateway's JSON may have a `code` too, and proves nothing. */
const isOfDatabase = (code: string): boolean => /^(PGRST\w{3}|[0-9A-Z]{5})$/.test(code)

/** Our own words for what never left this process. */
const unsent = new Set(["ABORTED_UNSENT", "INVALID_REQUEST", "INVALID_TOKEN"])

const gatewayGaveUp = (status: number): boolean =>
  status === 502 || status === 503 || status === 504 || (status >= 520 && status <= 524)

/** Could the same operation succeed a moment later? */
export const isTransientAnswer = (status: number, code: string): boolean =>
  noDatabase.has(code) ||
  turnedAway.has(code) ||
  rolledBack.has(code) ||
  status === 429 ||
  (gatewayGaveUp(status) && !isOfDatabase(code))

/** Could the database have carried it out, although the answer is an error (or a 2xx whose body is not JSON)? */
export const mayHaveExecutedAnswer = (status: number, code: string): boolean => {
  if (unsent.has(code)) return false
  if (unknownEnd.test(code)) return true
  return !isOfDatabase(code) && (status >= 500 || status < 400)
}
