/** What does a connection that idles weigh, and a caller that waits? */
import { Effect } from "effect"
import { server, subject } from "./support/processes.js"
import { figure, type Question } from "./support/question.js"

const goals = { idle: 60, waiter: 2 } as const

export const question: Question = {
  name: "heap",
  asks: "Heap of one idle connection and of one waiting caller",
  run: (progress) =>
    Effect.gen(function* () {
      yield* progress("two measurements")
      const { url } = yield* server()
      const ours = yield* subject("this pool", "waiting", "weight", [url], { nodeArgs: ["--expose-gc"] })
      const { bare = 0, idle = 0, waiter = 0 } = yield* ours.ask({})
      const kilobytes = { idle: idle / 1_000, waiter: (waiter - bare) / 1_000, bare: bare / 1_000 }
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
            measured: `${figure(kilobytes.waiter, 2)} kB (fiber: ${figure(kilobytes.bare, 2)} kB)`,
            passed: kilobytes.waiter <= goals.waiter
          }
        ],
        table: {
          head: ["", "kB"],
          rows: [
            ["idle connection", figure(kilobytes.idle)],
            ["waiter, beside its fiber", figure(kilobytes.waiter, 2)],
            ["a fiber that waits for nothing", figure(kilobytes.bare, 2)]
          ]
        },
        note: "Heap, external memory and buffers after a collection. A connection has been used once, so that its parser and its buffers are in the figure, and so is its share of the layer; a waiter is what a fiber in the pool's queue weighs more than one that waits for nothing."
      }
    })
}
