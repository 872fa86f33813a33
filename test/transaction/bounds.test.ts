/** What a transaction may take: rows of a step, room in the table of records, and who may ask for one at all. */
import { randomUUID } from "node:crypto"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Step } from "../../src/internal/transaction/step.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import { type Answer, codeOf, migrationUnderTest, type Outcome, type Scratch, scratch } from "../support/scratch.js"

const tables = `
  create table public.lines (id int primary key, body text);
  insert into public.lines select i, 'line ' || i from generate_series(1, 1500) i;
  create table public.few (id int primary key, body text);
  create function public.many(n int) returns setof int language sql stable as 'select generate_series(1, n)';
  create function public.writes() returns int language sql as 'insert into public.few values (1) returning id';
  create function public.nothing() returns void language sql as 'select';
`

const onTables = Effect.flatMap(migrationUnderTest, (migration) => scratch([migration, tables]))

const service = { role: "service_role" }
const user = { role: "authenticated", sub: "00000000-0000-4000-8000-000000000001" }
const anon = { role: "anon" }

const select: Step = { op: "select", schema: "public", table: "lines", returning: "*" }
const insert = (id: number): Step => ({
  op: "insert",
  schema: "public",
  table: "few",
  columns: ["id"],
  rows: [{ id }],
  returning: "*"
})
const call = (name: string, args: object = {}): Step => ({ op: "rpc", schema: "public", function: name, rows: [args] })

const refusedWith = (outcome: Outcome<unknown>): string => ("refused" in outcome ? codeOf(outcome.refused) : "none")

const resultsOf = (outcome: Outcome<Answer>): ReadonlyArray<unknown> => {
  if ("refused" in outcome) throw new Error(outcome.refused.message)
  return outcome.gave.results ?? []
}

const countOf = async (database: Scratch, table: string): Promise<number> =>
  Number((await database.run(`select count(*) as n from ${table}`))[0]?.["n"])

const records = "supabase_pool.transactions"

