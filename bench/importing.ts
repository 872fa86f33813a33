/** What does importing the package cost, beside what its user imports anyway? */
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { figure, median } from "./support/figures.js"
import { once } from "./support/processes.js"
import type { Question } from "./support/question.js"

const goal = 1.3
const rounds = 9

const ours = (module: string): string => fileURLToPath(new URL(`../src/${module}.js`, import.meta.url))

const imports = [
  ["effect, supabase-js", ["effect", "@supabase/supabase-js"]],
  ["effect-supabase-pool", [ours("index")]],
  ["effect-supabase-pool/Db", [ours("Db")]],
  [
    "effect, supabase-js, @effect/platform's HttpApiBuilder",
    ["effect", "@supabase/supabase-js", "@effect/platform/HttpApiBuilder"]
  ]
] as const

export const question: Question = {
  name: "importing",
  asks: 'CPU of `import "effect-supabase-pool"` in a new process, against that of its peers alone',
  run: (progress) =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<number>> = []
      for (let round = 1; round <= rounds; round += 1) {
        yield* progress(`round ${round} of ${rounds}`)
        seen.push(
          yield* Effect.forEach(imports, ([, names]) =>
            Effect.map(once("./importing.js", names), ({ cpu = Number.NaN }) => cpu)
          )
        )
      }
      const of = (at: number): number => median(seen.map((round) => round[at] ?? Number.NaN))
      const ratio = median(seen.map(([peers = Number.NaN, ours = Number.NaN]) => ours / peers))
      return {
        answers: [
          {
            id: "import",
            what: '`import "effect-supabase-pool"`',
            goal: `≤ ${goal} × effect and supabase-js`,
            measured: `${figure(ratio, 2)} × (${figure(of(1), 0)} ms of CPU against ${figure(of(0), 0)})`,
            passed: ratio <= goal,
            ratio
          }
        ],
        table: {
          head: ["imported", "CPU, ms", "× the first"],
          rows: imports.map(([name], at) => [name, figure(of(at), 0), figure(of(at) / of(0), 2)])
        },
        note: "The index imports every module but those of React, Node's HTTP server and the embedded database, and so what @effect/platform needs to define routes. Most of it is opening files: a module more is half a millisecond here."
      }
    })
}
