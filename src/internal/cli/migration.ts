import { fileURLToPath } from "node:url"
import { Command, Options } from "@effect/cli"
import { FileSystem, Path } from "@effect/platform"
import { Console, Effect } from "effect"
import { packageUrl } from "../shared/packageUrl.js"
import { oneLine } from "../shared/text.js"
import { migrationFile } from "../transaction/run.js"
import { Failed } from "./failed.js"

/** A name as the Supabase CLI wants it: the time comes first, and decides the order. */
const isDated = (name: string): boolean => /^\d{14}_/.test(name)

/** Of an earlier version of the package. The database has it already, so that it stays where it is. */
const isEarlier = (name: string): boolean => name.endsWith("_supabase_pool.sql") && name < migrationFile

/** What to do with the file, beside those that are there. */
const adviceFor = (names: ReadonlyArray<string>): string => {
  const earlier = names.filter(isEarlier)
  const upgrades = earlier.length === 0 ? "" : ` It replaces what ${earlier.join(", ")} made, which stays where it is.`
  const later = names.some((name) => isDated(name) && name > migrationFile)
  const push = later ? "`supabase db push --include-all` (others there are dated later)" : "`supabase db push`"
  return `${upgrades} Apply it with ${push}, then run \`supabase-pool check\`.`
}

/** Of the package itself, seen from src/internal/cli and from dist/internal/cli. */
const source = fileURLToPath(packageUrl(`supabase/migrations/${migrationFile}`))

// Text, since the parser asks the file system about a directory, and fails with its trace.
const dir = Options.text("dir").pipe(
  Options.withPseudoName("directory"),
  Options.withDefault("supabase/migrations"),
  Options.withDescription(
    "where the migrations of your project are, made when it is not there; default: supabase/migrations"
  )
)

const force = Options.boolean("force").pipe(
  Options.withDescription("replace a file of that name which differs; default: it is left as it is")
)

const unwritable =
  (directory: string) =>
  ({ message }: { readonly message: string }): Failed =>
    new Failed({
      reason: `The migration cannot be written to ${directory}: ${oneLine(message)}. Give the folder of your migrations as --dir.`
    })

export const migration = Command.make("migration", { dir, force }, (options) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const target = path.join(options.dir, migrationFile)
    const sql = yield* fs.readFileString(source)
    const present = (yield* fs.exists(target)) ? yield* fs.readFileString(target) : undefined
    if (present === sql) return yield* Console.log(`${target} is there already, and is the same.`)
    if (present !== undefined && !options.force) {
      return yield* new Failed({
        reason: `${target} is there and differs. Nothing was written. Use --force to replace it.`
      })
    }
    yield* fs.makeDirectory(options.dir, { recursive: true })
    const names = yield* fs.readDirectory(options.dir)
    yield* fs.writeFileString(target, sql)
    yield* Console.log(`${target} written.${adviceFor(names)}`)
  }).pipe(Effect.catchTags({ SystemError: unwritable(options.dir), BadArgument: unwritable(options.dir) }))
).pipe(
  Command.withDescription(
    "Writes the SQL that a project needs for transactions, also beside that of an earlier version, which it replaces."
  )
)
