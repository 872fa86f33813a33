/** What JSON would change in silence, found before it is sent. */

export interface Unsendable {
  /** Where it is, as `tags.0`; empty for the value itself. */
  readonly path: string
  readonly issue: string
}

/** Deeper than any row; whoever nests further, or in a circle, gets JSON's own answer. */
const deepest = 64

const reason = (value: unknown): string | undefined => {
  if (typeof value === "number" && !Number.isFinite(value)) return `${value} would be sent as null`
  if (ArrayBuffer.isView(value))
    return "bytes have no form in JSON; encode them as text (bytea: \\x and hexadecimal digits)"
  return typeof value === "function" || typeof value === "symbol" ? `a ${typeof value} has no form in JSON` : undefined
}

/** The first value that JSON does not carry as it is: an infinite number, bytes, a function. */
export const unsendable = (value: unknown, path = "", depth = 0): Unsendable | undefined => {
  const issue = reason(value)
  if (issue !== undefined) return { path, issue }
  if (typeof value !== "object" || value === null || depth > deepest || "toJSON" in value) return undefined
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === "string") continue
    const found = unsendable(member, path === "" ? name : `${path}.${name}`, depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}
