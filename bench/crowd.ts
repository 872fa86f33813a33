/** What happens when 20,000 callers come at once? */
import { Effect } from "effect"
import { server, subject } from "./support/processes.js"
import { figure, median, type Question } from "./support/question.js"

const callers = 20_000
const connections = 20
const delay = 10
const goals = { wall: 1.1, megabytes: 200 } as const

export const question: Question = {
  name: "crowd",
  asks: `${callers.toLocaleString("en")} callers at once, ${connections} connections (10 read, 10 write), a server that takes ${delay} ms`,
  run: (progress) =>
    Effect.gen(function* () {
      const rounds: Array<{
        readonly times: number
        readonly megabytes: number
        readonly before: number
        readonly sockets: number
        readonly failed: number
        readonly wall: number
        readonly ideal: number
      }> = []
      for (let round = 1; round <= 3; round += 1) {
        yield* progress(`round ${round} of 3, about 11 s`)
        rounds.push(
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { counts, url } = yield* server({ delay })
              const ours = yield* subject("this pool", "waiting", "crowd", [url])
              const { before = 0, failed = 0, megabytes = 0, wall = 0 } = yield* ours.ask({ callers })
              const { millis, peak, requests } = yield* counts
              // What the same server needs when it is never idle; a timer of 10 ms takes longer than 10 ms.
              const ideal = (callers / connections) * (millis / requests)
              return {
                times: wall / ideal,
                megabytes,
                before,
                sockets: peak,
                failed: failed + callers - requests,
                wall,
                ideal
              }
            })
          )
        )
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
            measured: `${figure(times, 2)} × ideal, ${figure(megabytes, 0)} MB (${figure(before, 0)} before the first caller), ${sockets} sockets, ${failed} failed`,
            passed: times <= goals.wall && megabytes <= goals.megabytes && sockets <= connections && failed === 0,
            ratio: times
          }
        ],
        table: {
          head: ["round", "wall, ms", "ideal, ms", "peak memory, MB", "sockets", "failed"],
          rows: rounds.map(({ failed, ideal, megabytes, sockets, wall }, at) => [
            String(at + 1),
            figure(wall, 0),
            figure(ideal, 0),
            figure(megabytes, 0),
            String(sockets),
            String(failed)
          ])
        },
        note: "The ideal is callers ÷ connections × the time that the server really took for each. Sockets are counted by the server; memory is the peak of the whole client process."
      }
    })
}
