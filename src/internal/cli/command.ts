import { fileURLToPath } from "node:url"
import { Command, Options, ValidationError } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { Console, Effect, Option, Schema } from "effect"
import { serve as server } from "../serve.js"
import { check } from "./check.js"
import { embedded } from "./embedded.js"
import { load } from "./load.js"
import { migration } from "./migration.js"
import { top } from "./top/command.js"

const callers = Options.integer("load").pipe(
  Options.withDescription("also make so many callers per second, so that the dashboard has something to show"),
  Options.optional
)

const serve = Command.make("serve", { load: callers }, (options) =>
  server({ load: Option.getOrUndefined(options.load) })
).pipe(
  Command.withDescription(
    "Opens the pools and serves health over HTTP until it is stopped. Without SUPABASE_URL it starts an embedded database."
  )
)

const command = Command.make("supabase-pool").pipe(
  Command.withDescription("A connection pool for Supabase. Configured by environment variables; see the README."),
  Command.withSubcommands([serve, check, migration, embedded, top, load])
)

const Manifest = Schema.parseJson(Schema.Struct({ version: Schema.String }))

/** Seen from src/internal/cli and from dist/internal/cli. */
const manifest = fileURLToPath(new URL("../../../package.json", import.meta.url))

const version = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  return (yield* Schema.decode(Manifest)(yield* fs.readFileString(manifest))).version
})

/** A message for people on standard error; what went wrong in the arguments, the parser has said already. */
const report = (error: unknown): Effect.Effect<void> => {
  if (ValidationError.isValidationError(error)) return Effect.void
  const text = error instanceof Error ? error.message : String(error)
  return text === "" ? Effect.void : Console.error(text)
}

/** Fails after it has said why, so that the process ends with 1. */
export const run = (argv: ReadonlyArray<string>) =>
  Effect.flatMap(version, (current) => Command.run(command, { name: "supabase-pool", version: current })(argv)).pipe(
    Effect.tapError(report)
  )
