/** What the database's function for transactions says. Read by hand: a parser is not worth its loading for three records. */

type Fields = Readonly<Record<string, unknown>>

const isRecord = (u: unknown): u is Fields => typeof u === "object" && u !== null && !Array.isArray(u)

/** `gone`: executed when it came first, and its results were too large to be kept for this arrival. */
type TransactionOutcome =
  | { readonly replayed: boolean; readonly results: ReadonlyArray<unknown> }
  | { readonly replayed: true; readonly gone: true }

export const isOutcome = (u: unknown): u is TransactionOutcome =>
  isRecord(u) &&
  typeof u["replayed"] === "boolean" &&
  (Array.isArray(u["results"]) || (u["replayed"] && u["gone"] === true))

export const isSettled = (u: unknown): u is { readonly executed: boolean } =>
  isRecord(u) && typeof u["executed"] === "boolean"

interface Blame {
  readonly supabase_pool_step: number
  readonly code: string
  readonly details: string | null
}

const isBlame = (u: unknown): u is Blame =>
  isRecord(u) &&
  Number.isInteger(u["supabase_pool_step"]) &&
  typeof u["code"] === "string" &&
  (u["details"] === null || typeof u["details"] === "string")

/** In the details of an error, which may be anybody's. */
export const blameIn = (details: string): Blame | undefined => {
  try {
    const parsed: unknown = JSON.parse(details)
    return isBlame(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}
