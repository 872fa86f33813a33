/**
 * What a builder would make something else of is refused before anything is sent: a filter whose value is missing, a body that
 * JSON changes in silence, a schema that no header can carry.
 *
 * Of a missing value supabase-js makes the word "undefined", or (`match`, JSON of `contains`, a pattern of `likeAllOf`) leaves it
 * out: then an update or a delete is of other rows than the caller meant, up to all of them. JSON makes `null` of NaN and of a Date
 * that is none.
 *
 * The filters of supabase-js's classes and their `then` are replaced, once for the process, by such as look at their value: no
 * more than its type, where it is there. Builders of other clients are known by their `fetch` and do what they did. A prototype of our own
 * for each builder would leave the classes alone, and made a read 10 to 17 % dearer (`npm run bench:against`).
 */
import type { QueryError } from "../../Errors.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { unsendable } from "../shared/jsonable.js"
import { isMethod, type Method, replaceIn, replacing } from "./builderClass.js"
import { bodyOf, following, verbs } from "./builderFields.js"
import { type Refused, writtenOf } from "./filterLiterals.js"
import { rowsInPieces } from "./rowsInPieces.js"
import { unsendableBody } from "./sendable.js"

/** The filters by the place of what a column is compared with among their arguments. */
const first = ["match", "or"]
const second = [
  "eq",
  "neq",
  "gt",
  "gte",
  "lt",
  "lte",
  "like",
  "likeAllOf",
  "likeAnyOf",
  "ilike",
  "ilikeAllOf",
  "ilikeAnyOf",
  "regexMatch",
  "regexIMatch",
  "is",
  "isDistinct",
  "in",
  "notIn",
  "contains",
  "containedBy",
  "rangeGt",
  "rangeGte",
  "rangeLt",
  "rangeLte",
  "rangeAdjacent",
  "overlaps",
  "textSearch"
]
const third = ["not", "filter"]

type Refuse = (error: QueryError) => Promise<never>

/** By the `fetch` that a client's builders have. */
const refusals: WeakMap<object, Refuse> = new WeakMap()

/** Where a value is missing: `""` for the whole of it, undefined where it is whole. */
const missingIn = (value: unknown): string | undefined => {
  if (value === undefined) return ""
  if (typeof value !== "object" || value === null) return undefined
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return undefined
  for (const [name, part] of Object.entries(value)) {
    const missing = missingIn(part)
    if (missing !== undefined) return missing === "" ? name : `${name}.${missing}`
  }
  return undefined
}

const named = (method: string, column: unknown): string =>
  typeof column === "string" ? `${method}("${column}")` : method

const refused = (method: string, column: unknown, missing: string): QueryError =>
  invalidRequest(
    `the filter ${named(method, column)} is compared with undefined${missing === "" ? "" : ` (${missing})`}`,
    "Give it a value, is(column, null) for rows without one, or leave the filter out."
  )

/** A circle, or what has no form in JSON, which supabase-js makes of an object. */
const unwritable = (method: string, column: unknown, value: unknown, thrown: Error): QueryError =>
  invalidRequest(
    `the filter ${named(method, column)} cannot be sent: ${unsendable(value)?.issue ?? thrown.message}`,
    "Give it a value that JSON can hold."
  )

/** What the builder would have sent is never sent. False where it is another client's. */
const refuse = (builder: object, error: QueryError): boolean => {
  const fetch: unknown = Reflect.get(builder, "fetch")
  const told = typeof fetch === "function" ? refusals.get(fetch) : undefined
  if (told === undefined) return false
  const instead = (): Promise<never> => told(error)
  // The reason that came first stays.
  refusals.set(instead, instead)
  return Reflect.set(builder, "fetch", instead)
}

const isOurs = (builder: object): boolean => {
  const fetch: unknown = Reflect.get(builder, "fetch")
  return typeof fetch === "function" && refusals.has(fetch)
}

/** Not as text that PostgREST would read otherwise. */
const unsent = (method: string, column: unknown, { hint, issue }: Refused): QueryError =>
  invalidRequest(`the filter ${named(method, column)} cannot be sent: ${issue}`, hint)

/** `filter` is that of the class, as it was. */
const checked =
  (at: 0 | 1 | 2, filter: unknown) =>
  (name: string, method: Method): Method =>
    function (a, b, c) {
      const value = at === 1 ? b : at === 0 ? a : c
      // Texts and numbers, which nearly all are, cost one look.
      if (typeof value === "string" || typeof value === "number") return method.call(this, a, b, c)
      try {
        const missing = missingIn(value)
        if (missing !== undefined && refuse(this, refused(name, a, missing))) return this
        const written = isOurs(this) && isMethod(filter) ? writtenOf(name, a, b, c) : undefined
        if (written === undefined || !isMethod(filter)) return method.call(this, a, b, c)
        if ("issue" in written) {
          refuse(this, unsent(name, a, written))
          return this
        }
        for (const [column, operator, text] of written) filter.call(this, column, operator, text)
        return this
      } catch (thrown) {
        if (thrown instanceof Error && refuse(this, unwritable(name, a, value, thrown))) return this
        throw thrown
      }
    }

/** A header has no other characters, and none that is blank at its ends. */
const sendableSchema = /^(?! )[\x20-\x7e]*(?<! )$/

const unsendableSchema = (builder: object): QueryError | undefined => {
  const schema: unknown = Reflect.get(builder, "schema")
  if (typeof schema !== "string" || sendableSchema.test(schema)) return undefined
  return invalidRequest(
    `the schema ${JSON.stringify(schema)} cannot be sent: a header has no such characters`,
    "Give the name of a schema that the server exposes."
  )
}

/** When it is about to send: what it sends may have been changed until now. */
const sending = replacing(
  ["then"],
  (_, method) =>
    function (first, second, third) {
      const wrong = unsendableSchema(this) ?? unsendableBody(bodyOf(this))
      if (wrong !== undefined && refuse(this, wrong)) {
        // The builder would still look at them, and fail in words of its own.
        Reflect.set(this, "schema", undefined)
        Reflect.set(this, "body", undefined)
      }
      return method.call(this, first, second, third)
    }
)

const replaced = (base: object): Readonly<Record<string, Method>> => {
  const filter: unknown = Reflect.get(base, "filter")
  return {
    ...replacing(first, checked(0, filter))(base),
    ...replacing(second, checked(1, filter))(base),
    ...replacing(third, checked(2, filter))(base),
    ...sending(base),
    ...rowsInPieces(base)
  }
}

const withFilters = (builder: object): void => replaceIn(builder, replaced)

const asked = replacing(
  verbs,
  (_, method) =>
    function (first, second, third) {
      const builder: unknown = method.call(this, first, second, third)
      if (typeof builder === "object" && builder !== null) withFilters(builder)
      return builder
    }
)

/** The builders of a client of PostgREST, and of those that its `schema` gives, refuse a filter without a value. */
export const refuseMissingValues = (client: object, refuse: Refuse): void => {
  const fetch: unknown = Reflect.get(client, "fetch")
  if (typeof fetch === "function") refusals.set(fetch, refuse)
  following(client, "from", (query) => replaceIn(query, asked))
  following(client, "rpc", withFilters)
  following(client, "schema", (other) => refuseMissingValues(other, refuse))
}
