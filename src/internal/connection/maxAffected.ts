/** PostgREST's bound on what a write may change, put on a builder that somebody else has built. */
import type { QueryError } from "../../Errors.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { tableOf } from "./builderFields.js"

/** Undefined where PostgREST would heed no bound: an insert, an upsert, a read. */
const headersOf = (query: unknown): Headers | undefined => {
  if (typeof query !== "object" || query === null || !("headers" in query && "method" in query && "url" in query)) {
    return undefined
  }
  const { headers, method, url } = query
  const changes = method === "PATCH" || method === "DELETE"
  const calls = method === "POST" && url instanceof URL && url.pathname.includes("/rpc/")
  return (changes || calls) && headers instanceof Headers ? headers : undefined
}

/** Undefined when the bound holds for what is about to be sent; nothing is sent without it. */
export const limitTo = (query: unknown, most: number): QueryError | undefined => {
  if (!Number.isSafeInteger(most) || most < 0) {
    return invalidRequest(`maxAffected is ${most}`, "Give a whole number from 0.")
  }
  const headers = headersOf(query)
  if (headers === undefined) {
    const table = tableOf(query)
    return invalidRequest(
      `maxAffected bounds an update, a delete or a function, and this request${table === "" ? "" : ` to ${table}`} is another kind`,
      "Leave it out, or return the builder of an update, a delete or an rpc."
    )
  }
  headers.append("Prefer", "handling=strict")
  headers.append("Prefer", `max-affected=${most}`)
  return undefined
}
