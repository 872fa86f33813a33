/**
 * Transactions that get in each other's way, on a PostgreSQL server: PGlite has one session, where nothing can. Which
 * of them PostgreSQL ends is its choice; that both are done in the end, and once, is ours.
 */
import { assert, layer } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Either, Layer, Schema } from "effect"
import * as Db from "../../src/Db.js"
import { Embedded } from "../../src/embedded.js"
import { postgresServer } from "../../src/internal/embedded/postgresServer.js"
import * as Transaction from "../../src/Transaction.js"
import { allMigrations } from "../support/migrations.js"
import { describePostgres } from "../support/postgres.js"

const tables = `
  create or replace function supabase_pool.max_steps() returns integer language sql as 'select 10000';
  create table public.accounts (id text primary key, balance int not null);
  create table public.journal (line text primary key);
  create table public.wares (id text primary key, stock int not null);
  create table public.sales (id int primary key generated always as identity, ware text references public.wares, buyer int, pieces int);
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
  create function public.nap() returns void language sql as $$select from pg_sleep(0.02)$$;
  create function public.came(place regclass) returns bigint language plpgsql as $$
  declare
    came bigint;
  begin
    execute format('select last_value from %s', place) into came;
    return came;
  end
  $$;
`

const databaseWith = (settings: Readonly<Record<string, string>>) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const { url } = yield* postgresServer({ settings })
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

const database = databaseWith({ deadlock_timeout: "20ms", default_transaction_isolation: "repeatable read" })

const wares = Db.table("wares", Schema.Struct({ id: Schema.String, stock: Schema.Int }))

const Sale = Schema.Struct({ id: Schema.Int, ware: Schema.String, buyer: Schema.Int, pieces: Schema.Int })

const sales = Db.table("sales", Sale, { generated: ["id"] })

/** What became of each of so many who all want to buy at once. */
const sold = <A>(buyers: number, buy: (buyer: number) => Effect.Effect<A, Db.DbError, Db.Db>) =>
  Effect.map(
    Effect.forEach(Array.from({ length: buyers }).keys(), (buyer) => Effect.either(buy(buyer)), {
      concurrency: "unbounded"
    }),
    (ends) => ({
      bought: ends.flatMap((end) => (Either.isRight(end) ? [end.right] : [])),
      refused: ends.flatMap((end) => (Either.isLeft(end) ? [end.left] : []))
    })
  )

const left = (id: string) =>
  Effect.all({
    ware: Db.read((client) => client.from("wares").select("stock").eq("id", id).single(), { as: "service" }),
    sales: Db.read((client) => client.from("sales").select("buyer, pieces").eq("ware", id), { as: "service" })
  })

/** As PostgREST runs, whose transactions see what others have committed. */
describePostgres("many who want the last pieces", () => {
  layer(databaseWith({ deadlock_timeout: "20ms" }), { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.effect(
      "50 buyers of 20 pieces buy exactly 20: each of the others is told which guard failed, and at which step",
      () =>
        Effect.gen(function* () {
          yield* wares.create({ id: "last", stock: 20 })
          const { bought, refused } = yield* sold(50, (buyer) =>
            Db.transaction([
              sales.createStep({ ware: "last", buyer, pieces: 1 }),
              wares.updateStep(
                "last",
                { stock: Transaction.decrement(1) },
                { expect: { stock: Transaction.atLeast(1) } }
              )
            ])
          )
          assert.deepStrictEqual(
            bought.map(([, { stock }]) => stock).toSorted((a, b) => a - b),
            [...Array.from({ length: 20 }).keys()]
          )
          assert.strictEqual(refused.length, 30)
          for (const error of refused) {
            assert.deepInclude(error, {
              _tag: "GuardFailed",
              step: 1,
              id: "last",
              column: "stock",
              guard: "at least 1"
            })
          }
          const found = yield* left("last")
          assert.strictEqual(found.ware.stock, 0)
          assert.deepStrictEqual(
            found.sales.map(({ buyer }) => Number(buyer)).toSorted((a, b) => a - b),
            bought.map(([{ buyer }]) => buyer).toSorted((a, b) => a - b)
          )
        })
    )

    it.effect(
      "20 buyers of all there is leave it to one: a row that was read under a lock is what later steps take it for",
      () =>
        Effect.gen(function* () {
          yield* wares.create({ id: "all", stock: 7 })
          const { bought, refused } = yield* sold(20, (buyer) => {
            const ware = wares.getStep("all", { lock: "update", expect: { stock: Transaction.moreThan(0) } })
            const pieces = Transaction.ref(ware, "stock")
            return Db.transaction([
              ware,
              sales.createStep({ ware: "all", buyer, pieces }),
              wares.updateStep("all", { stock: Transaction.decrement(pieces) })
            ])
          })
          assert.deepStrictEqual(
            bought.map(([ware, sale, after]) => [ware.stock, sale.pieces, after.stock]),
            [[7, 7, 0]]
          )
          assert.deepStrictEqual(
            refused.map((error) => `${error._tag} at ${"step" in error ? error.step : "no step"}`),
            Array.from({ length: 19 }, () => "GuardFailed at 0")
          )
          const found = yield* left("all")
          assert.deepStrictEqual([found.ware.stock, found.sales.map(({ pieces }) => pieces)], [0, [7]])
        })
    )

    it.effect("one lock takes turns with another: what 16 read and write back is counted 16 times", () =>
      Effect.gen(function* () {
        yield* wares.create({ id: "turns", stock: 0 })
        yield* Effect.forEach(
          Array.from({ length: 16 }).keys(),
          () => {
            const ware = wares.getStep("turns", { lock: "update" })
            return Db.transaction([
              ware,
              (client) => client.rpc("nap"),
              // Written back as it was read, and one more: without the lock this loses updates.
              wares.updateStep("turns", { stock: Transaction.ref(ware, "stock") }),
              wares.updateStep("turns", { stock: Transaction.increment(1) })
            ])
          },
          { concurrency: "unbounded" }
        )
        assert.strictEqual((yield* left("turns")).ware.stock, 16)
      })
    )
  })
})

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
