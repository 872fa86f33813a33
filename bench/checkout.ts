/** What does taking a connection and giving it back cost, when nobody has to wait and nothing is sent? */
import { Effect } from "effect"
import { figure } from "./support/figures.js"
import { interleave } from "./support/interleave.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

const subjects = [
  ["this pool", "ours"],
  ["tarn", "tarn"],
  ["generic-pool", "genericPool"],
  ["pg-pool", "pgPool"],
  ["Effect's Pool", "effectPool"]
] as const

const goal = { micros: 5, tarn: 3 } as const

export const question: Question = {
  name: "checkout",
  asks: "CPU of checkout and return without I/O, one caller, 20 things in the pool",
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server()
      const all = yield* Effect.forEach(subjects, ([name, made]) => subject(name, "checkouts", made, [url]))
      const seen = yield* interleave(all, { operations: 50_000 }, 9, progress)
      const micros = seen.of("this pool")
      const ratio = seen.ratio("this pool", "tarn")
      return {
        answers: [
          {
            id: "checkout",
            what: "checkout and return, no I/O",
            goal: `≤ ${goal.micros} µs and ≤ ${goal.tarn} × tarn`,
            measured: `${figure(micros)} µs, ${figure(ratio)} × tarn`,
            passed: micros <= goal.micros && ratio <= goal.tarn,
            ratio
          }
        ],
        table: {
          head: ["checkout and return by", "CPU, µs"],
          rows: subjects.map(([name]) => [name, figure(seen.of(name), 2)])
        },
        note: "Ours counts, watches for leaks, keeps two histograms and knows who holds each connection; the peers here keep a list and do nothing else."
      }
    })
}
