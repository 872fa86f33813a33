/**
 * `npm run bench:transaction-function`: what the transaction function costs PostgreSQL itself, without an API before it: pgbench with
 * 64 clients that set role and claims as PostgREST does. Only the ratios travel. Interleaved, medians of what pgbench tells
 * every second, without the first seconds of each run, in which the sessions make their plans.
 */
import { execFile } from "node:child_process"
import { mkdtemp, readFile, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Console, Effect, Redacted } from "effect"
import postgres from "postgres"
import { commandLine } from "../scripts/commandLine.js"
import { migrationsDirectory } from "../src/embedded.js"
import { postgresServer } from "../src/internal/embedded/postgresServer.js"
import { migrationFile } from "../src/internal/transaction/run.js"
import { median } from "./support/figures.js"

const {
  values: { only, seconds }
} = commandLine(
  `npm run bench:transaction-function

What the transaction function costs beside plain statements, with a million old keys, and while somebody holds an old
snapshot. Needs PostgreSQL and pgbench on this machine.

  --seconds N   how long each run takes; default: 12
  --only PART   inserts, updates or old (a million old keys, and an old snapshot); default: all
  --help        this text

Exit code: 0 when it was measured, 2 when the options are wrong.`,
  { options: { seconds: { type: "string", default: "12" }, only: { type: "string" } } }
)

const clients = 64
const warmUp = 4

const project = `
  create role anon nologin noinherit;
  create role authenticated nologin noinherit;
  create role service_role nologin noinherit bypassrls;
  create schema extensions;
  grant usage on schema public, extensions to anon, authenticated, service_role;
  alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
  create table public.lines (id bigint primary key generated always as identity, body text, n int);
  grant all on public.lines to anon, authenticated, service_role;
`

/** The least that a function does which writes a key and a row by a statement that is not known before: the floor. */
const floor = `
  create table public.floor_keys (key uuid primary key, print uuid, created_at timestamptz not null default now());
  grant all on public.floor_keys to authenticated;
  create function public.floor(key text, steps jsonb) returns jsonb language plpgsql set search_path = pg_catalog, pg_temp as $$
  begin
    insert into public.floor_keys values (md5(key)::uuid, md5(steps::text)::uuid) on conflict do nothing;
    begin
      execute 'insert into public.lines (body, n) select r.body, r.n '
        || 'from pg_catalog.jsonb_to_recordset($1) as r(body pg_catalog.text, n pg_catalog.int4)' using steps #> '{0,rows}';
    exception when others then
      raise;
    end;
    return steps;
  end
  $$;
`

/** The same for updates of one row each that were made one statement: what merging them could gain at most. */
const merged = `
  insert into public.lines (body, n) select 'some text of a line', 0 from generate_series(1, 1000 * ${clients});
  create function public.merged(key text, steps jsonb) returns jsonb language plpgsql set search_path = pg_catalog, pg_temp as $$
  begin
    insert into public.floor_keys values (md5(key)::uuid, md5(steps::text)::uuid) on conflict do nothing;
    begin
      update public.lines t set n = r.n from (
        select (step #>> '{filter,value,v}')::bigint as id, (step #>> '{rows,0,n}')::int4 as n from jsonb_array_elements(steps) as step
      ) r where t.id = r.id;
    exception when others then
      raise;
    end;
    return steps;
  end
  $$;
`

/** As PostgREST begins a request of a user. */
const begin = `begin;
select set_config('search_path', '"public", "extensions"', true), set_config('role', 'authenticated', true), set_config('request.jwt.claims', '{"role":"authenticated","sub":"00000000-0000-4000-8000-000000000001","iss":"https://abc.supabase.co/auth/v1","exp":1999999999}', true), set_config('request.method', 'POST', true), set_config('request.path', '/rpc/supabase_pool_transaction', true), set_config('request.headers', '{"content-type":"application/json"}', true), set_config('request.cookies', '{}', true);
`

