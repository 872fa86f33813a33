/**
 * `npm run restarts`: what a pool makes of restarts of PostgREST, of the database, and of a server that closes idle
 * connections without a word. 200 operations a second by 20 callers (half reads, a quarter each inserts and idempotent writes),
 * default pool. PostgREST is scripted (test/support/postgrestChild.ts), in a process of its own; its database is this process,
 * which knows what was executed. Exit code 1 where a target is missed.
 */
import { type ChildProcess, fork } from "node:child_process"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { Cause, Exit, ManagedRuntime, Option } from "effect"
import * as Db from "../src/Db.js"
import { isDbError } from "../src/Errors.js"
import { lostAtCommit, postgrestError, rows, type Scripted } from "../test/support/postgrest.js"

const child = fileURLToPath(new URL("../test/support/postgrestChild.ts", import.meta.url))

/** The table: how often each id was inserted. */
const table = new Map<string, number>()

type State = "up" | "fast" | "immediate" | "down"
let state: State = "up"

const apply = (method: string, body: string): void => {
  if (method === "GET") return
  const row: { readonly id: string } = JSON.parse(body)
  table.set(row.id, (table.get(row.id) ?? 0) + 1)
}

/** What is met by who is there when it happens, and by who comes while it is away. */
const meets = (method: string, body: string, n: number): Scripted => {
  if (state === "down") return postgrestError(503, "PGRST000", "Database connection error. Retrying the connection.")
  if (state === "fast") {
    return n % 2 === 0
      ? postgrestError(503, "PGRST001", "no connection to the server")
      : postgrestError(503, "57P01", "terminating connection due to administrator command")
  }
  apply(method, body)
  return state === "immediate" ? lostAtCommit : rows()
}

const message = (from: ChildProcess, wanted: string): Promise<void> =>
  new Promise((resolve) => {
    const look = (said: unknown): void => {
      if (said !== wanted) return
      from.off("message", look)
      resolve()
    }
    from.on("message", look)
  })

/** One that is ready to listen. */
const spare = async (...given: ReadonlyArray<number | string>): Promise<ChildProcess> => {
  const made = fork(child, given.map(String), { execArgv: ["--import", "tsx"] })
  made.on(
    "message",
    (asked: { readonly id: number; readonly method: string; readonly url: string; readonly body: string }) => {
      if (typeof asked === "string") return
      const met = asked.url === "/" ? rows() : meets(asked.method, asked.body, asked.id)
      // As long as a query takes.
      setTimeout(() => made.connected && made.send({ id: asked.id, met }), asked.url === "/" ? 0 : 5)
    }
  )
  await message(made, "ready")
  return made
}

const listen = async (made: ChildProcess): Promise<ChildProcess> => {
  made.send("listen")
  await message(made, "listening")
  return made
}

interface Ended {
  readonly id: string
  readonly kind: "read" | "idempotent" | "insert"
  readonly at: number
  readonly exit: Exit.Exit<unknown, unknown>
}

const kinds = ["read", "insert", "read", "idempotent"] as const
let ids = 0

const operation = (kind: Ended["kind"], id: string) =>
  kind === "read"
    ? Db.read((client) => client.from("t").select("id"))
    : Db.write((client) => client.from("t").insert({ id }), { idempotent: kind === "idempotent" })

const callers = 20

/** Each caller begins an operation each 100 ms, but not before its last has ended. What it gives ends them. */
const load = (runtime: ManagedRuntime.ManagedRuntime<Db.Provided, unknown>) => {
  const ended: Array<Ended> = []
  let stopped = false
  const caller = async (nth: number): Promise<void> => {
    await sleep((100 / callers) * nth)
    for (let due = performance.now(); !stopped; due = Math.max(due + 100, performance.now())) {
      await sleep(Math.max(0, due - performance.now()))
      const kind = kinds[ids % kinds.length] ?? "read"
      const id = `${kind}-${++ids}`
      const exit = await runtime.runPromiseExit(operation(kind, id))
      ended.push({ id, kind, exit, at: performance.now() })
    }
  }
  const all = Promise.all(Array.from({ length: callers }, (_, nth) => caller(nth)))
  return async (): Promise<ReadonlyArray<Ended>> => {
    stopped = true
    await all
    return ended
  }
}

const errorOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined

interface Row {
  readonly what: string
  readonly operations: number
  readonly failed: number
  readonly repeatable: number
  readonly mislabelled: number
  readonly doubled: number
  readonly lost: number
  readonly first: string
  readonly isWell: boolean
}

