/**
 * What a function of the database is called with by GET, where each argument is text that PostgreSQL casts to the
 * parameter's type.
 *
 * supabase-js joins lists with commas and makes text of everything else, so that `["a,b"]` arrives as two, null as a
 * word, and an object as `[object Object]`.
 */
import type { QueryError } from "../../Errors.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { isNoDate, notText, unsendable } from "../shared/jsonable.js"
import { quoted } from "../table/literal.js"

type Arguments = Readonly<Record<string, unknown>>

/** In an array of PostgreSQL, where everything in double quotes is text, and NULL without them is none. */
const element = (value: unknown): string => {
  const plain = asJson(value)
  if (plain === null || plain === undefined) return "NULL"
  if (Array.isArray(plain)) return list(plain)
  return quotedElement(text(plain))
}

/** Bare where nobody could take it for syntax: that is how logs show it. */
const quotedElement = (value: string): string =>
  /^[\w.:+-]+$/.test(value) && value.toUpperCase() !== "NULL" ? value : quoted(value)

const list = (values: ReadonlyArray<unknown>): string => `{${values.map(element).join(",")}}`

const hexadecimal = (bytes: Uint8Array): string =>
  `\\x${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`

/** As `JSON.stringify` sees it, so that a date or a decimal is the text that it is in a POST; but bytes are bytea. */
const asJson = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return hexadecimal(value)
  return typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function"
    ? Reflect.apply(value.toJSON, value, [])
    : value
}

/** A bigint as the builder writes it in a body. */
const withBigints = (_: string, value: unknown): unknown => (typeof value === "bigint" ? value.toString() : value)

const text = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value, withBigints) : String(value)

const literal = (value: unknown): string => {
  const plain = asJson(value)
  return Array.isArray(plain) ? list(plain) : text(plain)
}

const byPost = "call the function by POST (without get and head)"

const refused = (name: string, issue: string, hint: string): QueryError =>
  invalidRequest(`the argument ${name} cannot be sent by GET: ${issue}`, hint)

/** What would arrive as something else, or not at all: objects are sent as JSON, all else as text. */
const problem = (value: unknown): string | undefined => {
  if (isNoDate(value)) return "an invalid Date is no value"
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value} is no value`
  const plain = asJson(value)
  if (typeof plain === "string") return notText(plain)
  if (Array.isArray(plain)) return firstOf(plain)
  const found = unsendable(plain)
  return typeof plain === "number" || found === undefined ? undefined : `${found.path}: ${found.issue}`
}

const firstOf = (list: ReadonlyArray<unknown>): string | undefined => {
  for (const each of list) {
    const found = problem(each)
    if (found !== undefined) return found
  }
  return undefined
}

const one = (name: string, value: unknown): string | QueryError => {
  try {
    const found = problem(value)
    if (found !== undefined) return refused(name, found, "Give a value that JSON can hold, a date or bytes.")
    if (asJson(value) === null) {
      return refused(name, "an address has no null", `Leave it out where null is its default, or ${byPost}.`)
    }
    return literal(value)
  } catch {
    return refused(name, "it has no text (a circle, or a toJSON that throws)", "Give a value that JSON can hold.")
  }
}

/** The text of each argument, or why one has none. Those that are undefined are left out, as supabase-js does. */
const queryOf = (args: Arguments): Record<string, string> | QueryError => {
  const query: Record<string, string> = {}
  for (const [name, value] of Object.entries(args)) {
    if (value === undefined) continue
    const sent = one(name, value)
    if (typeof sent !== "string") return sent
    query[name] = sent
  }
  return query
}

interface CallOptions {
  readonly get?: boolean
  readonly head?: boolean
}

/** What both clients have in common: this of the pool, and the one that `schema` gives. */
interface Calling {
  rpc: (name: string, args?: Arguments, options?: CallOptions) => object
  schema: (name: string) => Calling
}

const byAddress = (options: CallOptions | undefined): boolean => options?.get === true || options?.head === true

/**
 * Lets a client of PostgREST call functions by GET and HEAD with arguments that arrive as they were given. What cannot
 * is told to `refuse` when the builder is about to send, as whatever else is refused.
 */
export const withArguments = (client: Calling, refuse: (error: QueryError) => Promise<never>): void => {
  const { rpc, schema } = client
  const asked: Calling["rpc"] = (name, args, options) => {
    if (args === undefined || !byAddress(options)) return Reflect.apply(rpc, client, [name, args, options])
    const query = queryOf(args)
    if (!(query instanceof Error)) return Reflect.apply(rpc, client, [name, query, options])
    const builder = Reflect.apply(rpc, client, [name, {}, options])
    Reflect.set(builder, "fetch", () => refuse(query))
    return builder
  }
  Reflect.set(client, "rpc", asked)
  Reflect.set(client, "schema", (name: string) => {
    const other = Reflect.apply(schema, client, [name])
    withArguments(other, refuse)
    return other
  })
}
