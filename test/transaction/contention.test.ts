/**
 * Transactions that get in each other's way, on a PostgreSQL server: PGlite has one session, where nothing can. Which
 * of them PostgreSQL ends is its choice; that both are done in the end, and once, is ours.
 */
import { assert, layer } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Layer } from "effect"
import * as Db from "../../src/Db.js"
import { Embedded } from "../../src/embedded.js"
import { postgresServer } from "../../src/internal/embedded/postgresServer.js"
import { allMigrations } from "../support/migrations.js"
import { describePostgres } from "../support/postgres.js"

const tables = `
  create or replace function supabase_pool.max_steps() returns integer language sql as 'select 10000';
  create table public.accounts (id text primary key, balance int not null);
  create table public.journal (line text primary key);
  insert into public.accounts
    select name || n, 0 from unnest('{deadlock,conflict,key}'::text[]) name, generate_series(1, 2) n;
  create function public.bump(account text) returns int language sql as
    'update public.accounts set balance = balance + 1 where id = account returning balance';

  -- A place where two meet: who comes waits for the second one, and who comes again does not wait. Sequences are seen
  -- by all at once and keep what a rollback takes from all else.
  create sequence public.deadlock;
  create sequence public.conflict;
  create sequence public.key;
  create function public.meet(place regclass) returns void language plpgsql as $$
  declare
    came bigint := nextval(place);
  begin
    for turn in 1 .. 500 loop
      exit when came >= 2;
      execute format('select last_value from %s', place) into came;
      perform pg_sleep(0.01);
    end loop;
  end
  $$;
  create function public.linger() returns bigint language sql as
    $$select nextval('public.key') from pg_sleep(0.3)$$;
  create function public.came(place regclass) returns bigint language plpgsql as $$
  declare
    came bigint;
  begin
    execute format('select last_value from %s', place) into came;
    return came;
  end
  $$;
`

const database = Layer.unwrapScoped(
  Effect.gen(function* () {
    const { url } = yield* postgresServer({
      settings: { deadlock_timeout: "20ms", default_transaction_isolation: "repeatable read" }
    })
    const migrations = [...(yield* Effect.promise(allMigrations)), tables]
    const embedded = yield* Embedded.make({ postgres: url, migrations })
    return Db.layerOf({
      url: embedded.url,
      anonKey: embedded.anonKey,
      serviceRoleKey: embedded.serviceRoleKey,
      minConnections: 2,
      maxConnections: 8,
      retryDelay: "5 millis",
      enableHealthChecks: false
    })
  })
).pipe(Layer.orDie)

const balances = (name: string) =>
  Effect.map(
    Db.read((client) => client.from("accounts").select("balance").like("id", `${name}%`).order("id"), {
      as: "service"
    }),
    (rows) => rows.map(({ balance }) => balance)
  )

const journal = (prefix: string) =>
  Effect.map(
    Db.read((client) => client.from("journal").select("line").like("line", `${prefix}%`).order("line"), {
      as: "service"
    }),
    (rows) => rows.map(({ line }) => line)
  )

/** How many came to the place: those too that PostgreSQL ended there. */
const came = (place: string) => Db.rpc("came", { place })

describePostgres("transactions that get in each other's way", () => {
  layer(database, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.effect("of two in a deadlock one is ended and sent again: both are done, each once", () =>
      Effect.gen(function* () {
        const transfer = (me: number, other: number) =>
          Db.transaction([
            (client) => client.rpc("bump", { account: `deadlock${me}` }),
            (client) => client.rpc("meet", { place: "deadlock" }),
            (client) => client.rpc("bump", { account: `deadlock${other}` }),
            (client) => client.from("journal").insert({ line: `deadlock ${me}` })
          ])
        yield* Effect.all([transfer(1, 2), transfer(2, 1)], { concurrency: "unbounded" })
        assert.strictEqual(yield* came("deadlock"), 3)
        assert.deepStrictEqual(yield* balances("deadlock"), [2, 2])
        assert.deepStrictEqual(yield* journal("deadlock"), ["deadlock 1", "deadlock 2"])
      })
    )

    it.effect("of two that cannot be put in an order one is sent again: both are done, each once", () =>
      Effect.gen(function* () {
        const deposit = (me: number) =>
          Db.transaction([
            (client) => client.rpc("meet", { place: "conflict" }),
            (client) => client.rpc("bump", { account: "conflict1" }),
            (client) => client.from("journal").insert({ line: `conflict ${me}` })
          ])
        yield* Effect.all([deposit(3), deposit(4)], { concurrency: "unbounded" })
        assert.strictEqual(yield* came("conflict"), 3)
        assert.deepStrictEqual(yield* balances("conflict"), [2, 0])
        assert.deepStrictEqual(yield* journal("conflict"), ["conflict 3", "conflict 4"])
      })
    )

    it.effect("of eight with one key at the same time one is executed, and all are given what it gave", () =>
      Effect.gen(function* () {
        const once = Db.transaction(
          [
            (client) => client.rpc("linger"),
            (client) => client.rpc("bump", { account: "key1" }),
            (client) => client.from("journal").insert({ line: "key" }).select().single()
          ],
          { idempotencyKey: "the same" }
        )
        const results = yield* Effect.all(
          Array.from({ length: 8 }, () => once),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(yield* came("key"), 1)
        assert.strictEqual(new Set(results.map((result) => JSON.stringify(result))).size, 1)
        assert.deepStrictEqual(yield* balances("key"), [1, 0])
        assert.deepStrictEqual(yield* journal("key"), ["key"])
      })
    )

    it.effect("10,000 steps are one transaction where the project allows as many: all are executed", () =>
      Effect.gen(function* () {
        const steps = Array.from(
          { length: 10_000 },
          (_, n) => (client: SupabaseClient) => client.from("journal").insert({ line: `many ${n}` })
        )
        const results = yield* Db.transaction(steps)
        assert.strictEqual(results.length, 10_000)
        const { count } = yield* Db.response(
          (client) => client.from("journal").select("*", { count: "exact", head: true }).like("line", "many %"),
          { as: "service" }
        )
        assert.strictEqual(count, 10_000)
      })
    )
  })
})
