/** What does a connection that idles weigh, and a caller that waits? */
import { Effect } from "effect"
import { figure } from "./support/figures.js"
import { type Figures, server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

const goals = { idle: 60, waiter: 2 } as const

export const question: Question = {
  name: "heap",
  asks: "Heap of one idle connection and of one waiting caller",
  run: (progress) =>
    Effect.gen(function* () {
      yield* progress("two measurements")
      const { url } = yield* server()
      const measure = (asked: Figures) =>
        Effect.scoped(Effect.flatMap(subject("this pool", "heap", "ours", [url]), (ours) => ours.ask(asked)))
      const { fiber: whole = 0, idle = 0 } = yield* measure({ bare: 0 })
      const { fiber: bare = 0 } = yield* measure({ bare: 1 })
      const kilobytes = { idle: idle / 1_000, waiter: (whole - bare) / 1_000, whole: whole / 1_000, bare: bare / 1_000 }
      return {
        answers: [
          {
            id: "heap-idle",
            what: "heap per idle connection",
            goal: `≤ ${goals.idle} kB`,
            measured: `${figure(kilobytes.idle)} kB`,
            passed: kilobytes.idle <= goals.idle
          },
          {
            id: "heap-waiter",
            what: "heap per waiter, beside its fiber",
            goal: `≤ ${goals.waiter} kB`,
            measured: `${figure(kilobytes.waiter)} kB (a fiber that waits for nothing: ${figure(kilobytes.bare)} kB)`,
            passed: kilobytes.waiter <= goals.waiter
          }
        ],
        table: {
          head: ["", "kB"],
          rows: [
            ["idle connection", figure(kilobytes.idle)],
            ["a caller of Db.read that waits, its fiber included", figure(kilobytes.whole, 2)],
            ["a fiber that waits for nothing", figure(kilobytes.bare, 2)]
          ]
        },
        note: "Heap, external memory and buffers after a collection. A connection has been used once, so the figure includes its parser, its buffers and its share of the layer; the goal is for the queue's addition to a fiber that waits anyway."
      }
    })
}
