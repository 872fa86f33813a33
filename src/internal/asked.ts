/** What a PostgREST builder asks for, read off the builder: for spans, and for errors that name the table. */

export interface Asked {
  /** `SELECT`, `INSERT`, `UPDATE`, `DELETE`, or `CALL` of a function. */
  readonly operation: string
  /** The table, view or function; empty when the builder does not say. */
  readonly name: string
}

const operations: Readonly<Record<string, string>> = {
  GET: "SELECT",
  HEAD: "SELECT",
  POST: "INSERT",
  PUT: "UPSERT",
  PATCH: "UPDATE",
  DELETE: "DELETE"
}

/** The builder's fields are protected, so this looks whether they are there; what is no builder gives undefined. */
export const askedOf = (query: unknown): Asked | undefined => {
  if (typeof query !== "object" || query === null || !("url" in query) || !("method" in query)) return undefined
  const { method, url } = query
  if (!(url instanceof URL) || typeof method !== "string") return undefined
  const [, rpc, name = ""] = /\/rest\/v1\/(rpc\/)?([^/]*)$/.exec(url.pathname) ?? []
  return { operation: rpc === undefined ? (operations[method] ?? method) : "CALL", name: decoded(name) }
}

const decoded = (name: string): string => {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
