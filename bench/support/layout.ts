/** Tables, for a terminal and for a document. */
import type { Table } from "./question.js"

const line = (cells: ReadonlyArray<string>, widths: ReadonlyArray<number>): string =>
  cells
    .map((cell, at) => cell.padEnd(widths[at] ?? 0))
    .join("  ")
    .trimEnd()

const widthsOf = ({ head, rows }: Table): ReadonlyArray<number> =>
  head.map((_, at) => Math.max(...[head, ...rows].map((row) => row[at]?.length ?? 0)))

export const plain = (table: Table): string => {
  const widths = widthsOf(table)
  return [table.head, widths.map((width) => "-".repeat(width)), ...table.rows]
    .map((row) => line(row, widths))
    .join("\n")
}

export const markdown = (table: Table): string => {
  const widths = widthsOf(table)
  const row = (cells: ReadonlyArray<string>): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`
  return [row(table.head), row(widths.map((width) => "-".repeat(Math.max(3, width)))), ...table.rows.map(row)].join(
    "\n"
  )
}

const begin = "<!-- measured: npm run bench -- --write-docs -->"
const end = "<!-- /measured -->"

/** The document with what stands between its markers replaced. */
export const between = (document: string, text: string): string => {
  const from = document.indexOf(begin)
  const to = document.indexOf(end)
  if (from === -1 || to < from) throw new Error(`the document lacks ${begin} … ${end}`)
  return `${document.slice(0, from + begin.length)}\n\n${text}\n\n${document.slice(to)}`
}
