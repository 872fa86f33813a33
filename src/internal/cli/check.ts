import { Command, Options } from "@effect/cli"
import { Console, Effect, Layer, Logger, LogLevel, Option } from "effect"
import { load, PoolConfig, type PoolOptions, SupabaseConfig, type SupabaseOptions } from "../../Config.js"
import * as Db from "../../Db.js"
import { environment } from "../config/environment.js"
import { problemOf } from "../config/mistake.js"
import { keySources } from "../config/supabase.js"
import { printableJson } from "../shared/printable.js"
import { SaidAlready } from "./failed.js"
import { bad, configuration, connection, type Finding, line, notChecked } from "./findings.js"

/** Two sockets and no retries: this is a single query, not a service. */
const database = (supabase: SupabaseOptions, pool: PoolOptions) =>
  Db.layer.pipe(
    Layer.provide(
      Layer.merge(
        Layer.succeed(SupabaseConfig, supabase),
        Layer.succeed(PoolConfig, {
          ...pool,
          minConnections: 1,
          maxConnections: 2,
          maxRetries: 0,
          enableHealthChecks: false
        })
      )
    )
  )

const findings: Effect.Effect<ReadonlyArray<Finding>> = Effect.matchEffect(load, {
  onFailure: ({ mistakes }) =>
    Effect.succeed([
      ...mistakes.map((mistake) => bad(mistake.variable, problemOf(mistake), mistake.remedy)),
      notChecked("database", "because the configuration has mistakes")
    ]),
  onSuccess: (loaded) =>
    Option.match(loaded.supabase, {
      onNone: () => Effect.succeed(configuration(loaded)),
      onSome: (supabase) =>
        environment.pipe(
          Effect.flatMap(({ values }) => connection(supabase.url, keySources(values))),
          Effect.provide(database(supabase, loaded.pool)),
          Effect.map((asked) => [...configuration(loaded), ...asked])
        )
    })
})

const json = Options.boolean("json").pipe(Options.withDescription("print the findings as JSON"))

export const check = Command.make("check", { json }, (options) =>
  Effect.gen(function* () {
    // The findings report it; a log line would repeat them.
    const found = yield* findings.pipe(Logger.withMinimumLogLevel(LogLevel.None))
    const ok = found.every((finding) => finding.ok)
    yield* Console.log(
      options.json ? printableJson(JSON.stringify({ ok, findings: found }, null, 2)) : found.map(line).join("\n")
    )
    if (!ok) return yield* new SaidAlready()
  })
).pipe(
  Command.withDescription(
    "Reads the environment, connects, and tells what is wrong and how to fix it. Writes nothing. Exit code 0 when all is well, else 1."
  )
)
