/**
 * What PostgREST would take for something else than it was given, found before it is sent, in whatever request it stands.
 *
 * A NUL in a filter is no part of the value that PostgREST looks for; in a body PostgreSQL refuses it (22P05). Half a
 * character makes of the whole body no JSON (PGRST102). Measured on PostgREST 16.2, see docs/postgrest.md.
 */
import type { QueryError } from "../Errors.js"
import { invalidRequest } from "./invalidRequest.js"
import { nul, unsendable } from "./jsonable.js"
import type { PlainBody } from "./plainRequest.js"

/** JSON writes both in code, and nothing else of these; an even number of backslashes before them is text. */
const halfOrNul = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i

const inBody = (body: string): QueryError | undefined => {
  if (!body.includes("\\u") || !halfOrNul.test(body)) return undefined
  const found = unsendable(JSON.parse(body))
  return found === undefined ? undefined : refused(found.path === "" ? "the body" : found.path, found.issue)
}

const inQuery = (path: string): QueryError | undefined => {
  if (!path.includes("%00")) return undefined
  const [address = "", query = ""] = path.split("?", 2)
  const parameter = query.split("&").find((each) => each.includes("%00"))
  const name = parameter === undefined ? address.split("/").at(-1) : parameter.split("=", 1)[0]
  return refused(`the filter ${decodeURIComponent(String(name).replaceAll("%00", ""))}`, nul)
}

const refused = (where: string, issue: string): QueryError =>
  invalidRequest(
    `${where} cannot be sent: ${issue}`,
    "Take it out, or send bytes as bytea: \\x and hexadecimal digits."
  )

/** Undefined where it can be sent. What is not for the database's API is not looked at. */
export const unsendableRequest = (path: string, body: PlainBody): QueryError | undefined =>
  path.startsWith("/rest/v1/") ? (inQuery(path) ?? (typeof body === "string" ? inBody(body) : undefined)) : undefined
