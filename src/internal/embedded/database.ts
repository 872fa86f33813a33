import * as Effect from "effect/Effect"
import type { Engine } from "./engine.js"
import type { Packages } from "./packages.js"
import type { Sql } from "./sources.js"
import { databaseBroken, EmbeddedStartFailed, wordsOf } from "./startFailed.js"

/**
 * What a Supabase project has before its first migration. The roles, the default privileges and the functions in `auth`
 * are those that migrations rely on; migrations that take privileges away find them given, as on a real project.
 */
const roles = `
  do $$
  declare
    wanted text;
  begin
    -- A server has its roles for all its databases: another start, also at this moment, may have made them.
    foreach wanted in array '{anon,authenticated,service_role bypassrls}'::text[] loop
      begin
        execute 'create role ' || wanted || ' nologin noinherit';
      exception when duplicate_object or unique_violation then
        null;
      end;
    end loop;
  end
  $$;
  -- As hosted projects have it; a server of another locale would search by other words.
  do $$
  begin
    execute format('alter database %I set default_text_search_config = %L', current_database(), 'pg_catalog.english');
  end
  $$;
  set default_text_search_config = 'pg_catalog.english';
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

/**
 * The first request that meets a table with row level security makes lite grant *everything* on *all* tables there are
 * to the request roles. Letting it do so on a table made for the purpose, before the first migration, keeps the
 * privileges as the migrations leave them.
 */
const grantEarly = ({ connection }: Engine): Effect.Effect<void, EmbeddedStartFailed> =>
  Effect.tryPromise({
    try: () => connection.withContext({ auth: { role: "anon" } }, () => Promise.resolve()),
    catch: databaseBroken
  })

const execute = (
  engine: Engine,
  stage: "migration" | "seed"
): ((sql: Sql) => Effect.Effect<void, EmbeddedStartFailed>) => {
  return (sql) =>
    Effect.asVoid(
      Effect.tryPromise({
        try: () => engine.runAtomically(sql.text),
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
 * Makes an empty database what a Supabase project is, then applies the migrations and the seed, each in a transaction of
 * its own.
 *
 * Lite's migrator is not used: it compares with a second database, which doubles the start, and ignores data.
 */
export const prepareDatabase = (
  lite: Packages,
  engine: Engine,
  migrations: ReadonlyArray<Sql>,
  seed: ReadonlyArray<Sql>
): Effect.Effect<void, EmbeddedStartFailed> =>
  Effect.gen(function* () {
    const prepare = (sql: string) => Effect.tryPromise({ try: () => engine.run(sql), catch: databaseBroken })
    yield* prepare(roles + lite.getAuthSchemaSql() + lite.helpersSql)
    yield* grantEarly(engine)
    yield* prepare(authGrants)
    yield* Effect.forEach(migrations, execute(engine, "migration"), { discard: true })
    yield* Effect.forEach(seed, execute(engine, "seed"), { discard: true })
  })
