/**
 * What a function of the database is called with by GET, where each argument is text that PostgreSQL casts to the
 * parameter's type.
 *
 * supabase-js joins lists with commas and makes text of everything else, so that `["a,b"]` arrives as two, null as a
 * word, and an object as `[object Object]`.
 */
import type { QueryError } from "../../Errors.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { asJson, literal, problem } from "./literals.js"

type Arguments = Readonly<Record<string, unknown>>

const byPost = "call the function by POST (without get and head)"

const refused = (name: string, issue: string, hint: string): QueryError =>
  invalidRequest(`the argument ${name} cannot be sent by GET: ${issue}`, hint)

/** What PostgREST takes for its own in an address: an argument of that name never reaches the function. */
const reserved = /^(?:select|columns|on_conflict|apikey|(?:.+\.)?(?:order|limit|offset|and|or))$/

/** What PostgREST tells a filter on the function's rows by, whatever parameters the function has. */
const saysOperator =
  /^(?:not|(?:eq|neq|gte?|lte?|i?like|i?match)(?:\((?:any|all)\))?|isdistinct|in|is|cs|cd|ov|sl|sr|nxr|nxl|adj|(?:pl|ph|w)?fts(?:\([^)]*\))?)\./

const one = (name: string, value: unknown): string | QueryError => {
  try {
    const found = problem(value)
    if (found !== undefined) return refused(name, found, "Give a value that JSON can hold, a date or bytes.")
    if (asJson(value) === null) {
      return refused(name, "an address has no null", `Leave it out where null is its default, or ${byPost}.`)
    }
    if (reserved.test(name)) {
      return refused(name, "in an address the name is PostgREST's own", `Rename the parameter, or ${byPost}.`)
    }
    const text = literal(value)
    const operator = saysOperator.exec(text)?.[0]
    return operator === undefined
      ? text
      : refused(
          name,
          `PostgREST takes a text that begins with "${operator}" for a filter`,
          "Call the function by POST (without get and head)."
        )
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
