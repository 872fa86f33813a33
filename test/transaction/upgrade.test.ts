/** A project that has an earlier version of the transaction function: what it is told, and what becomes of its keys. */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import * as Db from "../../src/Db.js"
import { Embedded } from "../../src/embedded.js"
import { connection, expectedVersion } from "../../src/internal/cli/findings.js"
import type { Step } from "../../src/internal/transaction/step.js"
import * as Transaction from "../../src/Transaction.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import {
  earlierMigrations,
  newMigration,
  type Outcome,
  oldMigration,
  type Scratch,
  said,
  scratch
} from "../support/scratch.js"

const tables = `
  create table public.notes (id int primary key generated always as identity, body text);
  create schema api;
  create table api.offered (id int);
  grant usage on schema api to anon, authenticated, service_role;
  grant all on api.offered to anon, authenticated, service_role;
  create or replace function supabase_pool.exposed_schemas() returns text[] language sql as $$select array['public', 'api']$$;
`

const service = { role: "service_role" }
const ann = { role: "authenticated", sub: "00000000-0000-4000-8000-000000000001" }
const bob = { role: "authenticated", sub: "00000000-0000-4000-8000-000000000002" }
const anon = { role: "anon" }

const note = (body: string): Step => ({
  op: "insert",
  schema: "public",
  table: "notes",
  columns: ["body"],
  rows: [{ body }],
  returning: "*"
})
const read: Step = { op: "select", schema: "public", table: "notes", returning: "*" }
const offered: Step = { op: "select", schema: "api", table: "offered", returning: "*" }

/** Where version 4 leaves the records of those before. */
const recordsOf = (version: "before" | "after"): string =>
  version === "before" ? "supabase_pool.transactions" : "supabase_pool.transactions_before_4"

const states = (version: "before" | "after"): string => `
  select (select count(*)::int from public.notes) as notes,
    (select jsonb_agg(jsonb_build_object('caller', caller, 'key', key, 'fingerprint', fingerprint, 'result', result)
      order by caller, key)::text from ${recordsOf(version)}) as records
`

/** What `supabase-pool check` says of the function on a database with these migrations. */
const verdict = (migrations: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { anonKey, serviceRoleKey, url } = yield* Embedded.make({ postgres: yield* PostgresUrl, migrations })
    const pool = Layer.orDie(Db.layerOf({ url, anonKey, serviceRoleKey, minConnections: 1, maxConnections: 2 }))
    return (yield* Effect.provide(connection(url), pool)).find(({ name }) => name === "transaction function")
  }).pipe(Effect.scoped)

