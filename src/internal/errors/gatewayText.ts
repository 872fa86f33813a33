/** The reason in the JSON of an error: each gateway uses a different member for it. */

const textIn = (u: object, name: string): string => {
  const value: unknown = Reflect.get(u, name)
  return typeof value === "string" ? value.trim() : ""
}

/** RFC 9457 (problem+json): the title is the same for all errors of a type. */
const problemIn = (u: object): string => [textIn(u, "title"), textIn(u, "detail")].filter(Boolean).join(": ")

/** Empty without a reason. */
export const reasonIn = (u: unknown): string => {
  if (typeof u !== "object" || u === null) return ""
  const said: unknown = Reflect.get(u, "message")
  if (typeof said === "string" && said !== "") return said
  // OAuth's `error` is a code if there is also a description.
  const own = textIn(u, "msg") || textIn(u, "error_description") || textIn(u, "error") || problemIn(u)
  if (own !== "") return own
  const within: unknown = Reflect.get(u, "error")
  return typeof within === "object" && within !== null ? textIn(within, "message") : ""
}
