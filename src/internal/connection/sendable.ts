/**
 * What PostgREST would take for something else than it was given, found before it is sent, in whatever request it stands.
 *
 * A NUL in a filter is no part of the value that PostgREST looks for; in a body PostgreSQL refuses it (22P05). Half a
 * character makes of the whole body no JSON (PGRST102). Measured on PostgREST 16.2, see docs/postgrest.md.
 */
import type { QueryError } from "../../Errors.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { halfCharacter, nul, unsendable } from "../shared/jsonable.js"
import { decoded } from "./builderFields.js"
import type { PlainBody } from "./fetchInput.js"
import { markInAddress } from "./wholeText.js"

/** JSON writes both in code, and nothing else of these; an even number of backslashes before them is text. */
const halfOrNul = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i

const inBody = (body: string): QueryError | undefined => {
  if (!body.includes("\\u") || !halfOrNul.test(body)) return undefined
  const found = unsendable(JSON.parse(body))
  return found === undefined ? undefined : refused(found.path === "" ? "the body" : found.path, found.issue)
}

/** Of what is about to become JSON: it makes `null` of an infinite number, and nobody would know. */
export const unsendableBody = (body: unknown): QueryError | undefined => {
  const found = body === undefined ? undefined : unsendable(body)
  return found === undefined
    ? undefined
    : invalidRequest(
        `${found.path === "" ? "the value" : found.path} cannot be sent: ${found.issue}`,
        "Fix the value, or write null if that is what you mean."
      )
}

/** As the caller wrote it, without what cannot be sent. */
const written = (name: string): string =>
  decoded(name.replaceAll(markInAddress, "").replaceAll("%00", "").replaceAll("+", " "))

/** Parameters of PostgREST's that are no filters. */
const parameters: ReadonlySet<string> = new Set(["select", "order", "columns", "on_conflict"])

const placeOf = (parameter: string): string => {
  const name = written(parameter.split("=", 1)[0] ?? "")
  return parameters.has(name) ? name : `the filter ${name}`
}

/** What of an address cannot be sent, and why. */
export const unsendableAddress = (path: string): { readonly where: string; readonly issue: string } | undefined => {
  if (!path.includes("%00")) return undefined
  const [address = "", query = ""] = path.split("?", 2)
  const inName = address.split("/").find((each) => each.includes("%00"))
  const wrong = inName ?? query.split("&").find((each) => each.includes("%00")) ?? ""
  return {
    where: inName === undefined ? placeOf(wrong) : `the name ${written(inName)}`,
    issue: wrong.includes(markInAddress) ? halfCharacter : nul
  }
}

const inAddress = (path: string): QueryError | undefined => {
  const found = unsendableAddress(path)
  return found === undefined ? undefined : refused(found.where, found.issue)
}

export const takeItOut = "Take it out, or send bytes as bytea: \\x and hexadecimal digits."

const refused = (where: string, issue: string): QueryError =>
  invalidRequest(`${where} cannot be sent: ${issue}`, takeItOut)

/** Undefined where it can be sent. What is not for the database's API is not looked at. */
export const unsendableRequest = (path: string, body: PlainBody): QueryError | undefined =>
  path.startsWith("/rest/v1/") ? (inAddress(path) ?? (typeof body === "string" ? inBody(body) : undefined)) : undefined
