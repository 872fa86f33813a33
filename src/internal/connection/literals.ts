/**
 * A value as the text that PostgreSQL casts to the type of a column or a parameter: what an address can say. A list is an array
 * of PostgreSQL's, an object JSON, bytes are hexadecimal digits.
 */
import { isNoDate, notText, unsendable } from "../shared/jsonable.js"
import { quoted } from "../table/literal.js"
import { withMicros } from "../values/moments.js"

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

export const list = (values: ReadonlyArray<unknown>): string => `{${values.map(element).join(",")}}`

const hexadecimal = (bytes: Uint8Array): string =>
  `\\x${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`

/** As `JSON.stringify` sees it, so that a date or a decimal is the text that it is in a POST; but bytes are bytea. */
export const asJson = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return hexadecimal(value)
  return typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function"
    ? withMicros(value, Reflect.apply(value.toJSON, value, []))
    : value
}

/** A bigint as the builder writes it in a body. */
const withBigints = (_: string, value: unknown): unknown => (typeof value === "bigint" ? value.toString() : value)

const text = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value, withBigints) : String(value)

export const literal = (value: unknown): string => {
  const plain = asJson(value)
  return Array.isArray(plain) ? list(plain) : text(plain)
}

/** What would arrive as something else, or not at all: objects are sent as JSON, all else as text. */
export const problem = (value: unknown): string | undefined => {
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
