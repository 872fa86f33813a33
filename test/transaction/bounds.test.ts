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

    it.scoped("ten times the cap are given by all steps together, and what goes above is refused by its step", () =>
      Effect.gen(function* () {
        const database = yield* onTables
        const wide = { ...select, limit: 1000 }
        const added = (from: number): Step => ({
          ...insert(from),
          rows: Array.from({ length: 1200 }, (_, index) => ({ id: from + index }))
        })
        const all = [
          ...Array<Step>(9).fill(wide),
          added(10_000),
          { ...wide, limit: 999 },
          call("nothing"),
          added(20_000)
        ]
        assert.lengthOf(resultsOf(yield* Effect.promise(() => database.transact(user, all))), 13)
        const writes: Step = {
          op: "update",
          schema: "public",
          table: "lines",
          columns: ["body"],
          rows: [{ body: "x" }]
        }
        const limited = { and: [{ column: "id", op: "lte", value: { v: "1000" } }] }
        for (const last of [
          { ...select, limit: 1 },
          call("many", { n: 1 }),
          call("nothing"),
          { ...writes, filter: limited, returning: "*" as const }
        ]) {
          const outcome = yield* Effect.promise(() =>
            database.transact(service, [insert(1), ...Array<Step>(10).fill(wide), writes, last])
          )
          if (!("refused" in outcome)) return assert.fail("it was executed")
          assert.deepStrictEqual(
            [codeOf(outcome.refused), JSON.parse(outcome.refused.detail).supabase_pool_step],
            ["54000", 12]
          )
          assert.match(outcome.refused.message, /^the steps up to this one give back 1[01]\d{3} rows, more than 10000$/)
          assert.include(outcome.refused.hint, "supabase_pool.max_total_rows()")
        }
        assert.strictEqual(yield* Effect.promise(() => countOf(database, "public.few where id = 1")), 0)
        assert.strictEqual(yield* Effect.promise(() => countOf(database, "public.lines where body = 'x'")), 0)
      })
    )

    it.scoped("a thousand steps are executed, and of one more none", () =>
      Effect.gen(function* () {
        const database = yield* onTables
        const steps = Array.from({ length: 1001 }, (_, index) => insert(index))
        const outcome = yield* Effect.promise(() => database.transact(user, steps))
        if (!("refused" in outcome)) return assert.fail("it was executed")
        assert.deepStrictEqual(
          [codeOf(outcome.refused), JSON.parse(outcome.refused.detail).supabase_pool_step, outcome.refused.message],
          ["54000", 1000, "there are 1001 steps, more than 1000"]
        )
        assert.include(outcome.refused.hint, "supabase_pool.max_steps()")
        assert.strictEqual(yield* Effect.promise(() => countOf(database, "public.few")), 0)
        assert.strictEqual(yield* Effect.promise(() => countOf(database, records)), 0)
        assert.lengthOf(resultsOf(yield* Effect.promise(() => database.transact(user, steps.slice(1)))), 1000)
      })
    )

    it.scoped(
      "steps, all rows and settled keys are bounded as the project replaces it, also after the migration came again",
      () =>
        Effect.gen(function* () {
          const migration = yield* migrationUnderTest
          const database = yield* onTables
          const replaced = (steps: string, rows: string, keys: string) =>
            database.run(`
            create or replace function supabase_pool.max_steps() returns integer language sql as 'select ${steps}';
            create or replace function supabase_pool.max_total_rows() returns bigint language sql as 'select ${rows}';
            create or replace function supabase_pool.max_settled() returns integer language sql as 'select ${keys}';
            ${migration}
          `)
          const asked = Effect.gen(function* () {
            const one = { ...select, limit: 1 }
            const outcomes = [
              yield* Effect.promise(() => database.transact(user, [one, one, one])),
              yield* Effect.promise(() => database.transact(user, [one, { ...select, limit: 2 }])),
              yield* Effect.promise(() => database.settle(user, randomUUID()))
            ]
            return outcomes.map(refusedWith)
          })
          yield* Effect.promise(() => replaced("2", "2", "0"))
          assert.deepStrictEqual(yield* asked, ["54000", "54000", "54000"])
          yield* Effect.promise(() => replaced("null::integer", "null::bigint", "null::integer"))
          assert.deepStrictEqual(yield* asked, ["none", "none", "none"])
        })
    )

    it.scoped("who may write nothing leaves no record by changing nothing", () =>
      Effect.gen(function* () {
        const database = yield* onTables
        yield* Effect.promise(() => database.run("revoke insert, update, delete on public.lines from authenticated"))
        const nothing: Step = {
          op: "update",
          schema: "public",
          table: "lines",
          columns: [],
          rows: [{}],
          returning: "*"
        }
        assert.deepStrictEqual(resultsOf(yield* Effect.promise(() => database.transact(user, [nothing]))), [[]])
        assert.strictEqual(yield* Effect.promise(() => countOf(database, records)), 0)
      })
    )

    it.scoped("a user settles a hundred keys that nobody used, then no more within a day, and any that were used", () =>
      Effect.gen(function* () {
        const database = yield* onTables
        const used = "used".repeat(61)
        resultsOf(yield* Effect.promise(() => database.transact(user, [insert(1)], { key: used })))
        const key = (n: number) => `${"k".repeat(240)}${n}`
        const settled = (n: number, caller = user) => Effect.promise(() => database.settle(caller, key(n)))
        for (let n = 0; n < 100; n++) assert.strictEqual(refusedWith(yield* settled(n)), "none")
        const outcome = yield* settled(100)
        if (!("refused" in outcome)) return assert.fail("it was settled")
        assert.strictEqual(outcome.refused.code, "54000")
        assert.strictEqual(
          outcome.refused.message,
          "within a day 100 keys without a transaction were settled, and no more may be"
        )
        assert.include(outcome.refused.hint, "supabase_pool.max_settled()")
        // What was said stays so, and others are not held up.
        assert.deepStrictEqual(yield* settled(99), { gave: [{ answer: '{"executed": false}' }] })
        assert.deepStrictEqual(yield* Effect.promise(() => database.settle(user, used)), {
          gave: [{ answer: '{"executed": true}' }]
        })
        assert.strictEqual(refusedWith(yield* settled(100, { ...user, sub: user.sub.replace(/1$/, "2") })), "none")
        for (let n = 0; n < 110; n++)
          assert.strictEqual(refusedWith(yield* settled(n, { ...service, sub: "" })), "none")
        yield* Effect.promise(() => database.run(`update ${records} set created_at = created_at - interval '25 hours'`))
        assert.strictEqual(refusedWith(yield* settled(101)), "none")
        const [longest] = yield* Effect.promise(() =>
          database.run(`select max(pg_column_size(key) + pg_column_size(caller)) as n from ${records}`)
        )
        assert.strictEqual(longest?.["n"], 32)
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
