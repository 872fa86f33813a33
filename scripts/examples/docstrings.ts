/** The `@example`s of a source file's docstrings. */
import ts from "typescript"
import { type Example, example } from "./example.js"

const docstring = /\/\*\*[\s\S]*?\*\//g
const leader = /^\s*\* ?/
const fence = /^```/

/** The lines from an `@example` to the next tag. */
export const examplesOf = (source: string): ReadonlyArray<Example> => {
  const text = ts.sys.readFile(source) ?? ""
  const examples: Array<Example> = []
  for (const comment of text.matchAll(docstring)) {
    const above = text.slice(0, comment.index).split("\n").length - 1
    const lines = comment[0]
      .replace(/\*\/$/, "")
      .split("\n")
      .map((line) => line.replace(leader, ""))
    for (const [at, line] of lines.entries()) {
      if (!line.startsWith("@example")) continue
      const end = lines.findIndex((other, index) => index > at && other.startsWith("@"))
      const code = lines.slice(at + 1, end === -1 ? lines.length : end).map((it) => (fence.test(it) ? "" : it))
      examples.push(example(source, examples.length, above + at + 1, code, source.endsWith("x") ? "tsx" : "ts"))
    }
  }
  return examples
}
