/** What Supabase's own linters say of the migration: nothing. Its rule for search paths, and plpgsql_check where it is there. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import { earlierMigrations, migrationUnderTest, type Scratch, scratch } from "../support/scratch.js"

/** What `db advisors` calls function_search_path_mutable (0011): a function, of no extension, whose search path is the caller's. */
const mutable = `
  select p.oid::regprocedure::text as name
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('public', 'supabase_pool')
    and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    and not exists (select from unnest(p.proconfig) as setting where setting like 'search_path=%')
  order by 1
`

/** multiple_permissive_policies (0006), rls_enabled_no_policy (0008) and rls_disabled_in_public (0013), for the tables of ours. */
const tables = `
  select c.relname as name, c.relrowsecurity as secured, count(p.polname)::int as policies
  from pg_class c left join pg_policy p on p.polrelid = c.oid
  where c.relnamespace = 'supabase_pool'::regnamespace and c.relkind = 'r' group by 1, 2 order by 1
`

/** What \`db lint\` asks, with every warning but of speed, and of SQL is executed which is made at run time: that is what it does. */
const linted = `
  select p.oid::regprocedure::text || ': ' || told.message as said
  from pg_proc p
  join pg_language l on l.oid = p.prolang
  join pg_namespace n on n.oid = p.pronamespace
  cross join lateral plpgsql_check_function_tb(
    p.oid, fatal_errors => false, other_warnings => true, extra_warnings => true
  ) as told
  where l.lanname = 'plpgsql' and n.nspname in ('public', 'supabase_pool') and p.prorettype <> 'trigger'::regtype
  order by 1
`

const of = (database: Scratch, sql: string) => Effect.promise(() => database.run(sql))

describePostgres("the migration, as Supabase's linters see it,", () => {
  layer(PostgresUrl.Live, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.scoped("has no function whose search path is the caller's, in a new project and in one of before", () =>
      Effect.gen(function* () {
        const migration = yield* migrationUnderTest
        for (const before of [[], ...(yield* earlierMigrations).map((one) => [one])]) {
          const database = yield* scratch([...before, migration])
          assert.deepStrictEqual(yield* of(database, mutable), [])
        }
      })
    )

    it.scoped("has one policy for each table, and none of its tables is without", () =>
      Effect.gen(function* () {
        const migration = yield* migrationUnderTest
        for (const before of [[], ...(yield* earlierMigrations).map((one) => [one])]) {
          const database = yield* scratch([...before, migration])
          assert.deepStrictEqual(yield* of(database, tables), [
            { name: "transactions", secured: true, policies: 1 },
            { name: "transactions_before_4", secured: true, policies: 1 }
          ])
        }
      })
    )

    it.scoped("has nothing that plpgsql_check warns of", ({ skip }) =>
      Effect.gen(function* () {
        const database = yield* scratch([yield* migrationUnderTest])
        const [available] = yield* of(
          database,
          "select count(*)::int as n from pg_available_extensions where name = 'plpgsql_check'"
        )
        if (available?.["n"] !== 1) return skip("Debian: apt-get install postgresql-15-plpgsql-check")
        yield* of(
          database,
          "create schema lint; create extension plpgsql_check schema lint; set search_path = public, lint"
        )
        const said = yield* of(
          database,
          linted.replaceAll("plpgsql_check_function_tb", "lint.plpgsql_check_function_tb")
        )
        assert.deepStrictEqual(said, [])
      })
    )
  })
})
