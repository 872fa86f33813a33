import { Command, Options } from "@effect/cli"
import type { FileSystem, Path } from "@effect/platform"
import { Console, Effect, Layer, Logger, LogLevel, Option } from "effect"
import { load, PoolConfig, type PoolOptions, SupabaseConfig, type SupabaseOptions } from "../../Config.js"
import * as Db from "../../Db.js"
import { environment } from "../config/environment.js"
import { problemOf } from "../config/mistake.js"
import { keySources } from "../config/supabase.js"
import { proxyTo } from "../connection/proxy.js"
import { printableJson } from "../shared/printable.js"
import { SaidAlready } from "./failed.js"
import {
  askedOfDatabase,
  bad,
  configuration,
  connection,
  type Finding,
  good,
  line,
  notChecked,
  warning
} from "./findings.js"
import { placeIn } from "./migration.js"
import { fromStatus, statusNames } from "./statusNames.js"
import { surroundings } from "./surroundings.js"

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

/** What leads to the database, where that is not the network alone. */
const proxy = (url: string, configured: PoolOptions["proxy"]): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.map(proxyTo(new URL(url), configured), (through) => {
    if (through === undefined) return []
    const name =
      configured === "environment" ? (url.startsWith("https:") ? "HTTPS_PROXY" : "HTTP_PROXY") : "DB_POOL_PROXY"
    return typeof through === "string"
      ? [bad("proxy", `${through} is not the address of an HTTP proxy`, "Correct it, or set DB_POOL_PROXY=none.")]
      : [good("proxy", `through ${through.url.origin}, from ${name}; DB_POOL_PROXY=none goes without`)]
  })

/** The folder in which `supabase db push` looks. */
const folder = "supabase/migrations"

const writeIt = "Run `npx supabase-pool migration`, then `supabase db push`."

/** What the next `supabase db push` would do to the transaction function. */
const migration: Effect.Effect<ReadonlyArray<Finding>, never, FileSystem.FileSystem | Path.Path> = Effect.map(
  placeIn(folder),
  Option.match({
    onNone: () => [],
    onSome: (place) => {
      if (place._tag === "Same") return [good("migration", `${folder}/${place.name} is the one of this package`)]
      if (place._tag === "Differs") {
        const differs = `${folder}/${place.name} is not the one of this package`
        return [
          warning(
            "migration",
            differs,
            "`npx supabase-pool migration --force` replaces it, where the change was not meant."
          )
        ]
      }
      const last = place.earlier.at(-1)
      return last === undefined
        ? [
            warning(
              "migration",
              `${folder} has none of this package: another database made from it would lack the transaction function`,
              writeIt
            )
          ]
        : [bad("migration", `${folder}/${last} is of an earlier version`, writeIt)]
    }
  })
)

const around = (supabase: SupabaseOptions, pool: PoolOptions, sources: ReturnType<typeof keySources>) =>
  Effect.gen(function* () {
    const through = yield* proxy(supabase.url, pool.proxy)
    const seen = yield* surroundings(supabase, pool)
    if (seen.leadsElsewhere) {
      const others = askedOfDatabase.map((name) => notChecked(name, "because the address leads elsewhere"))
      return [...through, ...seen.findings, ...others]
    }
    return [...through, ...(yield* connection(supabase.url, sources)), ...seen.findings]
  }).pipe(Effect.provide(database(supabase, pool)))

const findings: Effect.Effect<ReadonlyArray<Finding>, never, FileSystem.FileSystem | Path.Path> = Effect.matchEffect(
  load,
  {
    onFailure: ({ mistakes }) =>
      Effect.succeed([
        ...mistakes.map((mistake) => bad(mistake.variable, problemOf(mistake), mistake.remedy)),
        notChecked("database", "because the configuration has mistakes")
      ]),
    onSuccess: (loaded) =>
      Option.match(loaded.supabase, {
        onNone: () => Effect.succeed(configuration(loaded)),
        onSome: (supabase) =>
          Effect.gen(function* () {
            const { values } = yield* environment
            const asked = yield* around(supabase, loaded.pool, keySources(values))
            return [...configuration(loaded), ...asked, ...(yield* migration)]
          })
      })
  }
)

const json = Options.boolean("json").pipe(Options.withDescription("print the findings as JSON"))

export const check = Command.make("check", { json }, (options) =>
  Effect.gen(function* () {
    // The findings report it; a log line would repeat them.
    const status = yield* fromStatus
    const found = [
      ...statusNames(status),
      ...(yield* status.provide(findings).pipe(Logger.withMinimumLogLevel(LogLevel.None)))
    ]
    // Some things cannot be seen from outside; where nothing could be asked, another finding says why.
    const ok = found.every((finding) => finding.ok || finding.checked === false)
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
