/**
 * `npm run bench`: asks every question and puts what was measured beside its goal.
 *
 * Servers and subjects are processes of their own; subjects of a question take turns; figures are medians of many rounds.
 * Ratios travel between machines, times do not, so `--check` compares ratios only.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { fileURLToPath } from "node:url"
import { NodeRuntime } from "@effect/platform-node"
import { Clock, Console, Effect, Schema } from "effect"
import { commandLine } from "../scripts/commandLine.js"
import * as Checkout from "./checkout.js"
import * as Closing from "./closing.js"
import * as Compression from "./compression.js"
import * as Crowd from "./crowd.js"
import * as Fleet from "./fleet.js"
import * as Heap from "./heap.js"
import * as Http2 from "./http2.js"
import * as Importing from "./importing.js"
import * as Inserting from "./inserting.js"
import * as Large from "./large.js"
import * as Layers from "./layers.js"
import * as OpenLoop from "./openLoop.js"
import * as Paging from "./paging.js"
import * as Quiet from "./quiet.js"
import * as Read from "./read.js"
import { between, markdown, plain } from "./support/layout.js"
import { BenchFailed } from "./support/processes.js"
import type { Answer, Answers, Question } from "./support/question.js"
import * as Users from "./users.js"
import * as Waiting from "./waiting.js"

const questions: ReadonlyArray<Question> = [
  Read,
  Users,
  Compression,
  Large,
  Paging,
  Inserting,
  Closing,
  Checkout,
  Crowd,
  Waiting,
  OpenLoop,
  Heap,
  Importing,
  Quiet,
  Fleet,
  Layers,
  Http2
].map(({ question }) => question)

/** How much worse than the committed ratio a ratio may be: about twice what two runs on a busy machine differ by. */
const margin = 1.25

const help = `npm run bench [-- OPTIONS]

Asks every question and puts what was measured beside its goal. Takes about five minutes.

  --only NAME    one question, or several: ${questions.map(({ name }) => name).join(", ")}
  --json         one line of JSON in place of the tables
  --check        compares the ratios (never times) with those in bench/baseline.json; exits 1 when one is more than
                 ${Math.round((margin - 1) * 100)} % worse
  --write-baseline   writes the ratios of this run there; not with --only
  --write-docs   writes what was measured into README.md and docs/performance.md, between their markers; not with --only
  --help         this text

Exit code: 0 when all goals are met (with --check: when no ratio got worse), 1 when not, 2 when the options are wrong.`

const root = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url))

const Baseline = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Number }))

const progress =
  (name: string) =>
  (line: string): Effect.Effect<void> =>
    Console.error(`${name.padEnd(10)} ${line}`)

interface Asked {
  readonly question: Question
  readonly answers: Answers
}

const ask = (question: Question): Effect.Effect<Asked, BenchFailed> =>
  Effect.map(Effect.scoped(question.run(progress(question.name))), (answers) => ({ question, answers }))

const environment = `Node ${process.version.slice(1)}, ${cpus().length} cores (${cpus()[0]?.model.trim() ?? "unknown"})`

const goalsHead = ["what", "goal", "measured", ""]

const goalRow = ({ goal, measured, passed, what }: Answer): ReadonlyArray<string> => [
  what,
  goal,
  measured,
  passed ? "holds" : "missed"
]

const details = ({ answers, question }: Asked): string =>
  `### ${question.asks}\n\n\`npm run bench -- --only ${question.name}\`\n\n${markdown(answers.table)}\n\n${answers.note}`

const writeDocs = (asked: ReadonlyArray<Asked>, day: string): Effect.Effect<void> =>
  Effect.sync(() => {
    const rows = asked.flatMap(({ answers }) => answers.answers).map(goalRow)
    const said = `Measured ${day} by \`npm run bench -- --write-docs\`: ${environment}.`
    const goals = `${markdown({ head: goalsHead, rows })}\n\n${said}`
    const replace = (file: string, text: string): void =>
      writeFileSync(root(file), between(readFileSync(root(file), "utf8"), text))
    replace("README.md", goals)
    replace("docs/performance.md", [goals, ...asked.map(details)].join("\n\n"))
  })

