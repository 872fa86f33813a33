/** Does an operation cost more when many wait? */
import { Effect } from "effect"
import { figure, median } from "./support/figures.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

const queues = [10, 1_000, 100_000] as const
const goal = 1.3

const none = (): Array<number> => []

const kinds = ["ours", "bare"] as const

export const question: Question = {
  name: "waiting",
  asks: "CPU of one operation without I/O, with 10, 1,000 and 100,000 waiting for ten connections",
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server()
      const cases = kinds.flatMap((kind) => queues.map((waiting) => ({ kind, waiting })))
      // A process for each, since the heap that one leaves behind is the next one's to collect.
      const running = yield* Effect.forEach(cases, ({ kind, waiting }) =>
        Effect.map(subject(kind, "waiting", kind, [url, String(waiting)]), (asked) => ({
          asked,
          kind,
          waiting,
          seen: none()
        }))
      )
      for (let round = 0; round <= 3; round += 1) {
        yield* progress(round === 0 ? "warming up" : `round ${round} of 3`)
        for (const { asked, seen } of running) {
          const { cpu = Number.NaN } = yield* asked.ask({ operations: 200_000 })
          if (round > 0) seen.push(cpu)
        }
      }
      const costs = (of: (typeof kinds)[number]): ReadonlyArray<number> =>
        running.filter(({ kind }) => kind === of).map(({ seen }) => median(seen))
      const growth = (figures: ReadonlyArray<number>): number => Math.max(...figures) / (figures[0] ?? Number.NaN)
      const ours = costs("ours")
      const bare = costs("bare")
      return {
        answers: [
          {
            id: "waiting",
            what: "cost per operation with 10, 1,000, 100,000 waiting",
            goal: `within ${goal} ×`,
            measured: `${figure(growth(ours))} × (${ours.map((cost) => figure(cost)).join(", ")} µs); fibers without a pool: ${figure(growth(bare))} ×`,
            passed: growth(ours) <= goal,
            ratio: growth(ours) / growth(bare)
          }
        ],
        table: {
          head: ["waiting", "this pool, µs of CPU", "fibers in a linked list and no pool, µs"],
          rows: queues.map((waiting, at) => [
            waiting.toLocaleString("en"),
            figure(ours[at] ?? Number.NaN, 2),
            figure(bare[at] ?? Number.NaN, 2)
          ])
        },
        note: "All waiters are there before the measurement begins. Each operation waits its turn, yields once and returns its connection. The growth is the cost of many fibers (they leave the processor's cache and the collector's young generation), with a pool or without; `--check` compares the growth with theirs."
      }
    })
}