describePostgres("a transaction's bounds", () => {
  layer(PostgresUrl.Live, { excludeTestServices: true, timeout: 60_000 })((it) => {
    const tooMuch: Readonly<Record<string, Step>> = {
      "a select": select,
      "a select with a limit above it": { ...select, limit: 1200 },
      "a function": call("many", { n: 1001 }),
      "an update that gives back": {
        ...{ op: "update", schema: "public", table: "lines", columns: ["body"], rows: [{ body: "x" }] },
        returning: [["id", "id"]]
      },
      "a delete that gives back": { op: "delete", schema: "public", table: "lines", returning: "*" }
    }
    for (const [what, step] of Object.entries(tooMuch)) {
      it.scoped(`${what} of more than 1,000 rows is refused by its step, and nothing is kept`, () =>
        Effect.gen(function* () {
          const database = yield* onTables
          const outcome = yield* Effect.promise(() => database.transact(service, [insert(1), step]))
          if (!("refused" in outcome)) return assert.fail("it was executed")
          const { detail, hint, message } = outcome.refused
          assert.deepStrictEqual(
            [codeOf(outcome.refused), JSON.parse(detail).supabase_pool_step, message],
            ["54000", 1, "the step gives back more than 1000 rows"]
          )
          assert.include(hint, "supabase_pool.max_rows()")
          assert.strictEqual(yield* Effect.promise(() => countOf(database, "public.few")), 0)
          assert.strictEqual(yield* Effect.promise(() => countOf(database, "public.lines")), 1500)
          assert.strictEqual(yield* Effect.promise(() => countOf(database, records)), 0)
        })
      )
    }

    it.scoped("as many as the cap are given, and of a write that gives nothing back all are written", () =>
      Effect.gen(function* () {
        const database = yield* onTables
        const rows = Array.from({ length: 1200 }, (_, index) => ({ id: index + 10 }))
        const results = resultsOf(
          yield* Effect.promise(() =>
            database.transact(service, [
              { ...select, limit: 1000 },
              call("many", { n: 1000 }),
              { op: "update", schema: "public", table: "lines", columns: ["body"], rows: [{ body: "x" }] },
              // What was sent comes back: that is no more than the caller has.
              { op: "insert", schema: "public", table: "few", columns: ["id"], rows, returning: "*" }
            ])
          )
        )
        assert.deepStrictEqual(
          results.map((result) => (Array.isArray(result) ? result.length : result)),
          [1000, 1000, 0, 1200]
        )
        const changed = yield* Effect.promise(() => countOf(database, "public.lines where body = 'x'"))
        assert.strictEqual(changed, 1500)
      })
    )

    it.scoped("the cap is the project's where it replaces one function, also after the migration came again", () =>
      Effect.gen(function* () {
        const migration = yield* migrationUnderTest
        const database = yield* onTables
        const cap = (most: string) =>
          database.run(
            `create or replace function supabase_pool.max_rows() returns integer language sql as 'select ${most}'`
          )
        yield* Effect.promise(() => cap("2"))
        yield* Effect.promise(() => database.run(migration))
        const two = yield* Effect.promise(() => database.transact(service, [{ ...select, limit: 3 }]))
        assert.strictEqual(refusedWith(two), "54000")
        yield* Effect.promise(() => cap("null::integer"))
        const all = yield* Effect.promise(() => database.transact(service, [select, call("many", { n: 3000 })]))
        assert.deepStrictEqual(
          resultsOf(all).map((result) => (Array.isArray(result) ? result.length : result)),
          [1500, 3000]
        )
      })
    )

    it.scoped("one that only reads leaves no record, whoever sends it and however often", () =>
      Effect.gen(function* () {
        const database = yield* onTables
        const key = randomUUID()
        for (const steps of [[{ ...select, limit: 1000 }], [select, call("many", { n: 9 })], []]) {
          for (const caller of [service, user]) {
            yield* Effect.promise(() =>
              database.transact(
                caller,
                steps.map((step) => ({ ...step, limit: 900 })),
                { key }
              )
            )
          }
        }
        assert.strictEqual(yield* Effect.promise(() => countOf(database, records)), 0)
      })
    )

    it.scoped("of who reads with a function beside it a record stays small, and its table too", () =>
      Effect.gen(function* () {
        const database = yield* onTables
        yield* Effect.promise(() => database.run("update public.lines set body = repeat(md5(id::text), 400)"))
        const size = () => database.run(`select pg_total_relation_size('${records}') as n`)
        for (const _ of [1, 2, 3, 4]) {
          const steps = [{ ...select, limit: 900 }, call("nothing")]
          const results = resultsOf(yield* Effect.promise(() => database.transact(user, steps)))
          assert.strictEqual(Array.isArray(results[0]) ? results[0].length : 0, 900)
        }
        assert.strictEqual(yield* Effect.promise(() => countOf(database, records)), 4)
        const [row] = yield* Effect.promise(size)
        assert.isBelow(Number(row?.["n"]), 100_000)
      })
    )

    it.scoped("what is larger than is kept is executed once; who asks again is told that its result is gone", () =>
      Effect.gen(function* () {
        const database = yield* onTables
        yield* Effect.promise(() => database.run("update public.lines set body = repeat('x', 40) where id <= 900"))
        const key = randomUUID()
        const steps = [insert(7), { ...select, limit: 900 }]
        const first = resultsOf(yield* Effect.promise(() => database.transact(user, steps, { key })))
        const second = yield* Effect.promise(() => database.transact(user, steps, { key }))
        assert.strictEqual(first.length, 2)
        assert.deepStrictEqual(second, { gave: { replayed: true, gone: true } })
        assert.strictEqual(yield* Effect.promise(() => countOf(database, "public.few")), 1)
        assert.deepStrictEqual(yield* Effect.promise(() => database.settle(user, key)), {
          gave: [{ answer: '{"executed": true}' }]
        })
        const other = yield* Effect.promise(() => database.transact(user, [insert(8)], { key }))
        assert.strictEqual(refusedWith(other), "22023")
      })
    )

    it.scoped("what is small is kept, and a larger room is the project's to give", () =>
      Effect.gen(function* () {
        const database = yield* onTables
        const key = randomUUID()
        yield* Effect.promise(() =>
          database.run(
            "create or replace function supabase_pool.max_kept_bytes() returns integer language sql as 'select 1000000'"
          )
        )
        const steps = [insert(7), { ...select, limit: 900 }]
        const first = resultsOf(yield* Effect.promise(() => database.transact(user, steps, { key })))
        const second = resultsOf(yield* Effect.promise(() => database.transact(user, steps, { key })))
        assert.deepStrictEqual(second, first)
      })
    )

    it.scoped(
      "anon has none unless the project grants it, nobody has it by PUBLIC, and no file takes a grant away",
      () =>
        Effect.gen(function* () {
          const migration = yield* migrationUnderTest
          const database = yield* onTables
          yield* Effect.promise(() =>
            database.run("create role stranger; grant usage on schema supabase_pool to stranger").catch(() => [])
          )
          const asked = (role: string) => database.transact({ role }, [{ ...select, limit: 1 }])
          const codes = Effect.forEach(["anon", "stranger", "authenticated", "service_role"], (role) =>
            Effect.map(
              Effect.promise(() => asked(role)),
              refusedWith
            )
          )
          assert.deepStrictEqual(yield* codes, ["42501", "42501", "none", "none"])
          assert.strictEqual(refusedWith(yield* Effect.promise(() => database.settle(anon, "key"))), "42501")
          yield* Effect.promise(() =>
            database.run("grant execute on function public.supabase_pool_transaction(text, jsonb) to anon")
          )
          assert.deepStrictEqual(yield* codes, ["none", "42501", "none", "none"])
          yield* Effect.promise(() => database.run(migration))
          assert.deepStrictEqual(yield* codes, ["none", "42501", "none", "none"])
          // What docs/transactions.md says of a role of one's own.
          yield* Effect.promise(() =>
            database.run(`
              grant usage on schema public to stranger;
              grant select, insert on public.few to stranger;
              grant execute on function public.supabase_pool_transaction(text, jsonb) to stranger;
              grant usage on schema supabase_pool to stranger;
              grant execute on all functions in schema supabase_pool to stranger;
              grant select, insert, update, delete on supabase_pool.transactions to stranger;
            `)
          )
          const strangers = yield* Effect.promise(() => database.transact({ role: "stranger" }, [insert(3)]))
          assert.deepStrictEqual(resultsOf(strangers), [[{ id: 3, body: null }]])
          const publicly = yield* Effect.promise(() =>
            database.run(`
            select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace,
              lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            where (n.nspname = 'supabase_pool' or p.proname like 'supabase_pool%') and a.grantee = 0
          `)
          )
          assert.deepStrictEqual(publicly, [])
        })
    )
  })
})
