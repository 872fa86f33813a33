/** A step reaches the relations and functions that PostgREST shows, and nothing else. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Step } from "../../src/internal/transaction/step.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import { codeOf, migrationUnderTest, type Scratch, scratch } from "../support/scratch.js"

/** One of each kind that the catalogue has, some in several places. */
const kinds = `
  create table public.plain (id int primary key, body text);
  create unlogged table public.unlogged (id int);
  create table public."Mixed ""case""" (id int);
  create table public.parent (id int);
  create table public.child () inherits (public.parent);
  create table public.measured (id int, body text) partition by range (id);
  create table public.measured_low partition of public.measured for values from (0) to (100);
  create table public.measured_high partition of public.measured for values from (100) to (1000) partition by range (id);
  create table public.measured_high_a partition of public.measured_high for values from (100) to (200);
  create foreign data wrapper nowhere;
  create server nowhere foreign data wrapper nowhere;
  create foreign table public.remote (id int) server nowhere;
  create foreign table public.measured_remote partition of public.measured for values from (1000) to (2000) server nowhere;
  create index measured_id on public.measured (id);
  create view public.shown as select * from public.plain;
  create view public.shown_partition as select * from public.measured_low;
  create view public.as_invoker with (security_invoker = true) as select * from public.plain;
  create materialized view public.stored as select * from public.plain;
  create sequence public.counted;
  create type public.composite as (a int, b text);
  create extension pg_stat_statements schema public;
  create schema api;
  create table api.offered (id int);
  create table api.split (id int) partition by list (id);
  create table api.split_one partition of api.split for values in (1);
  create schema private;
  create table private.kept (id int);
  create table private.split_two partition of api.split for values in (2);
  grant usage on schema api, private to anon, authenticated, service_role;
  grant all on all tables in schema public, api, private to anon, authenticated, service_role;
  create or replace function supabase_pool.exposed_schemas() returns text[] language sql as $$
    select array['public', 'api', 'pg_catalog', 'information_schema', 'pg_toast', 'supabase_pool', 'pg_temp']
  $$;
`

/** PostgREST's rule, said once more: its schemas less PostgreSQL's own, five kinds, no partition. */
const shownByPostgrest = `
  select n.nspname::text as schema, c.relname::text as table
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'api') and c.relkind in ('v', 'r', 'm', 'f', 'p') and not c.relispartition
  order by 1, 2
`

const everyRelation =
  "select n.nspname::text as schema, c.relname::text as table from pg_class c join pg_namespace n on n.oid = c.relnamespace order by 1, 2"

const select = (schema: string, table: string): Step => ({ op: "select", schema, table, returning: "*", limit: 1 })

const isReached = async (database: Scratch, schema: string, table: string): Promise<boolean> => {
  const step = JSON.stringify(select(schema, table)).replaceAll("'", "''")
  const outcome = await database.ask({ role: "service_role" }, `select supabase_pool.check_exposed('${step}')`)
  return "gave" in outcome
}

const nameOf = ({ schema, table }: Record<string, unknown>): string => `${String(schema)}.${String(table)}`

const anon = { role: "anon" }

