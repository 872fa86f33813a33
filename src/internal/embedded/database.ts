import type { PgliteConnection } from "@supabase/lite/pglite"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Packages } from "./packages.js"
import type { Sql } from "./sources.js"
import { asPostgrest } from "./sqlstate.js"
import { EmbeddedStartFailed, wordsOf } from "./startFailed.js"

/**
 * PostgREST lets PostgreSQL write the JSON; lite writes it from the rows. These two make the values come out alike:
 * numeric as a number (`19.90` was the string "19.90"), timestamps with a `T` and a whole offset.
 */
const parsers: Readonly<Record<number, (value: string) => string | number>> = {
  1700: Number,
  1114: (value) => value.replace(" ", "T"),
  1184: (value) => value.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00")
}

/**
 * What a Supabase project has before its first migration. The roles, the default privileges and the functions in `auth`
 * are those that migrations rely on; migrations that take privileges away find them given, as on a real project.
 */
const roles = `
  create role anon nologin noinherit;
  create role authenticated nologin noinherit;
  create role service_role nologin noinherit bypassrls;
  create schema extensions;
  grant usage on schema public, extensions to anon, authenticated, service_role;
  alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
  alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
  alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
  create schema embedded;
  create table embedded.row_level_security ();
  alter table embedded.row_level_security enable row level security;
`
const authGrants = `
  grant usage on schema auth to anon, authenticated, service_role;
  drop schema embedded cascade;
`

const broken = (cause: unknown): EmbeddedStartFailed =>
  new EmbeddedStartFailed({ stage: "database", reason: `PostgreSQL did not come up (${wordsOf(cause)})`, cause })

const opened = (lite: Packages): Effect.Effect<PgliteConnection, EmbeddedStartFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({ try: () => lite.createPgliteConnection({ pgliteOptions: { parsers } }), catch: broken }),
    (connection) => Effect.ignore(Effect.tryPromise(() => connection.close()))
  )

/**
 * The first request that meets a table with row level security makes lite grant *everything* on *all* tables there are
 * to the request roles. Letting it do so on a table made for the purpose, before the first migration, keeps the
 * privileges as the migrations leave them.
 */
const grantEarly = (connection: PgliteConnection): Effect.Effect<void, EmbeddedStartFailed> =>
  Effect.tryPromise({
    try: () => connection.withContext({ auth: { role: "anon" } }, () => Promise.resolve()),
    catch: broken
  })

const execute = (
  connection: PgliteConnection,
  stage: "migration" | "seed"
): ((sql: Sql) => Effect.Effect<void, EmbeddedStartFailed>) => {
  return (sql) =>
    Effect.asVoid(
      Effect.tryPromise({
        try: () => connection.driver.transaction((transaction) => transaction.exec(sql.text)),
        catch: (cause) =>
          new EmbeddedStartFailed({
            stage,
            reason: `PostgreSQL refused the ${stage} ${sql.name} (${wordsOf(cause)})`,
            cause
          })
      })
    )
}

/**
 * PostgreSQL in this process with the migrations and then the seed applied, each in a transaction of its own.
 *
 * Lite's migrator is not used: it compares with a second database, which doubles the start, and ignores data.
 */
export const openDatabase = (
  lite: Packages,
  migrations: ReadonlyArray<Sql>,
  seed: ReadonlyArray<Sql>
): Effect.Effect<PgliteConnection, EmbeddedStartFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* opened(lite)
    connection.normalizeDbError = asPostgrest
    const prepare = (sql: string) => Effect.tryPromise({ try: () => connection.driver.exec(sql), catch: broken })
    yield* prepare(roles + lite.getAuthSchemaSql() + lite.helpersSql)
    yield* grantEarly(connection)
    yield* prepare(authGrants)
    yield* Effect.forEach(migrations, execute(connection, "migration"), { discard: true })
    yield* Effect.forEach(seed, execute(connection, "seed"), { discard: true })
    return connection
  })
