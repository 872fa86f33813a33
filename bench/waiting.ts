/** Does an operation cost more when many wait? */
import { Effect } from "effect"
import { server, subject } from "./support/processes.js"
import { figure, median, type Question } from "./support/question.js"

const queues = [10, 1_000, 100_000] as const
const goal = 1.3

export const question: Question = {
  name: "waiting",
  asks: "CPU of one operation without I/O, with 10, 1,000 and 100,000 waiting for ten connections",
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server()
      // A process for each, since the heap that one leaves behind is the next one's to collect.
      const subjects = yield* Effect.forEach(queues, (waiting) =>
        subject(String(waiting), "waiting", "queue", [url, String(waiting)])
      )
      const seen = new Map<number, Array<number>>(queues.map((waiting) => [waiting, []]))
      for (let round = 0; round <= 3; round += 1) {
        yield* progress(round === 0 ? "warming up" : `round ${round} of 3`)
        for (const [at, waiting] of queues.entries()) {
          const { cpu = 0 } = yield* subjects[at]?.ask({ operations: 200_000 }) ?? Effect.succeed({ cpu: 0 })
          if (round > 0) seen.get(waiting)?.push(cpu)
        }
      }
      const costs = queues.map((waiting) => median(seen.get(waiting) ?? []))
      const ratio = Math.max(...costs) / (costs[0] ?? Number.NaN)
      return {
        answers: [
          {
            id: "waiting",
            what: "cost per operation with 10, 1,000, 100,000 waiting",
            goal: `within ${goal} ×`,
            measured: `${figure(ratio, 2)} × (${costs.map((cost) => figure(cost)).join(", ")} µs)`,
            passed: ratio <= goal,
            ratio
          }
        ],
        table: {
          head: ["waiting", "CPU of one operation, µs"],
          rows: queues.map((waiting, at) => [waiting.toLocaleString("en"), figure(costs[at] ?? 0, 2)])
        },
        note: "All who wait are there before anything is measured. Each operation waits its turn, yields once and gives back; the steps of its fiber are in the figure."
      }
    })
}
