/**
 * `npm run restarts`: what a pool makes of restarts of PostgREST, of the database, and of a server that closes idle
 * connections without a word, beside an earlier build and supabase-js. PostgREST is scripted
 * (test/support/postgrestChild.ts), in a process of its own; its database is this process, which knows what was executed.
 */
import { type ChildProcess, fork } from "node:child_process"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { rows } from "../test/support/postgrest.js"
import { commandLine } from "./commandLine.js"
import { Database } from "./restarts/database.js"
import { type Ended, isWell, judged, load, one, type Row } from "./restarts/load.js"
import { type Subject, subjects } from "./restarts/subjects.js"

/** The last before restarts were looked at. */
const before = "e174b26"

const help = `npm run restarts -- [options]

200 operations a second in an open loop (half reads; inserts, idempotent inserts, transactions with a key), default pool, while
PostgREST or its database is restarted three times; then plain inserts each 30 s on connections that the server closes after
30.0 s without a word. Takes six minutes.

  --against ${before}   the build to compare with
  --help               this

Exit code: 0 when this checkout meets each target, 1 when not, 2 when the options are wrong.`

const { values } = commandLine(help, { options: { against: { type: "string", default: before } } })

const child = fileURLToPath(new URL("../test/support/postgrestChild.ts", import.meta.url))

const database = new Database()

const message = (from: ChildProcess, wanted: string): Promise<void> =>
  new Promise((resolve) => {
    const look = (said: unknown): void => {
      if (said !== wanted) return
      from.off("message", look)
      resolve()
    }
    from.on("message", look)
  })

interface Asked {
  readonly id: number
  readonly method: string
  readonly url: string
  readonly body: string
}

/** One that is ready to listen. */
const spare = async (...given: ReadonlyArray<number | string>): Promise<ChildProcess> => {
  const made = fork(child, given.map(String), { execArgv: ["--import", "tsx"] })
  made.on("message", (asked: Asked | string) => {
    if (typeof asked === "string") return
    const isPing = asked.url === "/"
    const met = isPing ? rows() : database.meets(asked.method, asked.url, asked.body, asked.id)
    // As long as a query takes.
    setTimeout(() => made.connected && made.send({ id: asked.id, met }), isPing ? 0 : 5)
  })
  await message(made, "ready")
  return made
}

const listen = async (made: ChildProcess): Promise<ChildProcess> => {
  made.send("listen")
  await message(made, "listening")
  return made
}

const urlOf = (port: number): string => `http://127.0.0.1:${port}`

/** Three times, with three seconds between them. */
const under = async (what: string, who: Subject, port: number, once: () => Promise<number>): Promise<Row> => {
  const opened = who.open(urlOf(port))
  const stop = load(opened)
  const ready: Array<number> = []
  await sleep(1_500)
  for (let n = 0; n < 3; n++) {
    ready.push(await once())
    await sleep(3_000)
  }
  const ended = await stop()
  await opened.close()
  return judged(what, who.name, database, ended, ready)
}

/** Below what Linux gives to whoever asks for any. */
const free = 20_000 + (process.pid % 10_000)
let server = await listen(await spare(free))

const restart = async (): Promise<number> => {
  const next = await spare(free)
  server.kill("SIGTERM")
  await sleep(1_000)
  server = await listen(next)
  return performance.now()
}

const restartOfDatabase = (how: "fast" | "immediate") => async (): Promise<number> => {
  database.state = how
  await sleep(20)
  database.state = "down"
  await sleep(1_000)
  database.state = "up"
  return performance.now()
}

const idle = 30_000
const callers = 30
const writes = 5

/** A write, and the next in the moment in which the server closes the connection, a little sooner or later. */
const rhythm = async (who: Subject, port: number): Promise<Row> => {
  const ended: Array<Ended> = []
  const caller = async (nth: number): Promise<void> => {
    const opened = who.open(urlOf(port), 1)
    for (let n = 0; n < writes; n++) {
      ended.push(await one(opened, "insert"))
      await sleep(idle - callers / 2 + nth)
    }
    await opened.close()
  }
  await Promise.all(Array.from({ length: callers }, (_, nth) => caller(nth)))
  return judged("idle for 30 s, plain inserts", who.name, database, ended, [])
}

const proxy = await listen(await spare(free + 1, free))
const all = await subjects(values.against)
const kinds = [
  ["PostgREST, raw socket", free, restart],
  ["PostgREST, behind a proxy (502)", free + 1, restart],
  ["database, fast", free, restartOfDatabase("fast")],
  ["database, immediate", free, restartOfDatabase("immediate")]
] as const
const found: Array<Row> = []
for (const [what, port, once] of kinds) for (const who of all) found.push(await under(what, who, port, once))
const quiet = await listen(await spare(free + 2, "", idle))
found.push(...(await Promise.all(all.map((who) => rhythm(who, free + 2)))))
for (const one of [quiet, proxy, server]) one.kill("SIGKILL")

const ours = all[0]?.name
const holds = (row: Row): boolean => isWell(row) && (row.first.length > 0 || row.failed === 0)
const line = (row: Row): string => {
  const { doubled, failed, first, lost, mislabelled = "–", operations, repeatable, what, who } = row
  const verdict = who === ours ? (holds(row) ? "holds" : "missed") : ""
  return `| ${[what, who, operations, failed, repeatable, mislabelled, doubled, lost, first.map(Math.round).join(", "), verdict].join(" | ")} |`
}

process.stdout.write(`| restart of | who | operations | failed | of these repeatable | mislabelled | doubled | lost | first success after it is ready, ms | |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
${found.map(line).join("\n")}
`)
process.exit(found.filter(({ who }) => who === ours).every(holds) ? 0 : 1)
