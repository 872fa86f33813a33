import { readdir, readFile } from "node:fs/promises"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { variables } from "../../src/Config.js"
import { root, runCode } from "../support/program.js"

const readme = Effect.promise(() => readFile(`${root}README.md`, "utf8"))

/** The first block of TypeScript, less its imports and blank lines: what a reader counts. */
const firstExample = Effect.map(readme, (text) => /```ts\n([\s\S]*?)```/.exec(text)?.[1] ?? "")

describe("README", () => {
  it.live(
    "has an example of twelve lines that runs as it stands",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const code = yield* firstExample
          assert.strictEqual(
            code
              .trim()
              .split("\n")
              .filter((line) => line.trim() !== "").length,
            12
          )
          const { failed, output } = yield* runCode(code)
          assert.isFalse(failed, output)
          assert.match(output, /\d+ laptops of 500 products; the first shop is \w+/)
        })
      ),
    90_000
  )

  it.effect("promises what has a test of that name in test/laws", () =>
    Effect.gen(function* () {
      const promised = (yield* readme).split(/^## /m).find((part) => part.startsWith("What the pool promises\n")) ?? ""
      const lines = [...promised.matchAll(/^- (.+)\.$/gm)].map(([, line]) => (line ?? "").replaceAll("`", ""))
      assert.strictEqual(lines.length, 8)
      const laws = yield* Effect.promise(async () => {
        const names = (await readdir(`${root}test/laws`)).filter((name) => name.endsWith(".test.ts"))
        return (await Promise.all(names.map((name) => readFile(`${root}test/laws/${name}`, "utf8")))).join("\n")
      })
      for (const line of lines) assert.include(laws, `("${line.charAt(0).toLowerCase()}${line.slice(1)}"`)
    })
  )

  it.effect("says of the variables that it has what is so, and where the others are", () =>
    Effect.gen(function* () {
      const text = (yield* readme).replace(/ +\|/g, " |")
      const names = [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
      assert.isAbove(names.length, 5)
      for (const name of names) {
        const variable = variables.find((one) => one.name === name)
        const value = Option.getOrElse(variable?.default ?? Option.none(), () => "–")
        assert.include(text, `| \`${name}\` | ${value} | ${variable?.meaning} |`)
      }
      assert.include(text, "docs/configuration.md#all-variables")
    })
  )
})
