/** Where a text stops being JSON. `JSON.parse` knows, and says it in words that differ from engine to engine, or not at all. */

/** What may come next. */
type Next = "value" | "value or ]" | "key" | "key or }" | "colon" | "comma or end"

const blank = /[ \t\n\r]*/y
const literal = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
const escaped = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

/** Behind what a pattern finds here; as far as before where it finds nothing. */
const behind = (pattern: RegExp, text: string, at: number): number => {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

/** The text that begins here: behind its end, or where it breaks. */
const quoted = (text: string, start: number): { readonly at: number; readonly isWhole: boolean } => {
  let at = start + 1
  while (at < text.length) {
    const character = text[at]
    if (character === '"') return { at: at + 1, isWhole: true }
    const next = character === "\\" ? behind(escaped, text, at) : at + (text.charCodeAt(at) < 0x20 ? 0 : 1)
    if (next === at) return { at, isWhole: false }
    at = next
  }
  return { at, isWhole: false }
}

const closing: Readonly<Record<string, string>> = { "{": "}", "[": "]" }

/** The place of the first character that cannot stand there; its length where it only ends too early; undefined of JSON. */
export const jsonBreak = (text: string): number | undefined => {
  const open: Array<string> = []
  let next: Next = "value"
  let at = 0
  for (;;) {
    at = behind(blank, text, at)
    const character = text[at]
    if (character === undefined) return open.length === 0 && next === "comma or end" ? undefined : text.length
    const isValue: boolean = next === "value" || next === "value or ]"
    if (character === '"' && (isValue || next === "key" || next === "key or }")) {
      const found = quoted(text, at)
      if (!found.isWhole) return found.at
      at = found.at
      next = isValue ? "comma or end" : "colon"
    } else if (character === ":" && next === "colon") {
      at += 1
      next = "value"
    } else if (closing[character] !== undefined && isValue) {
      open.push(character)
      at += 1
      next = character === "{" ? "key or }" : "value or ]"
    } else if (character === closing[open.at(-1) ?? ""] && (next === "comma or end" || next.endsWith(character))) {
      open.pop()
      at += 1
      next = "comma or end"
    } else if (character === "," && next === "comma or end" && open.length > 0) {
      at += 1
      next = open.at(-1) === "{" ? "key" : "value"
    } else {
      const end = isValue ? behind(literal, text, at) : at
      if (end === at) return at
      at = end
      next = "comma or end"
    }
  }
}
