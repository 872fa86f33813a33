/**
 * As much of Markdown as docs/troubleshooting.md has, made into a page when the dashboard is built: headings, paragraphs, lists,
 * tables, code, links, emphasis.
 */

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

/** As GitHub makes it. */
export const slugOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-")

/** A link within the page stays one; of others, which are not served, the words are left. */
const linked = (text: string): string =>
  text.replace(/\[([^\]]+)\]\(([^)]+)\)/g, (_, words: string, target: string) =>
    target.startsWith("#") ? `<a href="${target}">${words}</a>` : words
  )

/** What stands in backquotes is taken as it is. */
const inline = (text: string): string =>
  text
    .split(/(`[^`]+`)/)
    .map((part) =>
      part.startsWith("`")
        ? `<code>${escaped(part.slice(1, -1))}</code>`
        : linked(escaped(part))
            .replace(/\*\*([^*]+)\*\*/g, "<strong>$1</strong>")
            .replace(/(^|\W)_([^_]+)_(?=\W|$)/g, "$1<em>$2</em>")
    )
    .join("")

/** A line in backquotes may lie over two lines, so the parts of a block are joined first. */
const joined = (lines: ReadonlyArray<string>): string => inline(lines.join(" "))

const cellsOf = (row: string): ReadonlyArray<string> =>
  row
    .replace(/^\||\|\s*$/g, "")
    .split("|")
    .map((cell) => cell.trim())

const table = ([head = "", , ...rows]: ReadonlyArray<string>): string => {
  const names = cellsOf(head)
  const top = names.map((name) => `<th scope="col">${inline(name)}</th>`).join("")
  const body = rows.map(
    (row) =>
      `<tr>${cellsOf(row)
        .map((cell) => `<td>${inline(cell)}</td>`)
        .join("")}</tr>`
  )
  return `<div class="table" tabindex="0" role="group" aria-label="${escaped(names.join(", "))}"><table><thead><tr>${top}</tr></thead><tbody>${body.join("")}</tbody></table></div>`
}

/** An entry goes on in lines that are indented. */
const list = (lines: ReadonlyArray<string>): string => {
  const entries = lines.join("\n").split(/^- /m).slice(1)
  return `<ul>${entries.map((entry) => `<li>${joined(entry.split(/\n\s*/))}</li>`).join("")}</ul>`
}

const block = (lines: ReadonlyArray<string>): string => {
  const [first = ""] = lines
  const [, hashes = "", heading = ""] = /^(#+) (.*)$/.exec(first) ?? []
  if (hashes !== "") {
    return `<h${hashes.length} id="${slugOf(heading)}">${inline(heading)}</h${hashes.length}>`
  }
  if (first.startsWith("```")) return `<pre tabindex="0"><code>${escaped(lines.slice(1, -1).join("\n"))}</code></pre>`
  if (first.startsWith("|")) return table(lines)
  return first.startsWith("- ") ? list(lines) : `<p>${joined(lines)}</p>`
}

/** Blocks are apart by an empty line; in code an empty line is one of it. */
const blocksOf = (text: string): ReadonlyArray<ReadonlyArray<string>> => {
  const blocks: Array<Array<string>> = [[]]
  let isCode = false
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) isCode = !isCode
    if (line.trim() === "" && !isCode) blocks.push([])
    else blocks.at(-1)?.push(line)
  }
  return blocks.filter((lines) => lines.length > 0)
}

const style = `
:root { color-scheme: light dark; } body { margin: 0 auto; padding: 20px 16px 64px; max-width: 52rem; font: 15px/1.5 system-ui, sans-serif; }
h2 { margin-top: 2em; scroll-margin-top: 12px; } :target { outline: 2px solid; outline-offset: 6px; border-radius: 2px; }
pre, .table { overflow-x: auto; } pre { padding: 10px 12px; border: 1px solid #8886; border-radius: 8px; }
code { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; } pre code { overflow-wrap: normal; }
table { border-collapse: collapse; width: 100%; } th, td { padding: 6px 12px 6px 0; border-bottom: 1px solid #8886; text-align: start; vertical-align: top; }
`

export const page = (text: string): string => {
  const title = /^# (.*)$/m.exec(text)?.[1] ?? ""
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>${escaped(title)}</title><style>${style}</style></head>
<body><main>
${blocksOf(text).map(block).join("\n")}
</main></body></html>
`
}