describePostgres("what a step can name", () => {
  layer(PostgresUrl.Live, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.scoped("is what PostgREST shows, of every relation that a database has", () =>
      Effect.gen(function* () {
        const database = yield* scratch([yield* migrationUnderTest, kinds])
        const relations = yield* Effect.promise(() => database.run(everyRelation))
        const reached: Array<string> = []
        for (const relation of relations) {
          const { schema, table } = relation
          if (yield* Effect.promise(() => isReached(database, String(schema), String(table)))) {
            reached.push(nameOf(relation))
          }
        }
        const shown = yield* Effect.promise(() => database.run(shownByPostgrest))
        assert.deepStrictEqual(reached, shown.map(nameOf))
        // By hand, so that a mistake in both is seen.
        assert.deepStrictEqual(
          new Set(reached),
          new Set([
            ...["api.offered", "api.split", 'public.Mixed "case"', "public.as_invoker", "public.child"],
            ...["public.measured", "public.parent", "public.plain", "public.remote", "public.shown"],
            ...["public.shown_partition", "public.stored", "public.unlogged"],
            ...["public.pg_stat_statements", "public.pg_stat_statements_info"]
          ])
        )
      })
    )

    it.scoped("is no partition: row level security of the whole holds, whatever the step does", () =>
      Effect.gen(function* () {
        const database = yield* scratch([
          yield* migrationUnderTest,
          kinds,
          `grant execute on function public.supabase_pool_transaction(text, jsonb) to anon;
           drop foreign table public.measured_remote;
           alter table public.measured enable row level security;
           insert into public.measured values (1, 'secret'), (150, 'secret');`
        ])
        const partitions = ["measured_low", "measured_high", "measured_high_a"]
        const steps = (table: string): ReadonlyArray<Step> => [
          { op: "select", schema: "public", table, returning: "*" },
          { op: "update", schema: "public", table, columns: ["body"], rows: [{ body: "mine" }], returning: "*" },
          { op: "delete", schema: "public", table, returning: "*" },
          { op: "insert", schema: "public", table, columns: ["id"], rows: [{ id: 2 }] },
          { op: "upsert", schema: "public", table, columns: ["id"], rows: [{ id: 2 }], onConflict: ["id"] }
        ]
        for (const table of partitions) {
          for (const step of steps(table)) {
            const outcome = yield* Effect.promise(() => database.transact(anon, [step]))
            assert.strictEqual("refused" in outcome ? codeOf(outcome.refused) : "done", "42P01", `${step.op} ${table}`)
          }
        }
        const whole = yield* Effect.promise(() => database.transact(anon, [select("public", "measured")]))
        assert.deepStrictEqual("gave" in whole ? whole.gave.results : whole, [[]])
        assert.deepStrictEqual(yield* Effect.promise(() => database.run("select * from measured order by id")), [
          { id: 1, body: "secret" },
          { id: 150, body: "secret" }
        ])
      })
    )

    it.scoped("is neither a temporary relation nor a name that is cut to an existing one", () =>
      Effect.gen(function* () {
        const long = "x".repeat(63)
        const database = yield* scratch([yield* migrationUnderTest, kinds, `create table public.${long} (id int)`])
        const outcomes = yield* Effect.promise(() =>
          database.run(`
            create temp table fleeting (id int);
            select supabase_pool.is_shown('pg_temp', 'fleeting') as temporary,
              supabase_pool.is_shown((select nspname::text from pg_namespace where oid = pg_my_temp_schema()), 'fleeting') as by_number,
              supabase_pool.is_shown('public', 'fleeting') as bare,
              supabase_pool.is_shown('public', '${long}y') as longer,
              supabase_pool.is_shown('public', '${long}') as whole,
              supabase_pool.is_shown('public', '') as nameless
          `)
        )
        // Of several statements each has its rows; the last one's are asked for.
        assert.deepStrictEqual([outcomes.at(-1)].flat(), [
          { temporary: false, by_number: false, bare: false, longer: false, whole: true, nameless: false }
        ])
      })
    )

    it.scoped("is no function that gives a trigger, no procedure, no aggregate, no transaction", () =>
      Effect.gen(function* () {
        const database = yield* scratch([
          yield* migrationUnderTest,
          `create function public.fires() returns trigger language plpgsql as 'begin return null; end';
           create procedure public.proceeds() language sql as 'select 1';
           create aggregate public.gathers(int) (sfunc = int4pl, stype = int);
           create function public.unnamed(int) returns int language sql as 'select $1';
           create function public.works() returns int language sql as 'select 1';`
        ])
        const call = (name: string, args: object = {}): Step => ({
          op: "rpc",
          schema: "public",
          function: name,
          rows: [args]
        })
        const service = { role: "service_role" }
        const codes: Array<string> = []
        for (const step of [
          call("fires"),
          call("proceeds"),
          call("gathers", { "": 1 }),
          call("unnamed", { "": 1 }),
          call("supabase_pool_transaction", { idempotency_key: "x", steps: [] }),
          call("supabase_pool_transaction_settle", { idempotency_key: "x" }),
          call("works")
        ]) {
          const outcome = yield* Effect.promise(() => database.transact(service, [step]))
          codes.push("refused" in outcome ? codeOf(outcome.refused) : JSON.stringify(outcome.gave.results))
        }
        assert.deepStrictEqual(codes, ["42883", "42883", "42883", "42883", "42501", "42501", "[1]"])
      })
    )
  })
})
