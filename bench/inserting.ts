/** How long do 100,000 inserts take, next to supabase-js in pieces of 1,000, one after the other? */
import { Effect } from "effect"
import { figure } from "./support/figures.js"
import { afresh } from "./support/interleave.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

/** What PostgREST and PostgreSQL take to insert a thousand rows, in ms. */
const delay = 15
const goal = 0.35

const ways = [
  ["createMany, pieces of 1,000", "piecesByPool"],
  ["supabase-js, pieces of 1,000 in a loop", "insertsByStock"],
  ["createMany, all or none", "insertsByPool"]
] as const

const [[ours], [stock]] = ways

export const question: Question = {
  name: "inserting",
  asks: `100,000 rows inserted and read back; a server in another process that takes ${delay} ms for each thousand`,
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server({ paged: 1, delay })
      const made = ways.map(([name, way]) => subject(name, "large", way, [url]))
      const seen = yield* afresh(made, 3, progress)
      const ratio = seen.ratio(ours, stock, "wall")
      return {
        answers: [
          {
            id: "inserting",
            what: "createMany of 100,000 rows in pieces of 1,000: wall clock",
            goal: `≤ ${goal} × supabase-js in pieces of 1,000`,
            measured: `${figure(ratio, 2)} × (${figure(seen.of(ours, "wall"), 0)} ms against ${figure(seen.of(stock, "wall"), 0)})`,
            passed: ratio <= goal && seen.of(ours, "rows") === 100_000,
            ratio
          }
        ],
        table: {
          head: ["100,000 rows by", "wall, ms", "× supabase-js", "CPU, ms"],
          rows: ways.map(([name]) => [
            name,
            figure(seen.of(name, "wall"), 0),
            figure(seen.ratio(name, stock, "wall"), 2),
            figure(seen.of(name, "cpu"), 0)
          ])
        },
        note: "The server works on as many requests at once as come, as PostgreSQL does on as many processors; what one inserts takes its time in proportion to its rows. Rows are encoded and decoded by a schema, which supabase-js does not do. All or none is one request, and so the work of one processor of the database."
      }
    })
}