describePostgres("a project with an earlier version of the transaction function", () => {
  layer(PostgresUrl.Live, { excludeTestServices: true, timeout: 60_000 })((it) => {
    const before = Effect.gen(function* () {
      const database = yield* scratch([yield* oldMigration, tables])
      const sent = [
        [service, [note("service")], "first"],
        [ann, [note("ann")], "first"],
        [bob, [note("bob")], "first"],
        [ann, [read], "read"],
        [anon, [note("anon")], "first"]
      ] as const
      const gave: Array<Outcome<unknown>> = []
      for (const [caller, steps, key] of sent) {
        gave.push(yield* Effect.promise(() => database.transact(caller, steps, { key })))
      }
      yield* Effect.promise(() => database.settle(ann, "never"))
      return { database, sent, gave }
    })
    const upgraded = (database: Scratch) =>
      Effect.flatMap(newMigration, (migration) => Effect.promise(() => database.run(migration)))

    it.scoped("has it replaced by the new file, also twice, and all records of before as they were", () =>
      Effect.gen(function* () {
        const { database } = yield* before
        const was = yield* Effect.promise(() => database.run(states("before")))
        yield* upgraded(database)
        yield* upgraded(database)
        assert.deepStrictEqual(yield* Effect.promise(() => database.run(states("after"))), was)
        const [found] = yield* Effect.promise(() =>
          database.run(`
            select public.supabase_pool_version() as version,
              to_regprocedure('supabase_pool.run_step(jsonb, jsonb)') is null as is_clean,
              (select count(*)::int from pg_policy where polrelid in ('supabase_pool.transactions'::regclass, 'supabase_pool.transactions_before_4'::regclass)) as policies
          `)
        )
        assert.deepStrictEqual(found, { version: expectedVersion, is_clean: true, policies: 2 })
      })
    )

    it.scoped(
      "honours the keys of before: the same result, nothing executed again, and what was settled stays so",
      () =>
        Effect.gen(function* () {
          const { database, gave, sent } = yield* before
          yield* upgraded(database)
          yield* Effect.promise(() =>
            database.run("grant execute on function public.supabase_pool_transaction(text, jsonb) to anon")
          )
          const was = yield* Effect.promise(() => database.run(states("after")))
          for (const [index, [caller, steps, key]] of sent.entries()) {
            const again = yield* Effect.promise(() => database.transact(caller, steps, { key }))
            const first = gave[index]
            if (first === undefined || !("gave" in first)) return assert.fail("the first one was refused")
            assert.deepStrictEqual(again, { gave: { ...Object(first.gave), replayed: true } })
          }
          const refused = [
            yield* Effect.promise(() => database.transact(ann, [note("never")], { key: "never" })),
            yield* Effect.promise(() => database.transact(ann, [read], { key: "never" })),
            yield* Effect.promise(() => database.transact(ann, [note("other")], { key: "first" })),
            yield* Effect.promise(() => database.transact(ann, [read, read], { key: "read" }))
          ]
          assert.deepStrictEqual(refused.map(said), ["57014", "57014", "22023", "22023"])
          assert.deepStrictEqual(said(yield* Effect.promise(() => database.settle(ann, "first"))), [
            { answer: '{"executed": true}' }
          ])
          assert.deepStrictEqual(yield* Effect.promise(() => database.run(states("after"))), was)
        })
    )

    it.scoped("goes on: new keys, the schemas that it opened, and records that are swept when they are old", () =>
      Effect.gen(function* () {
        const { database } = yield* before
        yield* upgraded(database)
        yield* Effect.promise(() =>
          database.run("update supabase_pool.transactions_before_4 set created_at = now() - interval '2 days'")
        )
        const done = yield* Effect.promise(() => database.transact(ann, [note("new"), offered], { key: "new" }))
        assert.isTrue("gave" in done)
        const left = yield* Effect.promise(() =>
          database.run(`
            select (select count(*)::int from supabase_pool.transactions_before_4) as before,
              (select count(*)::int from supabase_pool.transactions) as now
          `)
        )
        assert.deepStrictEqual(left, [{ before: 0, now: 1 }])
      })
    )

    it.scoped("no longer lets anon send any, unless it grants that", () =>
      Effect.gen(function* () {
        const { database } = yield* before
        yield* upgraded(database)
        const asked = () => Effect.promise(() => database.transact(anon, [read]))
        assert.strictEqual(said(yield* asked()), "42501")
        yield* Effect.promise(() =>
          database.run("grant execute on function public.supabase_pool_transaction(text, jsonb) to anon")
        )
        yield* upgraded(database)
        assert.isTrue("gave" in (yield* asked()))
      })
    )

    it.scoped(
      "gives anon nothing that is made anew, whatever version is said to be there, and leaves it what it has",
      () =>
        Effect.gen(function* () {
          const database = yield* scratch([yield* newMigration, tables])
          const { settle, transaction } = {
            transaction: "public.supabase_pool_transaction(text, jsonb)",
            settle: "public.supabase_pool_transaction_settle(text)"
          }
          const held = (name: string) =>
            database.run(`
            select r.role from unnest('{anon,authenticated,service_role}'::text[]) as r(role)
            where has_function_privilege(r.role, '${name}', 'execute') order by 1
          `)
          const signedIn = [{ role: "authenticated" }, { role: "service_role" }]
          const everybody = [{ role: "anon" }, ...signedIn]
          yield* Effect.promise(() =>
            database.run(`drop function ${transaction}; grant execute on function ${settle} to anon`)
          )
          yield* upgraded(database)
          assert.deepStrictEqual(yield* Effect.promise(() => held(transaction)), signedIn)
          assert.deepStrictEqual(yield* Effect.promise(() => held(settle)), everybody)
          yield* Effect.promise(() =>
            database.run(`drop function ${settle}; grant execute on function ${transaction} to anon`)
          )
          yield* upgraded(database)
          assert.deepStrictEqual(yield* Effect.promise(() => held(transaction)), everybody)
          assert.deepStrictEqual(yield* Effect.promise(() => held(settle)), signedIn)
          assert.isTrue("gave" in (yield* Effect.promise(() => database.transact(ann, [note("again")]))))
        })
    )

    it.scoped("honours them for users whose tokens name an issuer, as those of Supabase do", () =>
      Effect.gen(function* () {
        const iss = { claims: { iss: "https://project.supabase.co/auth/v1" } }
        const { database } = yield* before
        yield* upgraded(database)
        const was = yield* Effect.promise(() => database.run(states("after")))
        const again = yield* Effect.promise(() =>
          database.transact({ ...ann, ...iss }, [note("ann")], { key: "first" })
        )
        assert.deepInclude(said(again), { replayed: true })
        assert.strictEqual(
          said(yield* Effect.promise(() => database.transact({ ...ann, ...iss }, [note("x")], { key: "never" }))),
          "57014"
        )
        assert.deepStrictEqual(said(yield* Effect.promise(() => database.settle({ ...bob, ...iss }, "first"))), [
          { answer: '{"executed": true}' }
        ])
        assert.deepStrictEqual(yield* Effect.promise(() => database.run(states("after"))), was)
      })
    )

    it.scoped(
      "goes on with plain steps, and refuses what it does not know, keeping nothing and naming the file to apply",
      () =>
        Effect.gen(function* () {
          const table = Db.table("notes", Schema.Struct({ id: Schema.Int, body: Schema.String }), { generated: ["id"] })
          const cast = Db.table("notes", Schema.Struct({ id: Schema.String, body: Schema.String }), {
            generated: ["id"],
            cast: { id: "text" }
          })
          for (const migration of yield* earlierMigrations) {
            const { anonKey, serviceRoleKey, url } = yield* Embedded.make({
              postgres: yield* PostgresUrl,
              migrations: [migration, tables]
            })
            yield* Effect.gen(function* () {
              const [made, same, plain] = yield* Db.transaction([
                table.createStep({ body: "plain" }),
                table.updateStep(1, { body: "changed" }),
                (client) => client.from("notes").select("body")
              ])
              assert.deepStrictEqual([made.body, same.body, plain], ["plain", "changed", [{ body: "changed" }]])
              for (const step of [
                table.updateStep(1, { body: "x" }, { expect: { body: "changed" } }),
                table.updateStep(1, { id: Transaction.increment(1) }),
                table.getStep(1, { lock: "update" }),
                cast.getStep("1")
              ]) {
                const error = yield* Effect.flip(Db.transaction([table.createStep({ body: "never" }), step]))
                assert.deepInclude(error, { _tag: "TransactionFailed", code: "OLD_FUNCTION", step: 1 })
                assert.include(error.message, "supabase-pool migration")
                assert.isFalse(error.mayHaveExecuted)
              }
              const missing = yield* Effect.flip(Db.transaction([table.getStep(7)]))
              assert.deepInclude(missing, { _tag: "RowNotFound", step: 0, id: "7" })
              assert.deepStrictEqual(
                yield* Db.read((client) => client.from("notes").select("body"), { as: "service" }),
                [{ body: "changed" }]
              )
            }).pipe(Effect.provide(Db.layerOf({ url, anonKey, serviceRoleKey, minConnections: 1, maxConnections: 2 })))
          }
        })
    )

    it.scoped("is told by check that it is old, by which command it is fixed, and that it is well afterwards", () =>
      Effect.gen(function* () {
        const [old, mine] = [yield* oldMigration, yield* newMigration]
        const found = yield* verdict([old])
        assert.deepStrictEqual(
          [found?.ok, found?.detail],
          [false, `is old: version 1, and this package expects ${expectedVersion}`]
        )
        assert.include(found?.remedy, "supabase-pool migration")
        assert.include(found?.remedy, "supabase db push")
        const after = yield* verdict([old, mine])
        assert.deepStrictEqual([after?.ok, after?.detail], [true, `version ${expectedVersion}`])
        const alone = yield* verdict([mine])
        assert.deepStrictEqual([alone?.ok, alone?.detail], [true, `version ${expectedVersion}`])
      })
    )
  })
})