const judged = (what: string, ended: ReadonlyArray<Ended>, ready: ReadonlyArray<number>): Row => {
  const failed = ended.filter(({ exit }) => Exit.isFailure(exit))
  const times = (id: string): number => table.get(id) ?? 0
  const mislabelled = failed.filter(({ exit, id }) => {
    const error = errorOf(exit)
    return !isDbError(error) || (!error.mayHaveExecuted && times(id) > 0)
  }).length
  const inserts = ended.filter(({ kind }) => kind === "insert")
  const doubled = inserts.filter(({ id }) => times(id) > 1).length
  const lost = ended.filter(({ exit, id, kind }) => kind !== "read" && Exit.isSuccess(exit) && times(id) === 0).length
  const first = ready.map((at) =>
    Math.min(...ended.flatMap((one) => (Exit.isSuccess(one.exit) && one.at >= at ? [one.at - at] : [])))
  )
  const repeatable = failed.filter(({ kind }) => kind !== "insert").length
  const words = new Set(failed.map(({ exit, kind }) => `${kind}: ${String(errorOf(exit)).slice(0, 160)}`))
  for (const word of words) process.stderr.write(`${what}: ${word}\n`)
  const isWell = repeatable + mislabelled + doubled + lost === 0 && first.every((millis) => millis <= 500)
  return {
    what,
    operations: ended.length,
    failed: failed.length,
    repeatable,
    mislabelled,
    doubled,
    lost,
    first: first.map(Math.round).join(", "),
    isWell
  }
}

const runtimeAt = (port: number, options: object = {}) =>
  ManagedRuntime.make(
    Db.layerOf({
      url: `http://127.0.0.1:${port}`,
      anonKey: "anon",
      serviceRoleKey: "service",
      enableHealthChecks: false,
      ...options
    })
  )

/** Three times, with three seconds between them. */
const under = async (what: string, port: number, once: () => Promise<number>): Promise<Row> => {
  const runtime = runtimeAt(port)
  const stop = load(runtime)
  const ready: Array<number> = []
  await sleep(1_500)
  for (let n = 0; n < 3; n++) {
    ready.push(await once())
    await sleep(3_000)
  }
  const ended = await stop()
  await runtime.dispose()
  return judged(what, ended, ready)
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

const database = (how: "fast" | "immediate") => async (): Promise<number> => {
  state = how
  await sleep(20)
  state = "down"
  await sleep(1_000)
  state = "up"
  return performance.now()
}

/** Closes idle connections after 1 s where PostgREST does after 30; all else in the same proportion. */
const rhythm = async (): Promise<Row> => {
  const quiet = await listen(await spare(free + 2, "", 1_000))
  const runtimes = Array.from({ length: 10 }, () =>
    runtimeAt(free + 2, { keepaliveInterval: 833, minConnections: 1, maxConnections: 2 })
  )
  const ended: Array<Ended> = []
  await Promise.all(
    runtimes.map(async (runtime) => {
      for (let n = 0; n < 15; n++) {
        const id = `insert-${++ids}`
        const exit = await runtime.runPromiseExit(operation("insert", id))
        ended.push({ id, kind: "insert", exit, at: performance.now() })
        await sleep(1_000)
      }
      await runtime.dispose()
    })
  )
  quiet.kill("SIGKILL")
  const row = judged("idle limit at the rhythm of the writes", ended, [])
  return { ...row, isWell: row.isWell && row.failed === 0 }
}

const proxy = await listen(await spare(free + 1, free))
const found = [
  await under("PostgREST, three times", free, restart),
  await under("PostgREST behind a proxy (502)", free + 1, restart),
  await under("database, fast", free, database("fast")),
  await under("database, immediate", free, database("immediate")),
  await rhythm()
]
proxy.kill("SIGKILL")
server.kill("SIGKILL")

process.stdout.write(`| restart of | operations | failed | repeatable | mislabelled | doubled | lost | first success (ms) | holds |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
${found.map((row) => `| ${row.what} | ${row.operations} | ${row.failed} | ${row.repeatable} | ${row.mislabelled} | ${row.doubled} | ${row.lost} | ${row.first} | ${row.isWell ? "yes" : "NO"} |`).join("\n")}
`)
process.exit(found.every(({ isWell }) => isWell) ? 0 : 1)
