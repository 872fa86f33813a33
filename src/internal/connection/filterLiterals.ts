/**
 * What the filters of supabase-js would send as something else: they join lists with commas and escape nothing, so that a text with
 * a comma, a quote, a brace or a backslash is another list; of a date and an object they make the text that JavaScript has for
 * it, and of null the word. Here each is written as PostgreSQL reads it, or is refused with a reason.
 *
 * A text is sent as it stands, since a caller may have written a literal: ranges, JSON, `(1,2)` for `in`.
 */
import { isNoDate } from "../shared/jsonable.js"
import { isPlain, quoted } from "../table/literal.js"
import { asJson, list, literal } from "./literals.js"

/** Column, operator and value, as `filter` takes them. */
export type Written = readonly [column: unknown, operator: string, value: unknown]

/** Why it is not sent, and what to do. */
export interface Refused {
  readonly issue: string
  readonly hint: string
}

const isRefused = (value: string | Refused): value is Refused => typeof value === "object"

const noNull = (what: string): Refused => ({
  issue: `${what}, which would be sent as the word`,
  hint: 'Say is(column, null) for rows without a value, and not(column, "is", null) for all others.'
})

const badValue = (issue: string): Refused => ({
  issue,
  hint: "Give a text, a number, a date, bytes, or a list of these."
})

/** In a list of `in`: everything in double quotes is text. */
const inElement = (value: unknown): string => {
  const plain = asJson(value)
  if (["number", "boolean", "bigint"].includes(typeof plain)) return String(plain)
  const text = Array.isArray(plain) ? list(plain) : literal(plain)
  return text !== "" && isPlain(text) ? text : quoted(text)
}

const inList = (values: ReadonlyArray<unknown>): string | Refused => {
  if (values.some((value) => asJson(value) === null)) return noNull("its list has null")
  const elements = [...new Set(values.map(inElement))]
  const [only, ...more] = elements
  // PostgREST takes a list of the empty text alone for an empty list.
  return only === '""' && more.length === 0 ? '("","")' : `(${elements.join(",")})`
}

const patternElement = (value: unknown): string => {
  const text = literal(value)
  return /^[\w%*:.+-]+$/.test(text) && text.toUpperCase() !== "NULL" ? text : quoted(text)
}

const isPlainObject = (value: unknown): boolean => {
  const plain = asJson(value)
  return typeof plain === "object" && plain !== null && !Array.isArray(plain)
}

/**
 * A list of objects is JSON's: a column of `jsonb` is compared with it, and hardly any is of `jsonb[]`. JSON has no bigint, which
 * it says by itself.
 */
const setOf = (value: unknown): string =>
  isPlainObject(value) || (Array.isArray(value) && value.some(isPlainObject)) ? JSON.stringify(value) : literal(value)

/** What has no text. What a text or JSON may not hold is looked for in all that is sent. */
const noForm = (value: unknown): string | undefined => {
  if (isNoDate(value)) return "an invalid Date is no value"
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value} has no form in JSON`
  return Array.isArray(value) ? value.map(noForm).find((issue) => issue !== undefined) : undefined
}

const sets: ReadonlySet<string> = new Set(["cs", "cd", "ov"])

/** A value behind an operator, as text. */
const operand = (operator: string, value: unknown): string | Refused => {
  const name = operator.replace(/^not\./, "")
  const issue = noForm(value)
  if (issue !== undefined) return badValue(issue)
  if (name === "in") {
    return Array.isArray(value) || value instanceof Set ? inList([...value]) : badValue("in wants a list")
  }
  if (asJson(value) === null) return name === "is" ? "null" : noNull("it is compared with null")
  if (/^i?(?:like|match)\((?:any|all)\)$/.test(name) && Array.isArray(value)) {
    return value.some((each) => asJson(each) === null)
      ? noNull("its list has null")
      : `{${value.map(patternElement).join(",")}}`
  }
  return sets.has(name) ? setOf(value) : literal(value)
}

/** By method: how its arguments are those of `filter`. */
const operators: Readonly<Record<string, string>> = {
  ...Object.fromEntries(["eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "in"].map((name) => [name, name])),
  notIn: "not.in",
  isDistinct: "isdistinct",
  regexMatch: "match",
  regexIMatch: "imatch",
  likeAllOf: "like(all)",
  likeAnyOf: "like(any)",
  ilikeAllOf: "ilike(all)",
  ilikeAnyOf: "ilike(any)",
  contains: "cs",
  containedBy: "cd",
  overlaps: "ov"
}

const one = (column: unknown, operator: string, value: unknown): Written | Refused => {
  if (typeof value === "string") return [column, operator, value]
  const text = operand(operator, value)
  return isRefused(text) ? text : [column, operator, text]
}

const all = (conditions: object): ReadonlyArray<Written> | Refused => {
  const written: Array<Written> = []
  for (const [column, value] of Object.entries(conditions)) {
    const each = one(column, "eq", value)
    if ("issue" in each) return { ...each, issue: `${each.issue} (${column})` }
    written.push(each)
  }
  return written
}

/**
 * What a method of a builder is to send, as calls of `filter`. Undefined where it sends what it was given: then it is left alone.
 */
export const writtenOf = (
  method: string,
  first: unknown,
  second: unknown,
  third: unknown
): ReadonlyArray<Written> | Refused | undefined => {
  if (method === "match") return typeof first === "object" && first !== null ? all(first) : undefined
  const operator =
    operators[method] ?? (method === "not" ? `not.${second}` : method === "filter" ? `${second}` : undefined)
  if (operator === undefined) return undefined
  const written = one(first, operator, method === "not" || method === "filter" ? third : second)
  return "issue" in written ? written : [written]
}
