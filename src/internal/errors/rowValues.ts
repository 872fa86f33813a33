/** Where PostgreSQL's words have values of rows in them, and how they are said without. */

/** A value is in quotes (22P02), which may have quotes in it; a search is repeated as it was sent (42601). */
const quotesValues = /^(?:22...|42601)$/

/** PostgREST repeats the filter that it cannot read: `failed to parse filter (…)`. */
const quotesFilter = "PGRST100"

export const withoutValues = (code: string, reason: string): string => {
  if (code === quotesFilter) return reason.replace(/\([\s\S]*\)/, "(…)")
  return quotesValues.test(code) ? reason.replace(/"[\s\S]*"/, '"…"') : reason
}

const sqlstate = /^[0-9A-Z]{5}$/

/** PostgREST's own say how many rows there are, and what is ambiguous; PostgreSQL's, which values. */
export const printsDetails = (code: string): boolean => !sqlstate.test(code)

/** What is left of an error for whoever prints it. */
export type Unprinted = (error: object, message: string) => object

/** Fields as they were, for who asks for them by name: whoever prints the error, or logs it as JSON, does not see them. */
export const unprinted = (error: object, fields: ReadonlyArray<string>): Unprinted => {
  for (const field of fields) Object.defineProperty(error, field, { enumerable: false })
  return printed
}

export const printed: Unprinted = (error, message) => ({ ...error, message })
