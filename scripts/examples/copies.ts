/** Blocks of a page that say "a copy of examples/…" are one: their first line names the file, the rest is the file. */
import { existsSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { nameOf, root } from "./example.js"

const block = /^```(?:tsx?|sql) fragment: a copy of (examples\/\S+)\n(?:\/\/|--) (\S+)\n([\s\S]*?)^```$/gm

export const staleCopies = (page: string): ReadonlyArray<string> => {
  const text = readFileSync(page, "utf8")
  return [...text.matchAll(block)].flatMap(({ 1: folder = "", 2: file = "", 3: copy, index }) => {
    const path = resolve(root, folder, file)
    const line = text.slice(0, index).split("\n").length
    if (!existsSync(path)) return [`${nameOf(page)}:${line} ${folder}/${file} is not there`]
    return readFileSync(path, "utf8") === copy ? [] : [`${nameOf(page)}:${line} is not what ${folder}/${file} is`]
  })
}
