import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { runProgram } from "./support/program.js"

/** What each prints when it did its work. */
const examples: ReadonlyArray<readonly [path: string, output: RegExp]> = [
  ["examples/rls/main.ts", /^Liam buys: 201\nLiam asks 20 times: 0 answers .* own orders\nWith a forged token: 401$/m],
  ["examples/worker/main.ts", /^500 prices reduced by 10 %$/m],
  [
    "examples/opentelemetry/main.ts",
    /^received:\n {2}db\.client\.connection\.count\n[\s\S]*^ {2}span GET \/cheapest$/m
  ],
  ["examples/nextjs/main.ts", /^200 20\n400 .*\?q=laptop/m]
]

describe("examples", () => {
  for (const [path, expected] of examples) {
    it.live(
      `${path} runs to its end`,
      () =>
        Effect.gen(function* () {
          const { failed, output } = yield* runProgram(path)
          assert.isFalse(failed, output)
          assert.match(output, expected)
        }),
      90_000
    )
  }
})
