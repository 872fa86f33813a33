/**
 * 20,000 callers at once on 20 connections, against a server in another process that takes 10 ms for each.
 *
 * The pools are those of the production preset, untouched: ten connections read, ten write, each starts with five open.
 * Half of the callers read and half write. The ideal is what the same server needs when it is never idle: callers ÷
 * connections × the latency that it really took (a timer of 10 ms takes longer than 10 ms). The peak of memory is that
 * of this whole process, `tsx` included.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { NodeRuntime } from "@effect/platform-node"
import { Clock, Console, Duration, Effect, Schema, type Scope } from "effect"
import * as Db from "../src/Db.js"

const callers = 20_000
const connections = 20
const latency = Duration.millis(10)

const limits = { wall: 1.3, sockets: connections, megabytes: 400 } as const

const help = `npm run bench:queue [-- --json]

${callers.toLocaleString("en")} callers at once on ${connections} connections, against a server with ${Duration.toMillis(latency)} ms latency in another process.
Exits 1 when the wall time is ${limits.wall} times the ideal or more, when the server counted more than ${limits.sockets} sockets at
once, when this process needed ${limits.megabytes} MB or more, or when an operation failed.

  --json   one line of JSON in place of the table
  --help   this text`

class BenchFailed extends Schema.TaggedError<BenchFailed>()("BenchFailed", { message: Schema.String }) {}

const Urls = Schema.parseJson(Schema.Struct({ url: Schema.String, countsUrl: Schema.String }))

const Counts = Schema.Struct({ requests: Schema.Number, peak: Schema.Number, millis: Schema.Number })

const server: Effect.Effect<typeof Urls.Type, BenchFailed, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const script = fileURLToPath(new URL("./support/slowServer.ts", import.meta.url))
    return spawn(process.execPath, ["--import", "tsx", script, String(Duration.toMillis(latency))], {
      stdio: ["pipe", "pipe", "inherit"]
    })
  }),
  (child) => Effect.sync(() => child.stdin.end())
).pipe(
  Effect.flatMap(firstLine),
  Effect.flatMap(Schema.decode(Urls)),
  Effect.mapError(({ message }) => new BenchFailed({ message }))
)

function firstLine(child: ChildProcess): Effect.Effect<string, BenchFailed> {
  return Effect.async((resume) => {
    child.once("exit", () => resume(new BenchFailed({ message: "The server ended before it was ready." })))
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).once("line", (line) => resume(Effect.succeed(line)))
    }
  })
}

const countsAt = (url: string): Effect.Effect<typeof Counts.Type, BenchFailed> =>
  Effect.tryPromise(async () => (await fetch(url)).json()).pipe(
    Effect.flatMap(Schema.decodeUnknown(Counts)),
    Effect.mapError(({ message }) => new BenchFailed({ message }))
  )

const read = Db.read((client) => client.from("rows").select("id, name").eq("id", 1).limit(1))

const write = Db.write((client) => client.from("rows").update({ name: "a row" }).eq("id", 1).select("id, name"))

interface Wall {
  readonly wall: number
  readonly failed: number
}

/** All are forked before the first can have finished, since nothing here waits. */
const allAtOnce: Effect.Effect<Wall, never, Db.Provided> = Effect.gen(function* () {
  const since = yield* Clock.currentTimeMillis
  let failed = 0
  const count = Effect.sync(() => {
    failed += 1
  })
  const counted = <R>(operation: Effect.Effect<unknown, unknown, R>) =>
    Effect.matchEffect(operation, { onFailure: () => count, onSuccess: () => Effect.void })
  const halves = [counted(read), counted(write)] as const
  const caller = (n: number): Effect.Effect<void, never, Db.Provided> => halves[n % 2 === 0 ? 0 : 1]
  yield* Effect.forEach(
    Array.from({ length: callers }, (_, n) => n),
    caller,
    { concurrency: "unbounded", discard: true }
  )
  return { wall: (yield* Clock.currentTimeMillis) - since, failed }
})

const run = Effect.scoped(
  Effect.gen(function* () {
    const { countsUrl, url } = yield* server
    const database = Db.layerOf({ url, anonKey: "anon", serviceRoleKey: "service", maxConnections: connections })
    const before = process.cpuUsage()
    const { failed, wall } = yield* Effect.provide(allAtOnce, database)
    const { system, user } = process.cpuUsage(before)
    const { millis, peak, requests } = yield* countsAt(countsUrl)
    const ideal = (callers / connections) * (millis / requests)
    return {
      callers,
      connections,
      wallMillis: wall,
      idealMillis: Math.round(ideal),
      nominalMillis: (callers / connections) * Duration.toMillis(latency),
      latencyMillis: Math.round((millis / requests) * 100) / 100,
      timesIdeal: Math.round((wall / ideal) * 1_000) / 1_000,
      peakSockets: peak,
      peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1_024),
      cpuMicrosPerOperation: Math.round((user + system) / callers),
      requests,
      failed
    }
  })
)

type Outcome = Effect.Effect.Success<typeof run>

const verdicts = (outcome: Outcome): ReadonlyArray<readonly [passed: boolean, line: string]> => [
  [
    outcome.timesIdeal < limits.wall,
    `wall time    ${outcome.wallMillis} ms = ${outcome.timesIdeal} × the ideal of ${outcome.idealMillis} ms (below ${limits.wall}); the server took ${outcome.latencyMillis} ms each, so nominally ${outcome.nominalMillis} ms`
  ],
  [
    outcome.peakSockets <= limits.sockets,
    `sockets      ${outcome.peakSockets} at once, counted by the server (at most ${limits.sockets})`
  ],
  [
    outcome.peakMegabytes < limits.megabytes,
    `memory       ${outcome.peakMegabytes} MB at the peak of this process (below ${limits.megabytes})`
  ],
  [
    outcome.failed === 0 && outcome.requests === callers,
    `operations   ${outcome.requests} arrived, ${outcome.failed} failed (of ${callers}); ${outcome.cpuMicrosPerOperation} µs of CPU each`
  ]
]

const main = Effect.gen(function* () {
  const { values } = parseArgs({ options: { json: { type: "boolean" }, help: { type: "boolean" } } })
  if (values.help === true) return yield* Console.log(help)
  const outcome = yield* run
  const lines = verdicts(outcome)
  const passed = lines.every(([pass]) => pass)
  yield* Console.log(
    values.json === true
      ? JSON.stringify({ passed, ...outcome })
      : lines.map(([pass, line]) => `${pass ? "PASS" : "FAIL"}  ${line}`).join("\n")
  )
  if (!passed) process.exitCode = 1
})

NodeRuntime.runMain(main)
