/** What does one answer of 50 MB cost its process, and who else is in it? */
import { Effect } from "effect"
import { figure } from "./support/figures.js"
import { afresh } from "./support/interleave.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

/** 50 MB of JSON. */
const rows = 340_000
const goals = { delay: 0.12, memory: 0.9, cpu: 0.9 } as const

const ways = [
  ["Db.read", "answerByPool"],
  ["supabase-js", "answerByStock"],
  ["undici and JSON.parse", "answerByUndici"]
] as const

const [[ours], [stock]] = ways

export const question: Question = {
  name: "large",
  asks: `One answer of ${rows.toLocaleString("en")} rows (50 MB), static server in another process`,
  run: (progress) =>
    Effect.gen(function* () {
      const { counts, url } = yield* server({ rows, compresses: false })
      const made = ways.map(([name, way]) => subject(name, "large", way, [url]))
      const seen = yield* afresh(made, 5, progress)
      const ratio = { delay: 0, memory: 0, cpu: 0 }
      for (const name of ["delay", "memory", "cpu"] as const) ratio[name] = seen.ratio(ours, stock, name)
      const { bytes } = yield* counts
      const answer = (name: "delay" | "memory" | "cpu", what: string, unit: string) => ({
        id: `large-${name}`,
        what: `an answer of 50 MB: ${what}`,
        goal: `≤ ${goals[name]} × supabase-js`,
        measured: `${figure(ratio[name], 2)} × (${figure(seen.of(ours, name), 0)} ${unit} against ${figure(seen.of(stock, name), 0)})`,
        passed: ratio[name] <= goals[name] && seen.of(ours, "rows") === rows,
        ratio: ratio[name]
      })
      return {
        answers: [
          answer("delay", "longest delay of the event loop", "ms"),
          answer("memory", "peak memory above the process at rest", "MB"),
          answer("cpu", "CPU", "ms")
        ],
        table: {
          head: ["one answer of 50 MB by", "longest delay, ms", "peak memory above rest, MB", "CPU, ms", "wall, ms"],
          rows: ways.map(([name]) => [
            name,
            ...["delay", "memory", "cpu", "wall"].map((each) => figure(seen.of(name, each), 0))
          ])
        },
        note: `A process for each measurement, which has made one small request before. ${figure(bytes / 1_000_000, 0)} MB were sent in all. undici and JSON.parse are the floor of CPU for who parses at once: the body in one buffer, no builder, no pool.`
      }
    })
}
