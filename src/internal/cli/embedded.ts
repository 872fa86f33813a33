import { Command, Options } from "@effect/cli"
import { Console, Effect, Redacted } from "effect"
import { Embedded } from "../../embedded.js"

const port = Options.integer("port").pipe(
  Options.withDefault(54321),
  Options.withDescription("port on 127.0.0.1; 0 takes a free one")
)

export const embedded = Command.make("embedded", { port }, (options) =>
  Effect.scoped(
    Effect.gen(function* () {
      const database = yield* Embedded.make({ port: options.port })
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
    "Only the embedded database, with the marketplace: prints the SUPABASE_* lines and serves until it is stopped."
  )
)
