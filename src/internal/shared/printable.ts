/**
 * Makes foreign text safe for a terminal. Terminals obey control sequences in their output: a table, a program or an error
 * with such characters in its name could move the cursor, forge a line, or set the title and the next input.
 */

/**
 * Control characters (C0, DEL, C1), line breaks, lone surrogates, and characters that are invisible or change the writing
 * direction.
 */
const orders =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E007F}]/gu

const instead = "\uFFFD"

/** On one line. */
export const printable = (text: string): string => text.replace(orders, instead)

/** The same for a text of several lines, which may have tabs in it. */
export const printableLines = (text: string): string =>
  text.replace(orders, (order) => (order === "\n" || order === "\t" ? order : instead))

/**
 * The colours of our output, the log and the parser's help: the only control sequences that we print. None of them hides
 * text, as code 8 would, or a colour on itself.
 */
export const colour = /(\u001B\[(?:[0-4]|3[1-467]|9[06])(?:;(?:[0-4]|3[1-467]|9[06]))*m)/

/** The same for lines that we have coloured. */
export const printableColoured = (text: string): string =>
  text
    .split(colour)
    .map((part, index) => (index % 2 === 1 ? part : printableLines(part)))
    .join("")

/** Equivalent JSON, with such characters escaped. */
export const printableJson = (json: string): string =>
  json.replace(orders, (order) =>
    order === "\n"
      ? order
      : [...Array(order.length).keys()]
          .map((index) => `\\u${order.charCodeAt(index).toString(16).padStart(4, "0")}`)
          .join("")
  )