const step = (n: number) => ({
  ...{ op: "insert", schema: "public", table: "lines", columns: ["body", "n"] },
  rows: [{ body: "some text of a line", n }]
})

const plain = (count: number): string =>
  `${begin}${Array.from({ length: count }, (_, n) => `insert into public.lines (body, n) values ('some text of a line', ${n});\n`).join("")}commit;\n`

const called = (name: string, count: number): string => {
  // pgbench takes ":word" for a variable: a space before every value.
  const steps = JSON.stringify(Array.from({ length: count }, (_, n) => step(n)))
    .replaceAll(":", ": ")
    .replaceAll(",", ", ")
  return `\\set a random(1, 1000000000)\n\\set b random(1, 1000000000)\n${begin}select public.${name}('0f8fad5b-d9cb-' || :a::text || '-' || :b::text, '${steps}'::jsonb);\ncommit;\n`
}

/** A row of each client's own: nobody waits for another. */
const rowOf = (n: number): string => `:client_id * 1000 + ${n + 1}`

const plainUpdates = (count: number): string =>
  `${begin}${Array.from({ length: count }, (_, n) => `update public.lines set n = ${n} where id = ${rowOf(n)};\n`).join("")}commit;\n`

/** An id is written with the number of the client before the last three digits. */
const calledUpdates = (name: string, count: number): string => {
  const steps = JSON.stringify(
    Array.from({ length: count }, (_, n) => ({
      ...{ op: "update", schema: "public", table: "lines", columns: ["n"], rows: [{ n }] },
      filter: { column: "id", op: "eq", value: { v: `@${n + 1}@` } }
    }))
  )
    .replaceAll(":", ": ")
    .replaceAll(",", ", ")
  const ids = steps.replaceAll(/@(\d+)@/g, (_, n: string) => `@${n.padStart(3, "0")}`)
  return `\\set a random(1, 1000000000)\n\\set b random(1, 1000000000)\n${begin}select public.${name}('0f8fad5b-d9cb-' || :a::text || '-' || :b::text, replace('${ids}', '@', :client_id::text)::jsonb);\ncommit;\n`
}

const scripts = {
  plain: plain(1),
  function: called("supabase_pool_transaction", 1),
  floor: called("floor", 1),
  plain100: plain(100),
  function100: called("supabase_pool_transaction", 100),
  updates100: plainUpdates(100),
  functionUpdates100: calledUpdates("supabase_pool_transaction", 100),
  merged100: calledUpdates("merged", 100)
}

type Script = keyof typeof scripts

const perSecond = /^progress: ([\d.]+) s, ([\d.]+) tps/gm

/** Transactions a second, as pgbench tells them second by second. */
const rates = (url: string, file: string): Promise<ReadonlyArray<number>> =>
  new Promise((resolve, reject) => {
    const args = ["-n", "-c", String(clients), "-j", "2", "-T", seconds, "-P", "1", "-M", "prepared", "-f", file, url]
    execFile("pgbench", args, { maxBuffer: 1 << 28 }, (error, _, stderr) => {
      if (error !== null) return reject(error)
      const told = [...stderr.matchAll(perSecond)]
      resolve(told.flatMap(([, at, tps]) => (Number(at) > warmUp ? [Number(tps)] : [])))
    })
  })

