/** What does importing the package cost, beside what its user imports anyway? */
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { figure, median } from "./support/figures.js"
import { once, server } from "./support/processes.js"
import type { Question } from "./support/question.js"

const goals = { index: 1.3, promise: 2, firstRow: 1.6 }
const rounds = 9

const ours = (module: string): string => fileURLToPath(new URL(`../src/${module}.js`, import.meta.url))

/** As it is published; `scripts/benchEntry.ts` makes it. */
const entry = fileURLToPath(new URL("../entry/promise.js", import.meta.url))

const undici = fileURLToPath(new URL("../../vendor/undici/client.js", import.meta.url))

/** The least of whoever has sockets of their own: the builder and a socket. */
const floor = "postgrest-js and undici's Client alone"

const imports = [
  ["supabase-js", ["@supabase/supabase-js"]],
  ["effect-supabase-pool/promise", [entry]],
  [floor, ["@supabase/postgrest-js", undici]],
  ["effect, supabase-js", ["effect", "@supabase/supabase-js"]],
  ["effect-supabase-pool", [ours("index")]],
  ["effect-supabase-pool/Db", [ours("Db")]],
  [
    "effect, supabase-js, @effect/platform's HttpApiBuilder",
    ["effect", "@supabase/supabase-js", "@effect/platform/HttpApiBuilder"]
  ]
] as const

/** Of each round, what the one costs as a multiple of what the other does. */
const ratioOf = (costs: ReadonlyArray<ReadonlyArray<number>>, one: number, other: number): number =>
  median(costs.map((round) => (round[one] ?? Number.NaN) / (round[other] ?? Number.NaN)))

const indexOf = (name: (typeof imports)[number][0]): number => imports.findIndex(([imported]) => imported === name)

export const question: Question = {
  name: "importing",
  asks: "CPU of an import in a new process, against the imports that its user has anyway; and of a first row",
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server()
      const seen: Array<ReadonlyArray<number>> = []
      const first: { readonly cpu: Array<ReadonlyArray<number>>; readonly wall: Array<ReadonlyArray<number>> } = {
        cpu: [],
        wall: []
      }
      for (let round = 1; round <= rounds; round += 1) {
        yield* progress(`round ${round} of ${rounds}`)
        seen.push(
          yield* Effect.forEach(imports, ([, names]) =>
            Effect.map(once("./importing.js", names), ({ cpu = Number.NaN }) => cpu)
          )
        )
        const rows = yield* Effect.forEach(["stock", entry, "builder", "whole"], (which) =>
          once("./firstRow.js", [which, url])
        )
        first.cpu.push(rows.map(({ cpu = Number.NaN }) => cpu))
        first.wall.push(rows.map(({ wall = Number.NaN }) => wall))
      }
      const of = (at: number): string => figure(median(seen.map((round) => round[at] ?? Number.NaN)), 0)
      const [peers, index, stock, promise, least] = [
        indexOf("effect, supabase-js"),
        indexOf("effect-supabase-pool"),
        indexOf("supabase-js"),
        indexOf("effect-supabase-pool/promise"),
        indexOf(floor)
      ]
      const ratio = ratioOf(seen, index, peers)
      const ofPromise = ratioOf(seen, promise, stock)
      const firstRow = { cpu: ratioOf(first.cpu, 1, 0), wall: ratioOf(first.wall, 1, 0) }
      const floors = [
        [floor, 2],
        ["supabase-js over undici's Client", 3]
      ] as const
      const belowRow = floors
        .map(
          ([who, at]) => `${who}: ${figure(ratioOf(first.cpu, at, 0), 2)} ×, ${figure(ratioOf(first.wall, at, 0), 2)} ×`
        )
        .join("; ")
      const slower = Math.max(firstRow.cpu, firstRow.wall)
      return {
        answers: [
          {
            id: "import",
            what: '`import "effect-supabase-pool"`',
            goal: `≤ ${goals.index} × effect and supabase-js`,
            measured: `${figure(ratio, 2)} × (${of(index)} ms of CPU against ${of(peers)})`,
            passed: ratio <= goals.index,
            ratio
          },
          {
            id: "importPromise",
            what: '`import "effect-supabase-pool/promise"`',
            goal: `≤ ${goals.promise} × supabase-js`,
            measured: `${figure(ofPromise, 2)} × (${of(promise)} ms of CPU against ${of(stock)}); ${floor}: ${figure(ratioOf(seen, least, stock), 2)} ×`,
            passed: ofPromise <= goals.promise,
            ratio: ofPromise
          },
          {
            id: "firstRow",
            what: "the first row of a cold process, by the Promise entry",
            goal: `≤ ${goals.firstRow} × supabase-js alone, CPU and wall clock`,
            measured: `CPU ${figure(firstRow.cpu, 2)} ×, wall clock ${figure(firstRow.wall, 2)} ×; ${belowRow}`,
            passed: slower <= goals.firstRow,
            ratio: slower
          }
        ],
        table: {
          head: ["imported", "CPU, ms", "× supabase-js"],
          rows: imports.map(([name], at) => [name, of(at), figure(ratioOf(seen, at, stock), 2)])
        },
        note: "The index imports every module but those of React, Node's HTTP server and the embedded database, and so what @effect/platform needs to define routes. Most of it is opening files: a module more is half a millisecond here. The Promise entry is one file, and imports supabase-js itself: half of what is above that is V8 reading it. A first row counts Node's own start on both sides."
      }
    })
}
