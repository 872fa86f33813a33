/** How many reads a second does a server allow that closes after each answer, next to as many loops of supabase-js? */
import { Effect } from "effect"
import { figure, median } from "./support/figures.js"
import { interleave } from "./support/interleave.js"
import { type BenchFailed, server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

const callers = 20
const ours = "Db.read"
const stock = "supabase-js"
const bare = "undici, a client for each"

/** The first reads of a process, in ms; each round is one of its own, in turns. */
const cold = { reads: 200, rounds: 5 }

const firstReads = (name: string, made: string, url: string): Effect.Effect<number, BenchFailed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const one = yield* subject(name, "closing", made, [url])
      return (yield* one.ask({ callers, operations: cold.reads }))["wall"] ?? Number.NaN
    })
  )

const coldStart = (url: string, progress: (line: string) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const rounds: Array<{ readonly ours: number; readonly stock: number }> = []
    for (let round = 1; round <= cold.rounds; round += 1) {
      yield* progress(`cold, round ${round} of ${cold.rounds}`)
      rounds.push({
        ours: yield* firstReads(ours, "oursCold", url),
        stock: yield* firstReads(stock, "stockCold", url)
      })
    }
    return {
      ours: median(rounds.map((round) => round.ours)),
      stock: median(rounds.map((round) => round.stock)),
      times: median(rounds.map((round) => round.stock / round.ours))
    }
  })

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
      const start = yield* coldStart(url, progress)
      return {
        answers: [
          {
            id: "closing",
            what: "a server that closes after each answer",
            goal: "≥ 0.9 × as many loops of supabase-js",
            measured: `${figure(times, 2)} × (${figure(perSecond(ours), 0)} a second against ${figure(perSecond(stock), 0)})`,
            passed: times >= 0.9,
            ratio: 1 / times
          },
          {
            id: "closingCold",
            what: `such a server 200 ms away, the first ${cold.reads} reads of a process`,
            goal: "≥ 0.9 × as many loops of supabase-js",
            measured: `${figure(start.times, 2)} × (${figure(start.ours, 0)} ms against ${figure(start.stock, 0)})`,
            passed: start.times >= 0.9,
            ratio: 1 / start.times
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
        note: "A pool of twenty connections for reads, so that each caller can have one. Ideally each caller reads every 40 ms plus the time of the read itself. For the first reads of a process, with 200 ms per connection, twenty loops need ten rounds of connecting; the pool connects two at a time until one has succeeded, so it needs eleven (0.91 × at best), and the pool itself is built within that time."
      }
    })
}
