/** What a request on a socket fails with where no answer of the database's says it. */
import { QueryError } from "../../Errors.js"
import { cutOffCode } from "../errors/errorCodes.js"
import { printable } from "../shared/printable.js"
import { withoutSecretsIn } from "../shared/text.js"
import type { Undecoded } from "./contentCoding.js"
import { inParts } from "./errorBody.js"
import type { PlainHeaders } from "./fetchInput.js"

const unaskedUpgrade = "UNASKED_UPGRADE"

/** undici's words for "the request is not one", and for "the answer is not one". */
export const invalidRequest: ReadonlySet<string> = new Set([
  "UND_ERR_INVALID_ARG",
  "UND_ERR_NOT_SUPPORTED",
  "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH"
])
export const invalidAnswer: ReadonlySet<string> = new Set([
  "HTTPParserError",
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  unaskedUpgrade
])

/** The server goes over to another protocol, and nobody asked for one. */
export class Unasked extends Error {
  override readonly name = "Unasked"
  readonly code = unaskedUpgrade
}

/** undici has a word of its own, and no code, where the answer names that protocol. */
export const requestErrorCode = (error: Error & { readonly code?: unknown }): string => {
  if (error.message === "bad upgrade") return unaskedUpgrade
  return typeof error.code === "string" ? error.code : error.name
}

export const refusedRequest = (code: string, reason: string, method?: string): QueryError =>
  new QueryError({ code, reason, details: "", hint: "", status: 0, ...(method === undefined ? {} : { method }) })

export const aborted = (sent: boolean, method: string): QueryError =>
  refusedRequest(sent ? "ABORTED" : "ABORTED_UNSENT", "the caller's signal aborted the request", method)

/** Some servers hang up on a question that is too long instead of answering. Asked again, it is as long. */
export const cutOff = (length: number, method: string): QueryError =>
  new QueryError({
    code: cutOffCode,
    reason: `the connection was closed on a question with an address of ${length} characters, which may be too long`,
    details: "",
    hint: inParts,
    status: 0,
    method
  })

export const tooLarge = (status: number, limit: number, method: string): QueryError =>
  new QueryError({
    method,
    code: "ANSWER_TOO_LARGE",
    reason: `the answer is larger than ${limit} bytes`,
    details: "",
    hint: "Read it page by page with Db.stream, ask for less (limit, range, fewer columns; a write without select), or raise DB_POOL_MAX_ANSWER.",
    status
  })

/** An answer, and what it answers. */
export interface BodyContext {
  readonly method: string
  readonly status: number
  /** Of the request: a server may repeat them. */
  readonly headers: PlainHeaders
  /** The longest body, in bytes. */
  readonly limit: number
}

/** The answer came whole, and what is in it nobody can read: `status` tells what it means for the data. */
export const undecoded = (what: Undecoded, { headers, limit, method, status }: BodyContext): QueryError => {
  if (what.why === "too large") return tooLarge(status, limit, method)
  const coding = printable(withoutSecretsIn(headers, what.coding).slice(0, 40))
  const reason =
    what.why === "unknown"
      ? `the answer's Content-Encoding is "${coding}", which cannot be decoded here`
      : `the answer says that it is ${coding}, and it is not, or not whole (${what.code})`
  const hint =
    what.why === "unknown"
      ? "Look at the gateway before the database: it was not asked for this encoding."
      : "Look at what compresses answers between here and the database; DB_POOL_COMPRESSION=off asks for none."
  return new QueryError({ method, code: "ANSWER_UNDECODED", reason, details: "", hint, status })
}

export const abortReason = (signal: AbortSignal): Error =>
  signal.reason instanceof Error ? signal.reason : new DOMException("This operation was aborted", "AbortError")

/** Undefined instead of the platform's error, whose words repeat the value of the header that it does not like. */
export const requestOf = (input: RequestInfo | URL, init: RequestInit | undefined): Request | undefined => {
  try {
    return new Request(input, init)
  } catch {
    return undefined
  }
}
