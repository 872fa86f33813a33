/** What a PostgREST builder is about to send, looked up in its fields. They are protected, so nothing relies on them. */

/** The table, view or function that a PostgREST builder asks for, for errors that name it; empty when it does not say. */
export const tableOf = (query: unknown): string => {
  if (typeof query !== "object" || query === null || !("url" in query)) return ""
  const { url } = query
  if (!(url instanceof URL)) return ""
  return decoded(/\/rest\/v1\/(?:rpc\/)?([^/]*)$/.exec(url.pathname)?.[1] ?? "")
}

const decoded = (name: string): string => {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** What a builder is about to send as JSON; undefined where it only reads. */
export const bodyOf = (query: unknown): unknown =>
  typeof query === "object" && query !== null && "body" in query ? query.body : undefined
