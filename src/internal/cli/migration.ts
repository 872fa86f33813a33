import { fileURLToPath } from "node:url"
import { Command, Options } from "@effect/cli"
import { FileSystem, Path } from "@effect/platform"
import { Clock, Console, Effect } from "effect"
import { packageUrl } from "../shared/packageUrl.js"
import { oneLine } from "../shared/text.js"
import { migrationFile } from "../transaction/run.js"
import { Failed } from "./failed.js"
import { type Known, nameFor, type Present, placeOf } from "./migrationName.js"

/** The package's own migrations, seen from src/internal/cli and from dist/internal/cli. */
const packaged = fileURLToPath(packageUrl("supabase/migrations"))

const isOurs = (name: string): boolean => name.endsWith("_supabase_pool.sql")

const readAll = (directory: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const names = (yield* fs.readDirectory(directory)).filter(isOurs).toSorted()
    return yield* Effect.forEach(names, (name) =>
      Effect.map(fs.readFileString(path.join(directory, name)), (text): Present => ({ name, text }))
    )
  })

const knownFiles = Effect.map(readAll(packaged), (files): Known => ({ current: migrationFile, files }))

/** Where our migration is in a project's folder; none where there is no such folder, or it cannot be read. */
export const placeIn = (directory: string) =>
  Effect.option(
    Effect.gen(function* () {
      const present = yield* readAll(directory)
      return placeOf(yield* knownFiles, present)
    })
  )

// Text, since the parser's directory option asks the file system, and fails with a stack trace.
const dir = Options.text("dir").pipe(
  Options.withPseudoName("directory"),
  Options.withDefault("supabase/migrations"),
  Options.withDescription(
    "the directory of your project's migrations, created if it is missing; default: supabase/migrations"
  )
)

const force = Options.boolean("force").pipe(
  Options.withDescription("replace a file of this version that differs; default: keep it")
)

const unwritable =
  (directory: string) =>
  ({ message }: { readonly message: string }): Failed =>
    new Failed({
      reason: `The migration cannot be written to ${directory}: ${oneLine(message)}. Give the folder of your migrations with --dir.`
    })

const applyIt = "Apply it with `supabase db push`, then run `supabase-pool check`."

const upgrades = (earlier: ReadonlyArray<string>): string =>
  earlier.length === 0 ? "" : ` It replaces what ${earlier.join(", ")} made; that file stays.`

export const migration = Command.make("migration", { dir, force }, (options) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    yield* fs.makeDirectory(options.dir, { recursive: true })
    const known = yield* knownFiles
    const text = yield* fs.readFileString(path.join(packaged, migrationFile))
    const place = placeOf(known, yield* readAll(options.dir))
    if (place._tag === "Same") {
      return yield* Console.log(`${path.join(options.dir, place.name)} already exists, and is the same.`)
    }
    if (place._tag === "Differs") {
      const target = path.join(options.dir, place.name)
      if (!options.force) {
        return yield* new Failed({
          reason: `${target} exists and differs. Nothing was written. Use --force to replace it.`
        })
      }
      yield* fs.writeFileString(target, text)
      return yield* Console.log(`${target} written. ${applyIt}`)
    }
    const now = yield* Clock.currentTimeMillis
    const target = path.join(options.dir, nameFor(now, yield* fs.readDirectory(options.dir)))
    yield* fs.writeFileString(target, text)
    yield* Console.log(`${target} written.${upgrades(place.earlier)} ${applyIt}`)
  }).pipe(Effect.catchTags({ SystemError: unwritable(options.dir), BadArgument: unwritable(options.dir) }))
).pipe(
  Command.withDescription(
    "Writes the SQL that transactions need, as a migration named by the current time. It replaces what the migration of an earlier version made, and leaves that file in place."
  )
)