const measured = Effect.gen(function* () {
  const server = yield* postgresServer({
    settings: { fsync: "on", full_page_writes: "on", max_wal_size: "1GB", autovacuum: "on" }
  })
  const url = Redacted.value(server.url)
  const sql = yield* Effect.acquireRelease(
    Effect.sync(() => postgres(url, { max: 2, onnotice: () => undefined })),
    (client) => Effect.promise(() => client.end())
  )
  const run = (text: string) => Effect.promise(async () => [...(await sql.unsafe(text))])
  const folder = yield* Effect.promise(() => mkdtemp(join(tmpdir(), "supabase-pool-bench-")))
  const migration = yield* Effect.promise(() => readFile(join(migrationsDirectory, migrationFile), "utf8"))
  for (const statements of [project, migration, floor, merged]) yield* run(statements)
  for (const [name, text] of Object.entries(scripts)) {
    yield* Effect.promise(() => writeFile(join(folder, `${name}.sql`), text))
  }
  /** The medians of so many rounds, one after the other in each. */
  const rounds = (times: number, names: ReadonlyArray<Script>) =>
    Effect.gen(function* () {
      const told = new Map<Script, Array<number>>(names.map((name) => [name, []]))
      for (let round = 0; round < times; round += 1) {
        for (const name of names) {
          const seen = yield* Effect.promise(() => rates(url, join(folder, `${name}.sql`)))
          told.get(name)?.push(...seen)
        }
      }
      return (name: Script) => median(told.get(name) ?? [])
    })
  /** By transactions a second; of a time the ratio is the other way round. */
  const line = (what: string, [a, b]: readonly [number, number], goal: string, isTime = false) =>
    Console.log(`| ${what} | ${a.toFixed(0)} | ${b.toFixed(0)} | ${(isTime ? a / b : b / a).toFixed(2)} × | ${goal} |`)

  yield* Console.log("| what | plain, a second | function, a second | ratio | goal |\n| --- | --- | --- | --- | --- |")
  const inserts = Effect.gen(function* () {
    const one = yield* rounds(3, ["plain", "function", "floor"])
    yield* line("one insert with a new key", [one("plain"), one("function")], "at least 0.6 ×")
    yield* line("the least that a function can do for it", [one("plain"), one("floor")], "the floor")
    const many = yield* rounds(2, ["plain100", "function100"])
    yield* line("100 inserts in one transaction, time", [many("plain100"), many("function100")], "at most 3 ×", true)
  })
  const updates = Effect.gen(function* () {
    const [plainly, called, merged] = ["updates100", "functionUpdates100", "merged100"] as const
    const many = yield* rounds(2, [plainly, called, merged])
    yield* line("100 updates by key in one transaction, time", [many(plainly), many(called)], "at most 3 ×", true)
    yield* line("the same, if they were one statement", [many(plainly), many(merged)], "the floor", true)
  })
  const old = Effect.gen(function* () {
    yield* run(`
    insert into supabase_pool.transactions (key, caller, fingerprint, created_at, result)
    select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now() - interval '2 days', '[[]]' from generate_series(1, 1000000)
  `)
    yield* run("vacuum analyze supabase_pool.transactions")
    const swept = yield* rounds(2, ["plain", "function"])
    yield* line(
      "one insert, with a million keys older than a day",
      [swept("plain"), swept("function")],
      "at least 0.55 ×"
    )
    const expired =
      "select count(*)::int as n from supabase_pool.transactions where created_at < now() - interval '1 day'"
    const before = Number((yield* run(expired))[0]?.["n"])
    const holder = yield* Effect.promise(() => sql.reserve())
    yield* Effect.promise(async () => holder.unsafe("begin isolation level repeatable read; select 1"))
    const first = yield* rounds(1, ["function"])
    yield* rounds(2, ["function"])
    const last = yield* rounds(1, ["function"])
    yield* Effect.promise(async () => holder.unsafe("rollback"))
    holder.release()
    const after = Number((yield* run(expired))[0]?.["n"])
    yield* line(
      "time of one insert while keys expire under an old snapshot, first and last of four runs",
      [first("function"), last("function")],
      "at most 1.2 ×",
      true
    )
    const [size] = yield* run(`
    select round(pg_total_relation_size('supabase_pool.transactions')::numeric / greatest(count(*), 1)) as bytes from supabase_pool.transactions
  `)
    yield* Console.log(
      `Swept meanwhile: ${before - after} keys. A key takes ${String(size?.["bytes"])} bytes, with its index and what is swept.`
    )
  })
  const parts = { inserts, updates, old }
  for (const [name, part] of Object.entries(parts)) if (only === undefined || only === name) yield* part
})

await Effect.runPromise(Effect.scoped(measured))
