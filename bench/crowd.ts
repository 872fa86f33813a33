/** What happens when 20,000 callers come at once? */
import { Effect, type Scope } from "effect"
import { figure, median } from "./support/figures.js"
import { type BenchFailed, type Counts, server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

const callers = 20_000
const connections = 20
const delay = 10
const goals = { wall: 1.1, megabytes: 200 } as const

interface Round {
  readonly times: number
  readonly megabytes: number
  readonly before: number
  readonly sockets: number
  readonly failed: number
  readonly wall: number
  readonly ideal: number
}

/** What the same server needs when it is never idle; a timer of 10 ms takes longer than 10 ms. */
const idealOf = ({ millis, requests }: Counts): number => (callers / connections) * (millis / requests)

const pooled: Effect.Effect<Round, BenchFailed, Scope.Scope> = Effect.gen(function* () {
  const { counts, url } = yield* server({ delay })
  const ours = yield* subject("this pool", "crowd", "ours", [url])
  const { before = 0, failed = 0, megabytes = 0, wall = 0 } = yield* ours.ask({ callers })
  const counted = yield* counts
  const ideal = idealOf(counted)
  const sockets = counted.peak
  return { times: wall / ideal, megabytes, before, sockets, failed: failed + callers - counted.requests, wall, ideal }
})

const withoutPool: Effect.Effect<number, BenchFailed, Scope.Scope> = Effect.gen(function* () {
  const { counts, url } = yield* server({ delay })
  const bare = yield* subject("undici", "crowd", "undici", [url, String(connections)])
  const { wall = 0 } = yield* bare.ask({ callers })
  return wall / idealOf(yield* counts)
})

export const question: Question = {
  name: "crowd",
  asks: `${callers.toLocaleString("en")} callers at once, ${connections} connections (10 read, 10 write), a server that takes ${delay} ms`,
  run: (progress) =>
    Effect.gen(function* () {
      const rounds: Array<Round> = []
      const bare: Array<number> = []
      for (let round = 1; round <= 3; round += 1) {
        yield* progress(`round ${round} of 3, about 23 s`)
        rounds.push(yield* Effect.scoped(pooled))
        bare.push(yield* Effect.scoped(withoutPool))
      }
      const times = median(rounds.map((round) => round.times))
      const megabytes = median(rounds.map((round) => round.megabytes))
      const before = median(rounds.map((round) => round.before))
      const sockets = Math.max(...rounds.map((round) => round.sockets))
      const failed = rounds.reduce((sum, round) => sum + round.failed, 0)
      return {
        answers: [
          {
            id: "crowd",
            what: "20,000 callers at once, 20 connections, 10 ms server",
            goal: `≤ ${goals.wall.toFixed(2)} × ideal wall, ≤ ${goals.megabytes} MB, ${connections} sockets`,
            measured: `${figure(times, 2)} × ideal, ${figure(megabytes, 0)} MB (${figure(before, 0)} before the first caller), ${sockets} sockets, ${failed} failed; undici in ${connections} loops: ${figure(median(bare), 2)} ×`,
            passed: times <= goals.wall && megabytes <= goals.megabytes && sockets <= connections && failed === 0,
            ratio: times
          }
        ],
        table: {
          head: ["round", "wall, ms", "ideal, ms", "peak memory, MB", "sockets", "failed", "undici in loops, × ideal"],
          rows: rounds.map(({ failed, ideal, megabytes, sockets, wall }, at) => [
            String(at + 1),
            figure(wall, 0),
            figure(ideal, 0),
            figure(megabytes, 0),
            String(sockets),
            String(failed),
            figure(bare[at] ?? Number.NaN, 2)
          ])
        },
        note: "The ideal is callers ÷ connections × the measured time of the server for each. Sockets are counted by the server; memory is the peak of the whole client process. undici in loops sends the same requests on as many sockets, without a pool or a queue, and reads no answers: the unavoidable cost of the two processes and the system between them."
      }
    })
}
