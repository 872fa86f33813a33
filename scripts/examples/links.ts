/** Links within the repository lead to a file that exists and to a heading that it has; others are not asked. */
import { existsSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { nameOf, root } from "./example.js"
import type { Page } from "./markdown.js"

const outside = /^[a-z][a-z+.-]*:/i

const problemOf = (page: Page, target: string, pages: ReadonlyMap<string, Page>): string | undefined => {
  if (outside.test(target)) return undefined
  const [path = "", anchor] = target.split("#", 2)
  const file = path === "" ? page.source : resolve(dirname(page.source), decodeURIComponent(path))
  if (!file.startsWith(root) || !existsSync(file)) return "there is no such file"
  if (anchor === undefined || anchor === "") return undefined
  const headings = pages.get(file)?.anchors
  if (headings === undefined) return "only pages of this check have headings to link to"
  return headings.has(anchor) ? undefined : `${nameOf(file)} has no such heading`
}

/** A page that the index does not name is one that nobody finds. */
const strays = (pages: ReadonlyMap<string, Page>, index: Page): ReadonlyArray<string> => {
  const linked = new Set(index.links.map(({ target }) => resolve(dirname(index.source), target.split("#", 1)[0] ?? "")))
  return [...pages.keys()]
    .filter((path) => path.startsWith(`${dirname(index.source)}/`) && path !== index.source && !linked.has(path))
    .map((path) => `${nameOf(path)}:1 ${nameOf(index.source)} has no link to this page: add a line for it there`)
}

export const mistakesIn = (pages: ReadonlyMap<string, Page>, index: Page | undefined): ReadonlyArray<string> => [
  ...[...pages.values()].flatMap((page) => [
    ...page.mistakes.map((mistake) => `${nameOf(page.source)}:${mistake}`),
    ...page.links.flatMap(({ line, target }) => {
      const problem = problemOf(page, target, pages)
      return problem === undefined ? [] : [`${nameOf(page.source)}:${line} (${target}): ${problem}`]
    })
  ]),
  ...(index === undefined ? ["docs/README.md is missing: it is the index of docs/"] : strays(pages, index))
]
