/**
 * Text that stands for itself and nothing else, wherever in a PostgREST question it stands. Neither PostgREST nor the embedded
 * database may take it for a number, a word for a value, a list or a pattern.
 */

/** What can stand in a filter. */
export type Scalar = string | number | boolean | bigint | null

/** In double quotes a name or a value of PostgREST's, and an element of an array of PostgreSQL, may hold anything. */
export const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`

/** For `in`, where everything in double quotes is text and nothing else, and no boolean to the embedded database. */
export const listOf = (values: Iterable<Scalar>): string =>
  `(${[...values].map((it) => (typeof it === "boolean" ? String(it) : quoted(String(it)))).join(",")})`

/** PostgreSQL's own form of an array, whose elements in double quotes are texts. */
export const arrayOf = (values: Iterable<Scalar>): string =>
  `{${[...values].map((it) => (it === null ? "NULL" : quoted(String(it)))).join(",")}}`

/** Words for values, in any case. */
const words: ReadonlySet<string> = new Set(["null", "not_null", "true", "false", "unknown"])

/** `1.0` and `1e3`: who makes a number of it and text of that again has another text. */
const changesAsNumber = (text: string): boolean => !Number.isNaN(Number(text)) && String(Number(text)) !== text

/** What nobody could read as other than itself. */
export const isPlain = (value: NonNullable<Scalar>): boolean => {
  if (typeof value === "boolean") return true
  const text = String(value)
  // A list of the empty text alone is an empty list to PostgREST.
  if (text === "") return true
  return /^[\p{L}\p{N}_.:+@-]+$/u.test(text) && !changesAsNumber(text) && !words.has(text.toLowerCase())
}

/** Operator and value of a filter for what is this and nothing else. */
export const equality = (value: NonNullable<Scalar>): readonly [operator: string, value: unknown] =>
  isPlain(value) ? ["eq", value] : ["in", listOf([value])]

/** Bare where nobody could take it for syntax: that is how logs show it. */
export const named = (column: string): string => (/^[A-Za-z_]\w*$/.test(column) ? column : quoted(column))

/**
 * A regular expression that matches this text and no other: unlike LIKE's, PostgREST gives its characters no meaning of
 * its own (`*` would be `%`). In brackets, and by name what would have to be escaped on the way there: not every reader
 * of PostgREST's syntax takes as many backslashes away as the next.
 */
export const literally = (text: string): string =>
  text
    .replace(/["\\^$.*+?()[{}|]/g, (sign) => `[${names.get(sign) ?? sign}]`)
    // Supabase Lite takes these words for values also where a pattern is wanted.
    .replace(/^(?:null|not_null|true|false|unknown)$/i, (word) => `[${word.slice(0, 1)}]${word.slice(1)}`)

const names: ReadonlyMap<string, string> = new Map([
  ['"', "[.quotation-mark.]"],
  ["\\", "[.backslash.]"],
  ["^", "[.circumflex.]"],
  // Supabase Lite counts parentheses in quotes too.
  ["(", "[.left-parenthesis.]"],
  [")", "[.right-parenthesis.]"]
])

/** A pattern of LIKE as a regular expression, for one that has a `*` in it: PostgREST would read it as `%`. */
export const regexOfLike = (pattern: string): string =>
  `^${pattern.replace(/\\([\s\S])|[\s\S]/gu, (sign, escaped: string | undefined) =>
    escaped !== undefined ? literally(escaped) : sign === "%" ? ".*" : sign === "_" ? "." : literally(sign)
  )}$`
