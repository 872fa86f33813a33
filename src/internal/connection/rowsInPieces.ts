/**
 * A builder parses the text of an answer in one go, and a text of 50 MB for half a second. Where the answer is a long list of
 * rows, its rows come from the answer itself, piece by piece, and the builder makes of it what it makes of an empty list.
 *
 * Its method is none that supabase-js promises. A version without it reads the text, as it does of any other answer.
 */
import { type Method, replacing } from "./builderClass.js"
import { LeanResponse } from "./leanResponse.js"

/** CSV and a plan are texts to it, and who asks for one row at most is told how many there are. */
const wantsRows = (builder: object): boolean => {
  if ("isMaybeSingle" in builder && builder.isMaybeSingle === true) return false
  const headers: unknown = Reflect.get(builder, "headers")
  const accept = headers instanceof Headers ? headers.get("accept") : null
  return accept === null || (accept.includes("json") && !accept.includes("plan+text"))
}

const read = async (builder: object, process: Method, response: LeanResponse): Promise<unknown> => {
  const rows = await response.rows()
  const words = Array.isArray(rows) ? "[]" : rows.message
  const outcome: unknown = await process.call(builder, response.saying(words), undefined, undefined)
  if (Array.isArray(rows) && typeof outcome === "object" && outcome !== null && "data" in outcome) outcome.data = rows
  return outcome
}

export const rowsInPieces = replacing(
  ["processResponse"],
  (_, process) =>
    function (response, second, third) {
      return response instanceof LeanResponse && response.hasRows && wantsRows(this)
        ? read(this, process, response)
        : process.call(this, response, second, third)
    }
)
