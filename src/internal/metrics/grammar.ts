/**
 * Finds the parts of a request's query that belong to its shape. It is the only reader of PostgREST's grammar, for the
 * number of a shape (`fingerprint.ts`) and for its text (`shape.ts`), so that both agree.
 *
 * It runs for each operation, so it reads the query once, decodes nothing and creates no string. Unknown parts count as
 * values, and values are left out.
 */

/** Receives the parts of a query, each from `from` to before `end`. */
export interface Sink {
  /** A parameter with its `=`, if it has one. */
  name(path: string, from: number, end: number): void
  /** Names of columns and orders, or an operator with the `not.` before it. */
  text(path: string, from: number, end: number): void
  /** Nested conditions, values included. If it returns false, reading stops. */
  conditions(path: string, from: number, end: number): boolean
}

export const root = "/rest/v1/"

export const prime = 0x01000193

const seed = 0x811c9dc5 | 0

export const hashOf = (word: string): number => {
  let hash = seed
  for (let at = 0; at < word.length; at += 1) hash = Math.imul(hash ^ word.charCodeAt(at), prime)
  return hash
}

/** Words are recognised by their hash, since a lookup by text would cost a string each. */
const words = (list: string): ReadonlySet<number> => new Set(list.split(" ").map(hashOf))

/** Parameters whose values are names of columns and orders. */
const kept = words("select order columns on_conflict")

const junctions = words("and or")

const operators = words(
  "eq gt gte lt lte neq like ilike match imatch in is isdistinct fts plfts phfts wfts cs cd ov sl sr nxr nxl adj"
)

const dot = 0x2e
const equals = 0x3d
const bracket = 0x28
const percent = 0x25

/** `eq.`, `eq(any).`, `fts(english).`, the bracket encoded or not. */
const endsOperator = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at)
  return code === dot || code === bracket || (code === percent && text.startsWith("28", at + 1))
}

/** The end of the operator at the start of a filter's value, with `not.` before it; `from` if there is no operator. */
export const operatorEnd = (text: string, from: number, end: number): number => {
  let at = text.startsWith("not.", from) ? from + 4 : from
  let hash = seed
  for (; at < end; at += 1) {
    const code = text.charCodeAt(at)
    if (code < 0x61 || code > 0x7a) break
    hash = Math.imul(hash ^ code, prime)
  }
  return operators.has(hash) && endsOperator(text, at) ? at : from
}

/** Reads the query that begins at `from`, until its end or until the sink has enough. */
export const scan = (path: string, from: number, sink: Sink): void => {
  for (let start = from; start < path.length; ) {
    const next = path.indexOf("&", start)
    const end = next === -1 ? path.length : next
    // `order` of `orders.order`: the function of a parameter for an embedded table.
    let word = seed
    let at = start
    for (; at < end; at += 1) {
      const code = path.charCodeAt(at)
      if (code === equals) break
      word = code === dot ? seed : Math.imul(word ^ code, prime)
    }
    const value = Math.min(at + 1, end)
    sink.name(path, start, value)
    if (junctions.has(word)) {
      if (!sink.conditions(path, value, end)) return
    } else sink.text(path, value, kept.has(word) ? end : operatorEnd(path, value, end))
    start = end + 1
  }
}
