import { Command, Options } from "@effect/cli"
import { Config, Console, Effect, Option, Redacted } from "effect"
import { Embedded } from "../../embedded.js"
import { postgresServer } from "../embedded/postgresServer.js"
import { Failed } from "./failed.js"
import * as Given from "./given.js"
import * as Numbers from "./numbers.js"

const port = Given.option("port", Numbers.port).pipe(
  Options.withDefault(54321),
  Options.withDescription("port on 127.0.0.1; 0 takes a free one; default: 54321")
)

const postgres = Options.boolean("postgres").pipe(
  Options.withDescription("use a real PostgreSQL server, started in a temporary folder, instead of one in this process")
)

const migrations = Options.text("migrations").pipe(
  Options.withPseudoName("directory"),
  Options.optional,
  Options.withDescription("a directory of .sql files, applied in the order of their names; default: the marketplace")
)

const seed = Given.option("seed", {
  type: "file",
  what: "a seed is the path of a .sql file",
  example: "supabase/seed.sql",
  read: (text) => (text.endsWith(".sql") ? Option.some(text) : Option.none())
}).pipe(
  Options.optional,
  Options.withDescription(
    "what to load after the migrations; default: the marketplace's seed, but only with its migrations"
  )
)

const names = { anonKey: "SUPABASE_ANON_KEY", serviceRoleKey: "SUPABASE_SERVICE_ROLE_KEY" } as const

/** As everywhere, a variable that holds only white space is unset. */
const key = (name: string) =>
  Effect.map(
    Config.option(Config.redacted(name)),
    Option.filter((value) => Redacted.value(value).trim() !== "")
  )

/** Programs that have the printed lines in their environment keep working after a restart. */
const knownKeys = Effect.gen(function* () {
  const anonKey = yield* key(names.anonKey)
  const serviceRoleKey = yield* key(names.serviceRoleKey)
  if (Option.isSome(anonKey) !== Option.isSome(serviceRoleKey)) {
    const [is, isNot] = Option.isSome(anonKey)
      ? [names.anonKey, names.serviceRoleKey]
      : [names.serviceRoleKey, names.anonKey]
    return yield* new Failed({
      reason: `${is} is set and ${isNot} is not. Nothing was started. Set both, so that programs that use them keep working, or neither.`
    })
  }
  return Option.getOrUndefined(Option.all({ anonKey, serviceRoleKey }))
})

export const embedded = Command.make("embedded", { port, postgres, migrations, seed }, (options) =>
  Effect.scoped(
    Effect.gen(function* () {
      const keys = yield* knownKeys
      const server = options.postgres ? yield* postgresServer() : undefined
      const database = yield* Embedded.make({
        port: options.port,
        keys,
        postgres: server?.url,
        migrations: Option.getOrUndefined(options.migrations),
        seed: Option.getOrUndefined(options.seed)
      })
      yield* Console.log(
        [
          `SUPABASE_URL=${database.url}`,
          `SUPABASE_ANON_KEY=${Redacted.value(database.anonKey)}`,
          `SUPABASE_SERVICE_ROLE_KEY=${Redacted.value(database.serviceRoleKey)}`
        ].join("\n")
      )
      return yield* Effect.never
    })
  )
).pipe(
  Command.withDescription(
    "Starts only the embedded database, with the marketplace or with your own migrations. Prints the SUPABASE_* lines and serves until it is stopped. If SUPABASE_ANON_KEY and SUPABASE_SERVICE_ROLE_KEY are set, it uses those keys."
  )
)
