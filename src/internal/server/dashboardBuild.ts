/**
 * Builds the dashboard of a checkout in the background if it is missing or older than its sources, so that it does not slow
 * the first start. In the package it is already built, and none of this runs.
 */
import { Command, type CommandExecutor, FileSystem, Path } from "@effect/platform"
import { Effect, Option, Ref, Stream } from "effect"
import { read, type State } from "../http/page.js"
import { packageUrl } from "../shared/packageUrl.js"
import { oneLine, period } from "../shared/text.js"

const root = packageUrl("")

/** The sources of the dashboard. */
const sources = [
  "dashboard",
  "src/react.tsx",
  "src/internal/react",
  "src/internal/feed",
  "docs/troubleshooting.md",
  "package-lock.json"
]

const built = "dist/dashboard/index.html"

const vite = "node_modules/vite/bin/vite.js"

type Files = FileSystem.FileSystem | Path.Path

/** 0 for a missing file. */
const changedAt = (path: string): Effect.Effect<number, never, Files> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const { mtime, type } = yield* fs.stat(path)
    if (type !== "Directory") return Option.match(mtime, { onNone: () => 0, onSome: (date) => date.getTime() })
    const names = yield* fs.readDirectory(path)
    return Math.max(0, ...(yield* Effect.forEach(names, (name) => changedAt(paths.join(path, name)))))
  }).pipe(Effect.orElseSucceed(() => 0))

interface Checkout {
  readonly directory: string
  readonly isStale: boolean
}

/** None if the sources or the builder are missing. */
const checkout: Effect.Effect<Option.Option<Checkout>, never, Files> = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = yield* path.fromFileUrl(root)
  const at = (name: string) => path.join(directory, name)
  for (const name of ["dashboard/vite.config.ts", vite]) if (!(yield* fs.exists(at(name)))) return Option.none()
  const newest = Math.max(...(yield* Effect.forEach(sources, (name) => changedAt(at(name)))))
  return Option.some({ directory, isStale: (yield* changedAt(at(built))) < newest })
}).pipe(Effect.orElseSucceed(() => Option.none()))

/** The builder's error text if it failed; otherwise none. */
const build = (directory: string): Effect.Effect<Option.Option<string>, never, CommandExecutor.CommandExecutor> =>
  Command.make(process.execPath, vite, "build", "--config", "dashboard/vite.config.ts", "--logLevel", "error").pipe(
    Command.workingDirectory(directory),
    Command.start,
    Effect.flatMap((running) =>
      Effect.all(
        [running.exitCode, Stream.mkString(Stream.decodeText(running.stderr)), Stream.runDrain(running.stdout)],
        {
          concurrency: "unbounded"
        }
      )
    ),
    Effect.map(([code, words]) => (code === 0 ? Option.none() : Option.some(oneLine(words) || `exit code ${code}`))),
    Effect.scoped,
    Effect.catchAll((error) => Effect.succeed(Option.some(oneLine(error.message))))
  )

const now: Effect.Effect<State, never, Files> = Effect.map(
  read,
  Option.match({ onNone: (): State => ({ _tag: "Missing" }), onSome: (files): State => ({ _tag: "Built", files }) })
)

export interface Dashboard {
  /** The current state, which changes when it has been built. */
  readonly state: Effect.Effect<State>
  /** Builds it if needed. Never fails. */
  readonly build: Effect.Effect<void>
}

export const make: Effect.Effect<Dashboard, never, Files | CommandExecutor.CommandExecutor> = Effect.gen(function* () {
  const context = yield* Effect.context<Files | CommandExecutor.CommandExecutor>()
  const before = yield* now
  const found = yield* checkout
  if (Option.isNone(found) || !found.value.isStale) return { state: Effect.succeed(before), build: Effect.void }
  const current = yield* Ref.make<State>(before._tag === "Missing" ? { _tag: "Building" } : before)
  const rebuild = Effect.gen(function* () {
    yield* Effect.logInfo("building the dashboard, once; everything else works already")
    const [took, complaint] = yield* Effect.timed(build(found.value.directory))
    if (Option.isSome(complaint)) {
      yield* Effect.logWarning(
        `the dashboard could not be built: ${complaint.value}. Everything else works. Try \`npm run build:dashboard\`.`
      )
      return yield* Ref.set(current, before)
    }
    yield* Ref.set(current, yield* now)
    yield* Effect.logInfo(`the dashboard took ${period(took)} to build`)
  })
  return { state: Ref.get(current), build: Effect.provide(rebuild, context) }
})
