/** How fast is a stream of a million rows, next to a loop of ranges with supabase-js as it comes? */
import { Effect } from "effect"
import { figure } from "./support/figures.js"
import { afresh } from "./support/interleave.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

const rows = 1_000_000
/** What PostgREST and PostgreSQL take for a thousand rows, in ms. */
const delay = 3
const goals = { speed: 1.8, memory: 60 } as const

const ways = [
  ["Db.stream", "streamByPool"],
  ["supabase-js, ranges in a loop", "streamByStock"],
  ["undici and JSON.parse, ranges in a loop", "streamByUndici"],
  ["stream of a Db.table, by key, decoded", "tableStreamByPool"]
] as const

const [[ours], [stock]] = ways

export const question: Question = {
  name: "paging",
  asks: `A million rows, a thousand at a time, each written as a line of JSON; a server in another process that takes ${delay} ms for each thousand`,
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server({ paged: rows, delay })
      const made = ways.map(([name, way]) => subject(name, "large", way, [url]))
      const seen = yield* afresh(made, 3, progress)
      const speed = 1 / seen.ratio(ours, stock, "wall")
      const memory = seen.of(ours, "memory")
      const whole = seen.of(ours, "rows") === rows
      const perSecond = (name: string): string => figure(rows / (seen.of(name, "wall") / 1_000), 0)
      return {
        answers: [
          {
            id: "paging",
            what: "Db.stream of a million rows: rows a second",
            goal: `≥ ${goals.speed} × supabase-js, ranges in a loop`,
            measured: `${figure(speed, 2)} × (${perSecond(ours)} against ${perSecond(stock)})`,
            passed: speed >= goals.speed && whole,
            ratio: 1 / speed
          },
          {
            id: "paging-memory",
            what: "Db.stream of a million rows: memory above rest",
            goal: `≤ ${goals.memory} MB`,
            measured: `${figure(memory, 0)} MB (supabase-js: ${figure(seen.of(stock, "memory"), 0)} MB)`,
            passed: memory <= goals.memory && whole
          }
        ],
        table: {
          head: [
            "a million rows by",
            "rows a second",
            "× supabase-js",
            "CPU, ms",
            "memory above rest, MB",
            "longest delay, ms"
          ],
          rows: ways.map(([name]) => [
            name,
            perSecond(name),
            figure(1 / seen.ratio(name, stock, "wall"), 2),
            figure(seen.of(name, "cpu"), 0),
            figure(seen.of(name, "memory"), 0),
            figure(seen.of(name, "delay"), 0)
          ])
        },
        note: "A process for each measurement. Memory is the peak of a process's life above what it had before its first page."
      }
    })
}
