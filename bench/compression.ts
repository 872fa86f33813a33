/** What does a large answer cost its process and the wire, next to supabase-js as it comes, where the server compresses? */
import { Effect } from "effect"
import { figure } from "./support/figures.js"
import { interleave } from "./support/interleave.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

/** 1.7 MB of JSON. */
const rows = 12_000
const ours = "Db.read"
const stock = "supabase-js"

export const question: Question = {
  name: "compression",
  asks: `CPU and bytes on the wire of one answer of ${rows.toLocaleString("en")} rows (1.7 MB), 4 callers at a time, static server with gzip in another process`,
  run: (progress) =>
    Effect.gen(function* () {
      const [mine, theirs] = yield* Effect.all([server({ rows }), server({ rows })])
      const subjects = [
        yield* subject(ours, "database", "dbRead", [mine.url]),
        yield* subject(stock, "peers", "stock", [theirs.url])
      ]
      const seen = yield* interleave(subjects, { callers: 4, operations: 40 }, 7, progress)
      const ratio = seen.ratio(ours, stock)
      const each = ({ bytes, requests }: { readonly bytes: number; readonly requests: number }): number =>
        bytes / requests
      const [wire, stockWire] = [each(yield* mine.counts), each(yield* theirs.counts)]
      return {
        answers: [
          {
            id: "compression",
            what: "an answer of 1.7 MB, compressed",
            goal: "CPU ≤ 0.7 × supabase-js, bytes ≤ 1.05 ×",
            measured: `CPU ${figure(ratio, 2)} × (${figure(seen.of(ours) / 1_000)} ms against ${figure(seen.of(stock) / 1_000)}), bytes ${figure(wire / stockWire, 2)} ×`,
            passed: ratio <= 0.7 && wire <= 1.05 * stockWire,
            ratio
          }
        ],
        table: {
          head: ["one answer of 1.7 MB by", "CPU, ms", "kB on the wire"],
          rows: [
            [ours, figure(seen.of(ours) / 1_000), figure(wire / 1_000)],
            [stock, figure(seen.of(stock) / 1_000), figure(stockWire / 1_000)]
          ]
        },
        note: "CPU of the whole process, zlib's threads and the parsing of JSON included, which both pay alike. Bytes are those of the bodies, counted by the server."
      }
    })
}
