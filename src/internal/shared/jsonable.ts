/** Finds values that JSON would change silently, before they are sent. */

export interface Unsendable {
  /** Its path, such as `tags.0`; empty for the value itself. */
  readonly path: string
  readonly issue: string
}

/** Deeper than any row; a deeper value gets JSON's own error. */
const deepest = 64

export const nul = "PostgreSQL's texts have no NUL"

/** A lone surrogate. */
export const half = /\p{Surrogate}/u

export const halves = /\p{Surrogate}/gu

export const halfCharacter = "half a character (a surrogate without the other) is no text"

/** Why PostgreSQL cannot store a text. */
export const notText = (text: string): string | undefined => {
  if (text.includes("\0")) return nul
  // Twenty times as fast as a pattern.
  return text.isWellFormed() ? undefined : halfCharacter
}

/** The value's description for an error. */
const readable = (name: string): string => name.replaceAll("\0", "").replace(halves, "")

export const isNoDate = (value: unknown): boolean => value instanceof Date && Number.isNaN(value.getTime())

const reason = (value: unknown): string | undefined => {
  if (typeof value === "number" && !Number.isFinite(value)) return `${value} would be sent as null`
  if (isNoDate(value)) return "an invalid Date would be sent as null"
  if (ArrayBuffer.isView(value))
    return "bytes have no form in JSON; encode them as text (bytea: \\x and hexadecimal digits)"
  if (typeof value === "string") return notText(value)
  return typeof value === "function" || typeof value === "symbol" ? `a ${typeof value} has no form in JSON` : undefined
}

/** The first value or name that JSON or PostgreSQL cannot carry unchanged: an infinite number, bytes, a NUL, a cycle. */
export const unsendable = (value: unknown, path = "", above: ReadonlyArray<unknown> = []): Unsendable | undefined => {
  const issue = reason(value)
  if (issue !== undefined) return { path, issue }
  if (typeof value !== "object" || value === null || above.length > deepest || "toJSON" in value) return undefined
  if (above.includes(value)) return { path, issue: "it is in itself, and JSON has no circles" }
  let within: ReadonlyArray<unknown> | undefined
  for (const [name, member] of Object.entries(value)) {
    const at = path === "" ? name : `${path}.${name}`
    const wrong = notText(name)
    if (wrong !== undefined) return { path: readable(at), issue: `in its name: ${wrong}` }
    if (typeof member === "object") within ??= [...above, value]
    const found = unsendable(member, at, within)
    if (found !== undefined) return found
  }
  return undefined
}
