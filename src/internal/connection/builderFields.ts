/** What a PostgREST builder is about to send, looked up in its fields. They are protected, so nothing relies on them. */
import { identity } from "effect/Function"

/** The table, view or function that a PostgREST builder asks for, for errors that name it; empty when it does not say. */
export const tableOf = (query: unknown): string => {
  if (typeof query !== "object" || query === null || !("url" in query)) return ""
  const { url } = query
  if (!(url instanceof URL)) return ""
  return decoded(/\/rest\/v1\/(?:rpc\/)?([^/]*)$/.exec(url.pathname)?.[1] ?? "")
}

/** As it stands where it is no code. */
export const decoded = (name: string): string => {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/**
 * What `retry` of a builder was called with; undefined where it was not. A pooled client's builders begin with `unsaid`,
 * which is as false to supabase-js.
 */
export const retryOf = (query: unknown): boolean | undefined => {
  if (typeof query !== "object" || query === null || !("retryEnabled" in query)) return undefined
  const { retryEnabled } = query
  return typeof retryEnabled === "boolean" ? retryEnabled : undefined
}

/** Which rows a builder asks for by itself, before a range is asked of it. */
export const boundsOf = (query: unknown): { readonly limit: number; readonly offset: number } => {
  const url = typeof query === "object" && query !== null && "url" in query ? query.url : undefined
  const given = (name: string): string | null => (url instanceof URL ? url.searchParams.get(name) : null)
  return { limit: Number(given("limit") ?? Number.POSITIVE_INFINITY), offset: Number(given("offset") ?? 0) }
}

/** The columns that a builder orders by, as they stand in its address; undefined where it says none. */
export const orderOf = (query: unknown): string | undefined => {
  const url = typeof query === "object" && query !== null && "url" in query ? query.url : undefined
  return url instanceof URL ? (url.searchParams.get("order") ?? undefined) : undefined
}

/** No list is that long. */
export const unlimited = 1_000_000_000

interface Bounded {
  range(from: number, to: number): this
}

/** The same with these bounds; as it is where neither is said. */
export const boundsOn = <Q extends Bounded>(
  query: Q,
  { limit, offset }: { readonly limit?: number | undefined; readonly offset?: number | undefined }
): Q => {
  if (limit === undefined && offset === undefined) return query
  const from = offset ?? 0
  return query.range(from, from + Math.min(limit ?? unlimited, unlimited) - 1)
}

/** Whether the rows are to be counted. */
export const asksForCount = (query: unknown): boolean =>
  typeof query === "object" &&
  query !== null &&
  "headers" in query &&
  query.headers instanceof Headers &&
  query.headers.get("prefer")?.includes("count=") === true

/**
 * Nobody is told the number, which would be counted again for each page; and PostgREST refuses an offset behind it (416), which
 * an estimate may be.
 */
export const withoutCount = (query: object): void => {
  if (!("headers" in query && query.headers instanceof Headers)) return
  const kept = (query.headers.get("prefer") ?? "").split(",").filter((each) => !/^\s*(?:count=|$)/.test(each))
  if (kept.length === 0) query.headers.delete("prefer")
  else query.headers.set("prefer", kept.join(",").trim())
}

export const unsaid = 0

/** There is one owner of retries, and that is the pool. */
export const withoutRetries = (query: object): void => {
  Reflect.set(query, "retryEnabled", unsaid)
}

/** What a builder is about to send as JSON; undefined where it only reads. */
export const bodyOf = (query: unknown): unknown =>
  typeof query === "object" && query !== null && "body" in query ? query.body : undefined

/** Calls `after` with what a method gives, from now on; `before` changes the first of what it is called with. */
export const following = (
  target: object,
  name: string,
  after: (given: object) => void,
  before: (first: unknown) => unknown = identity
): void => {
  const method: unknown = Reflect.get(target, name)
  if (typeof method !== "function") return
  Reflect.set(target, name, (first: unknown, ...args: ReadonlyArray<unknown>): unknown => {
    const given: unknown = Reflect.apply(method, target, [before(first), ...args])
    if (typeof given === "object" && given !== null) after(given)
    return given
  })
}

/** What a table's builder begins with. */
export const verbs = ["select", "insert", "upsert", "update", "delete"] as const

/**
 * The builders of a `PostgrestClient` repeat nothing by themselves, whatever `retry` is called with; `once` is told of those
 * that nobody is to repeat.
 */
export const leaveRetriesToPool = (rest: object, once: (builder: object) => void): void => {
  const built = (builder: object): void => {
    Reflect.set(builder, "retry", (enabled: unknown): object => {
      if (enabled === false) once(builder)
      return builder
    })
  }
  Reflect.set(rest, "retry", unsaid)
  following(rest, "from", (query) => {
    for (const verb of verbs) following(query, verb, built)
  })
  following(rest, "rpc", built)
  following(rest, "schema", (other) => leaveRetriesToPool(other, once))
}

interface Builder {
  readonly body?: unknown
  readonly isMaybeSingle?: unknown
}

/** Whether it is one of PostgREST's, which sends by itself when it is waited for. */
export const isBuilder = (query: unknown): query is Builder =>
  typeof query === "object" && query !== null && "url" in query && "headers" in query && "then" in query

/** Whether a builder asks for one row; undefined of what is no builder. */
export const asksForOne = (query: unknown): boolean | undefined => {
  if (typeof query !== "object" || query === null || !("headers" in query)) return undefined
  const { headers } = query
  if ("isMaybeSingle" in query && query.isMaybeSingle === true) return true
  return headers instanceof Headers
    ? headers.get("accept")?.startsWith("application/vnd.pgrst.object") === true
    : undefined
}
