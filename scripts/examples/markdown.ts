/** What is checked of a page: its blocks of TypeScript, its headings, and where its links lead. */
import ts from "typescript"
import { type Example, example } from "./example.js"

export interface Link {
  readonly line: number
  readonly target: string
}

export interface Page {
  readonly source: string
  readonly examples: ReadonlyArray<Example>
  /** As GitHub makes them of the headings. */
  readonly anchors: ReadonlySet<string>
  readonly links: ReadonlyArray<Link>
  readonly mistakes: ReadonlyArray<string>
}

const fence = /^(\s*)```(.*)$/
const languages: ReadonlyMap<string, string> = new Map([
  ["ts", "ts"],
  ["typescript", "ts"],
  ["tsx", "tsx"]
])

/** ` ```ts fragment: why it cannot be compiled alone ` */
const fragment = /^fragment(?:: (\S.*))?$/

const slugOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-")

/** `<!-- measured: npm run bench -- --write-docs -->`: what that command wrote stands below it. */
const measured = /^<!-- measured: (.+) -->$/

/** Figures that nobody has measured yet are not published, and neither is the room for them. */
const unmeasured = (lines: ReadonlyArray<string>, at: number): ReadonlyArray<string> => {
  const command = measured.exec(lines[at] ?? "")?.[1]
  if (command === undefined) return []
  const next = lines.slice(at + 1).find((line) => line.trim() !== "")
  return next === undefined || next === "<!-- /measured -->"
    ? [`${at + 1} nothing was measured: run \`${command}\``]
    : []
}

/** Code between backticks holds no links. */
const linksOf = (line: string): ReadonlyArray<string> =>
  [...line.replace(/`[^`]*`/g, "").matchAll(/\]\(([^()\s]+)\)/g)].map((match) => match[1] ?? "")

export const read = (source: string): Page => {
  const lines = (ts.sys.readFile(source) ?? "").split("\n")
  const examples: Array<Example> = []
  const anchors = new Set<string>()
  const links: Array<Link> = []
  const mistakes: Array<string> = []
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ""
    const open = fence.exec(line)
    if (open !== null) {
      const [language = "", ...words] = (open[2] ?? "").trim().split(" ")
      const indent = open[1]?.length ?? 0
      const first = at + 1
      do at++
      while (at < lines.length && !fence.test(lines[at] ?? ""))
      const extension = languages.get(language)
      const marked = fragment.exec(words.join(" "))
      if (marked !== null && marked[1] === undefined) {
        mistakes.push(`${first}: say why it is a fragment: \`\`\`${language} fragment: why it cannot be compiled alone`)
      }
      if (extension !== undefined && marked === null) {
        const code = lines.slice(first, at).map((it) => it.slice(indent))
        examples.push(example(source, examples.length, first, code, extension))
      }
      continue
    }
    const heading = /^#{1,6} (.*)$/.exec(line)?.[1]
    if (heading !== undefined) {
      const slug = slugOf(heading)
      let free = slug
      for (let count = 1; anchors.has(free); count++) free = `${slug}-${count}`
      anchors.add(free)
    }
    mistakes.push(...unmeasured(lines, at))
    links.push(...linksOf(line).map((target) => ({ line: at + 1, target })))
  }
  return { source, examples, anchors, links, mistakes }
}
