/**
 * What others named, as a terminal may have it. A terminal takes orders from what it shows: a table, a program or an error
 * with the right characters in its name could move the cursor, forge a line, or set the title and what is typed next.
 */

/** Orders (C0, DEL, C1), breaks of lines, halves of characters, and what turns the direction of writing or is not seen. */
const orders =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E007F}]/gu

const instead = "\uFFFD"

/** On one line. */
export const printable = (text: string): string => text.replace(orders, instead)

/** The same for a text of several lines, which may have tabs in it. */
export const printableLines = (text: string): string =>
  text.replace(orders, (order) => (order === "\n" || order === "\t" ? order : instead))

/**
 * A colour of ours, of the log's or of the parser's help: the only order that is given in a line. None hides what stands
 * behind it, as 8 does, or a colour on itself.
 */
export const colour = /(\u001B\[(?:[0-4]|3[1-467]|9[06])(?:;(?:[0-4]|3[1-467]|9[06]))*m)/

/** The same for lines that we have coloured. */
export const printableColoured = (text: string): string =>
  text
    .split(colour)
    .map((part, index) => (index % 2 === 1 ? part : printableLines(part)))
    .join("")

/** JSON that means the same, with such characters as JSON writes them in code. */
export const printableJson = (json: string): string =>
  json.replace(orders, (order) =>
    order === "\n"
      ? order
      : [...Array(order.length).keys()]
          .map((index) => `\\u${order.charCodeAt(index).toString(16).padStart(4, "0")}`)
          .join("")
  )
