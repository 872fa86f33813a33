/** What an error means for the caller's data, and how its message says so. */
import type { Mode } from "../../Errors.js"
import { reads } from "../connection/fetchInput.js"

/** A request, and whether it was sent. */
interface SentRequest {
  readonly pool: Mode
  readonly sent: boolean
  /** The HTTP method; a read on the write pool is a read too. */
  readonly method?: string | undefined
}

const onlyReads = ({ method, pool }: Omit<SentRequest, "sent">): boolean =>
  pool === "read" || (method !== undefined && reads(method))

const itWasARead = "It was a read: nothing was changed."
const perhaps = "It may have been executed: check before sending it again."

export const sentOr = (request: SentRequest): string => {
  if (!request.sent) return "Nothing was sent."
  return onlyReads(request) ? itWasARead : perhaps
}

export const mayHaveExecuted = (request: SentRequest): boolean => request.sent && !onlyReads(request)

/** What to do, if the answer itself has no hint. */
export const remedyOf = ({
  isTransient,
  status
}: {
  readonly isTransient: boolean
  readonly status: number
}): string => {
  if (status === 540) return "The project is paused: restore it in the Supabase dashboard."
  if (isTransient) return "Try again in a moment."
  if (status === 401 || status === 403) return "Check the key or the access token, and what its role is granted."
  if (status >= 500) return "Check the database's log."
  if (status === 0) return ""
  return status < 300 ? "Check what answers between here and the database." : "Fix the query."
}

export const executed = ({
  code,
  mayHaveExecuted,
  method,
  status
}: {
  readonly code: string
  readonly mayHaveExecuted: boolean
  readonly method?: string | undefined
  readonly status: number
}): string => {
  // PostgREST has answered with rows, and their number was wrong.
  if (mayHaveExecuted)
    return (code === "PGRST116" || code === "RESULT_CUT") && status < 300 ? "It was executed." : perhaps
  return method !== undefined && reads(method) ? itWasARead : "Nothing was executed."
}
