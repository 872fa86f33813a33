/** The records of transactions: what becomes of a call when they cannot be written, are many, old, or large, and when sweeping fails. */
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Step } from "../../src/internal/transaction/step.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import { codeOf, migrationUnderTest, type Scratch, said, scratch } from "../support/scratch.js"

const tables = `
  create table public.lines (id int primary key generated always as identity, body text, n int unique);
  create table public.watched (n int);
  create table public.statements (n int primary key generated always as identity);
  create function public.told() returns trigger language plpgsql security definer as
    $$begin insert into public.statements default values; return null; end$$;
  create trigger told after insert on public.watched for each statement execute function public.told();
  create function public.large() returns text language sql volatile security definer as
    $$insert into public.lines (body) values ('large'); select repeat('x', 100000000)$$;
  create function public.refuse() returns trigger language plpgsql as
    $$begin raise exception 'could not extend file' using errcode = '53100'; end$$;
`

const service = { role: "service_role" }
const user = { role: "authenticated", sub: "00000000-0000-4000-8000-000000000001" }

const insert = (n: number, rest: Partial<Step> = {}): Step => ({
  ...{ op: "insert", schema: "public", table: "lines", columns: ["body", "n"] },
  rows: [{ body: `line ${n}`, n }],
  ...rest
})

const inProject = Effect.flatMap(migrationUnderTest, (migration) => scratch([migration, tables]))

const count = (database: Scratch, table: string): Effect.Effect<number> =>
  Effect.map(
    Effect.promise(() => database.run(`select count(*)::int as n from ${table}`)),
    ([row]) => Number(row?.["n"])
  )

const records = "supabase_pool.transactions"
const old = `${records} where created_at < now() - interval '1 day'`

const ageing = (many: number): string => `
  insert into ${records} (key, caller, fingerprint, created_at)
  select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now() - interval '2 days' from generate_series(1, ${many});
`

/** As after the second in which a session and all of them have looked. */
const nextSecond = "select setval('supabase_pool.swept_at', 0)"

const transact = (database: Scratch, steps: ReadonlyArray<Step>, key?: string, caller = service) =>
  Effect.promise(() => database.transact(caller, steps, key === undefined ? {} : { key }))

describePostgres("the records of transactions", () => {
  layer(PostgresUrl.Live, { excludeTestServices: true, timeout: 60_000 })((it) => {
    for (const [what, code, broken, mended] of [
      [
        "missing",
        "42P01",
        `alter table ${records} rename to away`,
        "alter table supabase_pool.away rename to transactions"
      ],
      [
        "full",
        "53100",
        `create trigger full_disk before insert on ${records} for each row execute function public.refuse()`,
        `drop trigger full_disk on ${records}`
      ]
    ] as const) {
      it.scoped(
        `where their table is ${what}, nothing is executed, and the same key is executed once when it is mended`,
        () =>
          Effect.gen(function* () {
            const database = yield* inProject
            yield* Effect.promise(() => database.run(broken))
            for (const steps of [[insert(1)], [insert(1), insert(2, { returning: "*" })]]) {
              assert.strictEqual(said(yield* transact(database, steps, "key")), code)
            }
            assert.strictEqual(yield* count(database, "public.lines"), 0)
            yield* Effect.promise(() => database.run(mended))
            assert.deepInclude(said(yield* transact(database, [insert(1)], "key")), { replayed: false })
            assert.deepInclude(said(yield* transact(database, [insert(1)], "key")), { replayed: true, results: [[]] })
            assert.strictEqual(yield* count(database, "public.lines"), 1)
          })
      )
    }

    it.scoped(
      "hold no result of 100 MB: it is given once, and the second arrival is told that it was executed",
      () =>
        Effect.gen(function* () {
          const database = yield* inProject
          const steps: ReadonlyArray<Step> = [{ op: "rpc", schema: "public", function: "large", rows: [{}] }]
          const first = yield* transact(database, steps, "large")
          assert.isTrue("gave" in first && String(first.gave.results?.[0]).length === 100_000_000)
          assert.deepStrictEqual(said(yield* transact(database, steps, "large")), { replayed: true, gone: true })
          assert.strictEqual(yield* count(database, "public.lines"), 1)
          const [size] = yield* Effect.promise(() =>
            database.run(`select max(pg_column_size(t.*)) as n from ${records} t`)
          )
          assert.isBelow(Number(size?.["n"]), 100)
        }),
      120_000
    )

    it.scoped("take 130 bytes each, with the index", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        yield* Effect.promise(() => database.run(ageing(20_000)))
        const [size] = yield* Effect.promise(() =>
          database.run(`select pg_total_relation_size('${records}') / 20000 as n`)
        )
        assert.isBelow(Number(size?.["n"]), 140)
      })
    )

    it.scoped("are swept when they are a day old, a thousand at a time, once a second, until none is left", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        yield* Effect.promise(() => database.run(ageing(2500)))
        const left: Array<number> = []
        for (let n = 0; n < 6; n += 1) {
          yield* Effect.promise(() => database.run(`${nextSecond}; select supabase_pool.sweep()`))
          left.push(yield* count(database, old))
        }
        assert.deepStrictEqual(left, [1500, 500, 0, 0, 0, 0])
        yield* Effect.promise(() => database.run(`${ageing(10)} select supabase_pool.sweep()`))
        assert.strictEqual(yield* count(database, old), 10)
      })
    )

    it.scoped("are swept by a transaction that writes, and wait for no other sweeper", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        yield* Effect.promise(() => database.run(ageing(10)))
        const holding = yield* Effect.fork(
          Effect.tryPromise(() =>
            database.run("select pg_advisory_xact_lock(hashtextextended('supabase_pool.sweep', 0)), pg_sleep(600)")
          )
        )
        yield* Effect.repeat(count(database, "pg_locks where locktype = 'advisory'"), { until: (held) => held > 0 })
        assert.deepInclude(said(yield* transact(database, [insert(2)])), { replayed: false })
        assert.strictEqual(yield* count(database, old), 10)
        yield* Effect.promise(() =>
          database.run("select pg_cancel_backend(pid) from pg_locks where locktype = 'advisory' and granted")
        )
        yield* Effect.exit(Fiber.join(holding))
        yield* Effect.promise(() => database.run(nextSecond))
        yield* Effect.promise(() => database.settle(service, "another"))
        assert.strictEqual(yield* count(database, old), 0)
      })
    )

    it.scoped("are not swept by a sweeper that fails, whose caller's transaction is executed all the same", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        yield* Effect.promise(() =>
          database.run(`
            ${ageing(10)}
            create trigger broken before delete on ${records} for each row execute function public.refuse()
          `)
        )
        assert.deepInclude(said(yield* transact(database, [insert(1)], "swept")), { replayed: false })
        assert.deepInclude(said(yield* transact(database, [insert(1)], "swept")), { replayed: true })
        assert.deepStrictEqual([yield* count(database, old), yield* count(database, "public.lines")], [10, 1])
        yield* Effect.promise(() =>
          database.run(`drop trigger broken on ${records}; ${nextSecond}; select supabase_pool.sweep()`)
        )
        assert.strictEqual(yield* count(database, old), 0)
      })
    )
  })
})

