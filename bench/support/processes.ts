/** Other processes: servers and subjects. One line of JSON asks, one line answers; they end with their standard input. */
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface, type Interface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { Effect, Schema, type Scope } from "effect"

export class BenchFailed extends Schema.TaggedError<BenchFailed>()("BenchFailed", { message: Schema.String }) {}

type Running = ChildProcessByStdio<Writable, Readable, null>

/** Where the compiled bench is; what runs is what `tsc` emits, as it does for users. */
const here = (file: string, checkout: string | undefined): string =>
  checkout === undefined ? fileURLToPath(new URL(file, import.meta.url)) : join(checkout, ".bench/bench/support", file)

export interface ProcessOptions {
  /** Another checkout with a compiled bench, in place of this one. */
  readonly checkout?: string
  readonly env?: Readonly<Record<string, string>>
}

interface Process {
  readonly child: Running
  readonly lines: Interface
}

const started = (
  script: string,
  args: ReadonlyArray<string>,
  { checkout, env }: ProcessOptions
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [here(script, checkout), ...args], {
        stdio: ["pipe", "pipe", "inherit"],
        env: { ...process.env, ...env }
      })
      return { child, lines: createInterface({ input: child.stdout }) }
    }),
    ({ child }) =>
      Effect.async<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.stdin.end()
        setTimeout(() => child.kill("SIGKILL"), 2_000).unref()
      })
  )

const nextLine = ({ child, lines }: Process, script: string): Effect.Effect<string, BenchFailed> =>
  Effect.async((resume) => {
    const ended = (): void => resume(new BenchFailed({ message: `${script} ended before it answered` }))
    child.once("exit", ended)
    lines.once("line", (line) => {
      child.off("exit", ended)
      resume(Effect.succeed(line))
    })
  })

const decoded =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (line: string): Effect.Effect<A, BenchFailed> =>
    Schema.decodeUnknown(Schema.parseJson(schema))(line).pipe(
      Effect.mapError(({ message }) => new BenchFailed({ message }))
    )

// -------------------------------------------------------------------------------------
// servers
// -------------------------------------------------------------------------------------

const Urls = Schema.Struct({ url: Schema.String, countsUrl: Schema.String })

const Counts = Schema.Struct({
  requests: Schema.Number,
  open: Schema.Number,
  peak: Schema.Number,
  opened: Schema.Number,
  handshakes: Schema.Number,
  millis: Schema.Number,
  bytes: Schema.Number
})

export type Counts = typeof Counts.Type

export interface Server {
  readonly url: string
  readonly counts: Effect.Effect<Counts, BenchFailed>
}

export interface ServerOptions {
  /** What each answer takes, in ms; a request may ask for another by `?ms=eq.N`. */
  readonly delay?: number
  readonly tls?: boolean
  /** Both versions of HTTP, over TLS. */
  readonly http2?: boolean
  readonly keepAlive?: number
  /** So many rows in each answer, compressed where gzip is asked for. */
  readonly rows?: number
  /** Whether they are compressed where gzip is asked for. Default: true. */
  readonly compresses?: boolean
  /** So many rows in all, page by page; what is written comes back. */
  readonly paged?: number
  /** Each connection with its first answer. */
  readonly closes?: boolean
}

const countsAt = <A, I>(url: string, schema: Schema.Schema<A, I>): Effect.Effect<A, BenchFailed> =>
  Effect.tryPromise({
    try: async () => (await fetch(url)).text(),
    catch: (cause) => new BenchFailed({ message: `the server's counts: ${String(cause)}` })
  }).pipe(Effect.flatMap(decoded(schema)))

/** A server in a process of its own, so that its work is not the pool's. */
export const server = ({
  closes = false,
  compresses = true,
  delay = 0,
  http2 = false,
  keepAlive = 60_000,
  paged = 0,
  rows = 0,
  tls = false
}: ServerOptions = {}): Effect.Effect<Server, BenchFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const options = { closes, compresses, delay, http2, keepAlive, paged, rows, tls }
    const process = yield* started("./server.js", [JSON.stringify(options)], {})
    const { countsUrl, url } = yield* Effect.flatMap(nextLine(process, "the server"), decoded(Urls))
    return { url, counts: countsAt(countsUrl, Counts) }
  })

const SlotCounts = Schema.Struct({ requests: Schema.Number, refused: Schema.Number, refusedLate: Schema.Number })

export type SlotCounts = typeof SlotCounts.Type

export interface SlotsOptions {
  readonly slots: number
  /** What an answer takes once it has a slot, in ms. */
  readonly delay: number
  /** After so long (ms) without a slot it is refused. */
  readonly patience: number
}

/** A server with few slots, which refuses what waits for too long. */
export const slotsServer = (
  options: SlotsOptions
): Effect.Effect<
  { readonly url: string; readonly counts: Effect.Effect<SlotCounts, BenchFailed> },
  BenchFailed,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const process = yield* started("./slots.js", [JSON.stringify(options)], {})
    const { countsUrl, url } = yield* Effect.flatMap(nextLine(process, "the server"), decoded(Urls))
    return { url, counts: countsAt(countsUrl, SlotCounts) }
  })

// -------------------------------------------------------------------------------------
// subjects
// -------------------------------------------------------------------------------------

const Figures = Schema.Record({ key: Schema.String, value: Schema.Number })

export type Figures = typeof Figures.Type

export interface Subject {
  readonly name: string
  readonly ask: (figures: Figures) => Effect.Effect<Figures, BenchFailed>
}

/**
 * What is measured, in a process of its own, so that neither its garbage nor what the compiler learnt of it is
 * another's. `made` is the name of an export of `bench/subjects/file`.
 */
export const subject = (
  name: string,
  file: string,
  made: string,
  args: ReadonlyArray<string> = [],
  options: ProcessOptions = {}
): Effect.Effect<Subject, BenchFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const process = yield* started("./child.js", [file, made, ...args], options)
    yield* nextLine(process, name)
    return {
      name,
      ask: (figures) =>
        Effect.zipRight(
          Effect.sync(() => process.child.stdin.write(`${JSON.stringify(figures)}\n`)),
          Effect.flatMap(nextLine(process, name), decoded(Figures))
        )
    }
  })

/** Runs a script to its end; what it printed last. */
export const once = (
  script: string,
  args: ReadonlyArray<string>,
  options: ProcessOptions = {}
): Effect.Effect<Figures, BenchFailed> =>
  Effect.scoped(
    Effect.flatMap(started(script, args, options), (process) =>
      Effect.flatMap(nextLine(process, script), decoded(Figures))
    )
  )
