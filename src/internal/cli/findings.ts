/** What `supabase-pool check` looks at: each finding says what is so and, where it is wrong, how to mend it. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Either, Option, Schema } from "effect"
import type * as Config from "../../Config.js"
import * as Db from "../../Db.js"

export interface Finding {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  readonly remedy: string
}

/** What this version of the package expects in the database; see `supabase_pool_version` in the migration. */
export const expectedVersion = 1

const good = (name: string, detail: string): Finding => ({ name, ok: true, detail, remedy: "" })

const bad = (name: string, detail: string, remedy: string): Finding => ({ name, ok: false, detail, remedy })

export const configuration = (loaded: Config.Loaded): ReadonlyArray<Finding> => [
  good("configuration", `${loaded.pool.minConnections} to ${loaded.pool.maxConnections} connections`),
  Option.match(loaded.supabase, {
    onNone: () =>
      bad(
        "database",
        "SUPABASE_URL is not set",
        "Set SUPABASE_URL, SUPABASE_ANON_KEY and SUPABASE_SERVICE_ROLE_KEY (Supabase dashboard, Project settings, API keys)."
      ),
    onSome: ({ url }) => good("database", url)
  })
]

const ping = (client: SupabaseClient) => client.rpc("supabase_pool_ping", {}, { get: true })

/** The function may be missing: that is another finding, and shows that the key was taken. */
const answers = (error: Db.DbError): boolean =>
  error._tag === "QueryError" && error.status < 500 && error.status !== 401

const key = (
  name: string,
  variables: string,
  ask: Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>
): Effect.Effect<Finding, never, Db.Db | Db.ReadDb> =>
  Effect.match(ask, {
    onSuccess: () => good(name, "the database answers"),
    onFailure: (error) =>
      answers(error)
        ? good(name, "the database answers")
        : bad(name, error.message, error._tag === "QueryError" && error.status === 401 ? `Check ${variables}.` : "")
  })

const Version = Schema.Int

const migrationName = "20250918080000_supabase_pool.sql"

const install = `Run \`supabase-pool migration\`, then apply ${migrationName} (\`supabase db push\`, or the SQL editor).`

const transactionFunction: Effect.Effect<Finding, never, Db.Db | Db.ReadDb> = Effect.gen(function* () {
  const name = "transaction function"
  const answer = yield* Effect.either(Db.rpc("supabase_pool_version"))
  if (Either.isLeft(answer)) {
    const { left: error } = answer
    const missing = error._tag === "QueryError" && error.status === 404
    return bad(name, missing ? "is not installed" : error.message, missing ? install : "")
  }
  const version = Schema.decodeUnknownOption(Version)(answer.right)
  if (Option.contains(version, expectedVersion)) return good(name, `version ${expectedVersion}`)
  return Option.match(version, {
    onNone: () => bad(name, "gave no version", install),
    onSome: (found) =>
      found < expectedVersion
        ? bad(name, `is old: version ${found}, and this package expects ${expectedVersion}`, install)
        : bad(
            name,
            `is version ${found}, newer than the ${expectedVersion} of this package`,
            "Update effect-supabase-pool."
          )
  })
})

/** Asks the database; nothing is written. */
export const connection: Effect.Effect<ReadonlyArray<Finding>, never, Db.Db | Db.ReadDb> = Effect.all([
  key("anon key", "SUPABASE_ANON_KEY (or SUPABASE_PUBLISHABLE_KEY)", Db.read(ping)),
  key("service-role key", "SUPABASE_SERVICE_ROLE_KEY (or SUPABASE_SECRET_KEY)", Db.read(ping, { as: "service" })),
  transactionFunction
])

export const line = ({ detail, name, ok, remedy }: Finding): string =>
  `${ok ? "ok   " : "wrong"} ${name}: ${detail}${remedy === "" ? "" : `\n      ${remedy}`}`