describePostgres("inserts that are alike", () => {
  layer(PostgresUrl.Live, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.scoped("give what each would have given, in order, whatever they ask for", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        const many = (rest: Partial<Step>, from: number) => Array.from({ length: 5 }, (_, n) => insert(from + n, rest))
        const outcome = yield* transact(database, [
          ...many({}, 0),
          ...many({ returning: [["n", "n"]] }, 10),
          ...many({ returning: [["n", "n"]], single: "one" }, 20),
          insert(30, { returning: [["n", "n"]], keep: ["n"] }),
          {
            op: "select",
            schema: "public",
            table: "lines",
            returning: [["n", "n"]],
            order: [{ column: "id", descending: false }]
          }
        ])
        const numbers = (from: number) => Array.from({ length: 5 }, (_, n) => ({ n: from + n }))
        assert.deepStrictEqual("gave" in outcome ? outcome.gave.results : outcome.refused, [
          ...numbers(0).map(() => []),
          ...numbers(10).map((row) => [row]),
          ...numbers(20),
          [{ n: 30 }],
          [...numbers(0), ...numbers(10), ...numbers(20), { n: 30 }]
        ])
      })
    )

    it.scoped("are refused by the one that is wrong, and nothing of any is kept", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        for (const caller of [service, user]) {
          const steps = [insert(1), insert(2), insert(3), insert(2), insert(4)]
          const outcome = yield* transact(database, steps, "alike", caller)
          if (!("refused" in outcome)) return assert.fail("it was executed")
          assert.deepStrictEqual(
            [codeOf(outcome.refused), JSON.parse(outcome.refused.detail).supabase_pool_step],
            ["23505", 3]
          )
          assert.strictEqual(yield* count(database, "public.lines"), 0)
        }
        assert.strictEqual(yield* count(database, records), 0)
      })
    )

    it.scoped("are one statement only where no trigger could tell", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        const watched = (n: number): Step => ({
          ...{ op: "insert", schema: "public", table: "watched", columns: ["n"] },
          rows: [{ n }]
        })
        assert.deepInclude(said(yield* transact(database, [watched(1), watched(2), watched(3)])), { replayed: false })
        assert.strictEqual(yield* count(database, "public.statements"), 3)
      })
    )
  })
})
