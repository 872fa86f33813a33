/** How many reads a second does a server allow that closes after each answer, next to as many loops of supabase-js? */
import { Effect } from "effect"
import { figure } from "./support/figures.js"
import { interleave } from "./support/interleave.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

const callers = 20
const ours = "Db.read"
const stock = "supabase-js"
const bare = "undici, a client for each"

export const question: Question = {
  name: "closing",
  asks: `Reads a second by ${callers} callers where the server closes after each answer and a connection takes 40 ms to open`,
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server({ closes: true })
      const subjects = [
        yield* subject(ours, "closing", "ours", [url]),
        yield* subject(stock, "closing", "stock", [url]),
        yield* subject(bare, "closing", "undici", [url])
      ]
      const seen = yield* interleave(subjects, { callers, operations: 600 }, 7, progress)
      const perSecond = (name: string): number => 1_000_000 / seen.of(name, "wall")
      const times = seen.ratio(stock, ours, "wall")
      return {
        answers: [
          {
            id: "closing",
            what: "a server that closes after each answer",
            goal: "≥ 0.9 × as many loops of supabase-js",
            measured: `${figure(times, 2)} × (${figure(perSecond(ours), 0)} a second against ${figure(perSecond(stock), 0)})`,
            passed: times >= 0.9,
            ratio: 1 / times
          }
        ],
        table: {
          head: ["reads by", "a second", "× supabase-js", "CPU of each, µs"],
          rows: [ours, stock, bare].map((name) => [
            name,
            figure(perSecond(name), 0),
            figure(seen.ratio(stock, name, "wall"), 2),
            figure(seen.of(name), 0)
          ])
        },
        note: "A pool of twenty connections for reads, so that each caller can have one. The ideal is a read each 40 ms and what the rest of it takes, by each caller."
      }
    })
}