const ratios = (asked: ReadonlyArray<Asked>): Readonly<Record<string, number>> =>
  Object.fromEntries(
    asked.flatMap(({ answers }) =>
      answers.answers.flatMap(({ id, ratio }) => (ratio === undefined ? [] : [[id, Number(ratio.toFixed(3))]]))
    )
  )

/** One line per ratio that has a committed one. */
const compared = (asked: ReadonlyArray<Asked>): Effect.Effect<boolean, BenchFailed> =>
  Effect.gen(function* () {
    const text = yield* Effect.try({
      try: () => readFileSync(root("bench/baseline.json"), "utf8"),
      catch: () => new BenchFailed({ message: "bench/baseline.json is missing: npm run bench -- --write-baseline" })
    })
    const baseline = yield* Effect.mapError(
      Schema.decode(Baseline)(text),
      ({ message }) => new BenchFailed({ message })
    )
    let held = true
    for (const [id, now] of Object.entries(ratios(asked))) {
      const before = baseline[id]
      if (before === undefined) continue
      const worse = now > before * margin
      held &&= !worse
      yield* Console.log(
        `${worse ? "WORSE" : "holds"}  ${id.padEnd(12)} ${now} (committed ${before}, at most ${(before * margin).toFixed(3)})`
      )
    }
    return held
  })

const print = (asked: ReadonlyArray<Asked>, json: boolean): Effect.Effect<void> => {
  const all = asked.flatMap(({ answers }) => answers.answers)
  if (json)
    return Console.log(
      JSON.stringify({
        environment,
        passed: all.every(({ passed }) => passed),
        answers: all,
        tables: Object.fromEntries(asked.map(({ answers, question }) => [question.name, answers.table]))
      })
    )
  const tables = asked.map(({ answers, question }) => `${question.asks}\n\n${plain(answers.table)}\n\n${answers.note}`)
  const goals = all.length === 0 ? [] : [plain({ head: goalsHead, rows: all.map(goalRow) })]
  return Console.log([...tables, ...goals, environment].join("\n\n"))
}

const { refuse, values } = commandLine(help, {
  options: {
    check: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    "write-baseline": { type: "boolean", default: false },
    "write-docs": { type: "boolean", default: false }
  }
})
const names = values.only.flatMap((given) => given.split(",")).map((name) => name.trim())
const unknown = names.filter((name) => questions.every((question) => question.name !== name))
// They write all that was measured in place of all that stood there.
for (const option of ["write-baseline", "write-docs"] as const) {
  if (values[option] && names.length > 0) refuse(`--${option} takes the figures of every question: leave out --only.`)
}
if (unknown.length > 0) refuse(`--only: no question is called ${unknown.join(", ")}.`)

const main = Effect.gen(function* () {
  const asked = yield* Effect.forEach(
    questions.filter(({ name }) => names.length === 0 || names.includes(name)),
    ask
  )
  yield* print(asked, values.json)
  const day = new Date(yield* Clock.currentTimeMillis).toISOString().slice(0, 10)
  if (values["write-docs"]) yield* writeDocs(asked, day)
  if (values["write-baseline"]) {
    yield* Effect.sync(() => writeFileSync(root("bench/baseline.json"), `${JSON.stringify(ratios(asked), null, 2)}\n`))
  }
  const held = values.check
    ? yield* compared(asked)
    : asked.every(({ answers }) => answers.answers.every(({ passed }) => passed))
  if (!held) process.exitCode = 1
})

NodeRuntime.runMain(
  Effect.catchTag(main, "BenchFailed", ({ message }) =>
    Effect.zipRight(
      Console.error(message),
      Effect.sync(() => {
        process.exitCode = 1
      })
    )
  )
)
