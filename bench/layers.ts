/** Where does each microsecond of a read go? */
import { Effect } from "effect"
import { figure } from "./support/figures.js"
import { interleave } from "./support/interleave.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

interface Layer {
  readonly name: string
  readonly file: string
  readonly made: string
  readonly means: string
  /** What it is made of, where that is not the one before. */
  readonly on?: string
}

const layers: ReadonlyArray<Layer> = [
  {
    name: "undici writes and parses",
    file: "layers",
    made: "http",
    means: "the system's write and read, HTTP parsed, nobody looks at the answer"
  },
  { name: "the socket's fetch", file: "layers", made: "fetching", means: "deadline, response object, body as text" },
  {
    name: "supabase-js's builder",
    file: "layers",
    made: "builder",
    means: "URL, headers, five promises, the rows parsed"
  },
  {
    name: "Db.read without metrics",
    file: "database",
    made: "dbReadBare",
    means: "fiber's steps, checkout and return, leak watch, error typing"
  },
  { name: "Db.read", file: "database", made: "dbRead", means: "counters, histograms, query analytics" },
  {
    name: "executeWithPool",
    file: "database",
    made: "promiseRead",
    // It has no fiber, so it is no layer above `Db.read`.
    on: "supabase-js's builder",
    means: "against the builder: a promise for each call, checkout and return, leak watch, metrics; no fiber"
  }
]

export const question: Question = {
  name: "layers",
  asks: "Where the CPU of one read goes: each layer with those below it, on sockets of its own",
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server()
      const subjects = yield* Effect.forEach(layers, ({ file, made, name }) => subject(name, file, made, [url]))
      const seen = yield* interleave(subjects, { callers: 20, operations: 6_000 }, 9, progress)
      const whole = seen.of("Db.read")
      return {
        answers: [],
        table: {
          head: ["layer", "µs up to here", "µs of its own", "of Db.read", "what it does"],
          rows: layers.map(({ means, name, on }, at) => {
            const below = on ?? layers[at - 1]?.name
            const own = seen.of(name) - (below === undefined ? 0 : seen.of(below))
            return [name, figure(seen.of(name)), figure(own), `${figure((own / whole) * 100, 0)} %`, means]
          })
        },
        note: "A layer's own cost is the difference of two medians, so it carries the noise of both; a difference below 1 µs means nothing. Times of different questions do not compare: the subjects that take turns cost each other the processor's caches."
      }
    })
}
