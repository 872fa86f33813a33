/** Finds values of rows in PostgreSQL's messages, and removes them. */

/** Messages with a quoted value, which may itself contain quotes (22P02), or with the text of a search (42601). */
const quotesValues = /^(?:22...|42601)$/

/** PostgREST repeats the filter that it cannot read: `failed to parse filter (…)`. */
const quotesFilter = "PGRST100"

export const withoutValues = (code: string, reason: string): string => {
  if (code === quotesFilter) return reason.replace(/\([\s\S]*\)/, "(…)")
  return quotesValues.test(code) ? reason.replace(/"[\s\S]*"/, '"…"') : reason
}

const sqlstate = /^[0-9A-Z]{5}$/

/** The details of PostgREST's own errors give row counts and ambiguous names; those of PostgreSQL's errors give values. */
export const printsDetails = (code: string): boolean => !sqlstate.test(code)

/** The printable part of an error. */
export type Unprinted = (error: object, message: string) => object

/** Keeps fields readable by name, but hides them from printing and from JSON. */
export const unprinted = (error: object, fields: ReadonlyArray<string>): Unprinted => {
  for (const field of fields) Object.defineProperty(error, field, { enumerable: false })
  return printed
}

export const printed: Unprinted = (error, message) => ({ ...error, message })
