/** The text of a range: `[1,10)`, `(,5]`, `["a b",)`, `empty`. */

export interface Ends {
  /** Null where there is no end. */
  readonly lower: string | null
  readonly upper: string | null
  readonly bounds: string
}

const quotedEnd = /^"((?:[^"\\]|\\[\s\S]|"")*)"/

/** One end and what is behind it. */
const endIn = (text: string): readonly [end: string | null, rest: string] => {
  const quoted = quotedEnd.exec(text)
  if (quoted !== null) {
    return [(quoted[1] ?? "").replace(/\\([\s\S])|""/g, (_, sign = '"') => sign), text.slice(quoted[0].length)]
  }
  const [plain = ""] = /^[^,()[\]"\\]*/.exec(text) ?? []
  return [plain === "" ? null : plain, text.slice(plain.length)]
}

/** Undefined for text that is not a range. */
export const endsOf = (text: string): Ends | "empty" | undefined => {
  if (text === "empty") return "empty"
  if (!/^[[(]/.test(text)) return undefined
  const [lower, between] = endIn(text.slice(1))
  if (!between.startsWith(",")) return undefined
  const [upper, last] = endIn(between.slice(1))
  return last === ")" || last === "]" ? { lower, upper, bounds: `${text.charAt(0)}${last}` } : undefined
}

const quoted = (end: string | null): string => (end === null ? "" : `"${end.replace(/["\\]/g, "\\$&")}"`)

export const textOfEnds = ({ bounds, lower, upper }: Ends): string =>
  `${bounds.charAt(0)}${quoted(lower)},${quoted(upper)}${bounds.charAt(1)}`
