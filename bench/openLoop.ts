/** How close to an ideal queue is the pool at 80 % utilisation? */
import { Effect } from "effect"
import { figure, median } from "./support/figures.js"
import { type Figures, server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

const goal = 1.25
const rounds = 3

export const question: Question = {
  name: "openLoop",
  asks: "p99 of latency at 80 % utilisation, Poisson arrivals in an open loop, 20 connections, services of 20 ms in the mean",
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server()
      const ours = yield* subject("this pool", "openLoop", "ours", [url])
      const seen: Array<Figures> = []
      for (let round = 1; round <= rounds; round += 1) {
        yield* progress(`round ${round} of ${rounds}, 12 s`)
        seen.push(yield* ours.ask({ load: 0.8, seconds: 12, seed: round }))
      }
      const of = (name: string): number => median(seen.map((round) => round[name] ?? Number.NaN))
      const ratio = median(seen.map(({ ideal99 = 1, p99 = Number.NaN }) => p99 / ideal99))
      return {
        answers: [
          {
            id: "open-loop",
            what: "p99 at 80 % utilisation, open loop",
            goal: `≤ ${goal} × an ideal first-come-first-served queue`,
            measured: `${figure(ratio, 2)} × (${figure(of("p99"))} ms against ${figure(of("ideal99"))})`,
            passed: ratio <= goal,
            ratio
          }
        ],
        table: {
          head: ["round", "arrivals", "utilisation", "p50, ms", "ideal", "p99, ms", "ideal"],
          rows: seen.map(({ arrived = 0, ideal50 = 0, ideal99 = 0, p50 = 0, p99 = 0, utilisation = 0 }, at) => [
            String(at + 1),
            figure(arrived, 0),
            `${figure(utilisation * 100, 0)} %`,
            figure(p50),
            figure(ideal50),
            figure(p99),
            figure(ideal99)
          ])
        },
        note: "Latency counts from the intended arrival of each caller. The ideal has the same arrivals, the service times that the server measured, and no cost of its own."
      }
    })
}
