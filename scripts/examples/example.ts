import { resolve } from "node:path"
import process from "node:process"

/** A piece of documentation's code. It stands on its own lines of `source`, so that a mistake is found where it is. */
export interface Example {
  /** A file that exists only in memory. Its lines have the numbers they have in `source`. */
  readonly path: string
  readonly source: string
  readonly text: string
}

export const root = process.cwd()

export const nameOf = (path: string): string => path.slice(root.length + 1)

/** `code` begins after `above` lines. Not in src or docs: an example sees the package as users do, by its name. */
export const example = (
  source: string,
  at: number,
  above: number,
  code: ReadonlyArray<string>,
  extension = "ts"
): Example => ({
  path: resolve(root, `example-${at}-of-${nameOf(source).replaceAll("/", "-")}.${extension}`),
  source,
  text: "\n".repeat(above) + code.join("\n")
})
