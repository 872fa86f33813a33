/**
 * The migration in a project as there are: an owner who is no superuser, a pooler that discards what sessions have
 * prepared, `supabase db diff`, a sweeper whose backend dies, and a PostgREST that loses the answer to COMMIT.
 */
import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { createServer } from "node:http"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Redacted } from "effect"
import * as Db from "../../src/Db.js"
import { Embedded } from "../../src/embedded.js"
import { postgresPrograms } from "../../src/internal/embedded/postgresServer.js"
import type { Step } from "../../src/internal/transaction/step.js"
import * as Transaction from "../../src/Transaction.js"
import { failureOf, listen } from "../support/httpServer.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import { lostAtCommit } from "../support/postgrest.js"
import {
  allBefore,
  migrationUnderTest,
  newMigration,
  oneSession,
  type Scratch,
  said,
  scratch
} from "../support/scratch.js"

const tables = `
  create table public.lines (id bigint primary key generated always as identity, body text);
  grant all on public.lines to authenticated, service_role;
`

const ann = { role: "authenticated", sub: "00000000-0000-4000-8000-000000000001" }
const bob = { role: "authenticated", sub: "00000000-0000-4000-8000-000000000002" }
const service = { role: "service_role" }

const line = (body: string): Step => ({
  op: "insert",
  schema: "public",
  table: "lines",
  columns: ["body"],
  rows: [{ body }],
  returning: [["body", "body"]]
})

const run = (database: Scratch, statements: string) => Effect.promise(() => database.run(statements))

const transact = (database: Scratch, caller: typeof ann | typeof service, key: string, steps = [line(key)]) =>
  Effect.promise(() => database.transact(caller, steps, { key }))

const lines = (database: Scratch) =>
  Effect.map(run(database, "select body from public.lines order by id"), (rows) => rows.map(({ body }) => body))

const records = "supabase_pool.transactions"

/** As Supabase's `postgres` is: no superuser, and the owner of the database and of `public`. */
const ownedByNoSuperuser = (database: Scratch) => {
  const owner = `owner_${database.name.slice(-8)}`
  const as = (statements: string) =>
    run(database, `set session authorization ${owner}; ${statements}; reset session authorization`)
  return Effect.as(
    Effect.acquireRelease(
      run(
        database,
        `create role ${owner} nosuperuser createrole;
         alter database ${database.name} owner to ${owner};
         alter schema public owner to ${owner}`
      ),
      () =>
        run(database, `drop owned by ${owner} cascade; reassign owned by ${owner} to current_user; drop role ${owner}`)
    ),
    { as, owner }
  )
}

const dumped = (database: Scratch) =>
  Effect.gen(function* () {
    const folder = Option.getOrThrow(yield* postgresPrograms)
    const url = new URL(Redacted.value(yield* PostgresUrl))
    url.pathname = `/${database.name}`
    const { stdout } = yield* Effect.promise(() =>
      promisify(execFile)(join(folder, "pg_dump"), ["--schema-only", url.href], { maxBuffer: 2 ** 26 })
    )
    // A word of its own in each dump.
    return stdout.replaceAll(/^\\(?:un)?restrict .*$/gm, "")
  })

describePostgres("the transaction function in a project", () => {
  layer(PostgresUrl.Live, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.scoped("is applied by an owner who is no superuser, also twice and over the earlier files, and works", () =>
      Effect.gen(function* () {
        for (const earlier of [[], yield* allBefore]) {
          const database = yield* scratch([])
          const { as, owner } = yield* ownedByNoSuperuser(database)
          for (const migration of [...earlier, yield* migrationUnderTest, yield* migrationUnderTest])
            yield* as(migration)
          yield* as(tables)
          const [who] = yield* run(
            database,
            `select relowner::regrole::text as owner from pg_class where oid = '${records}'::regclass`
          )
          assert.deepStrictEqual(who, { owner })
          const results = [[{ body: "a" }]]
          assert.deepStrictEqual(said(yield* transact(database, ann, "a")), { replayed: false, results })
          assert.deepStrictEqual(said(yield* transact(database, ann, "a")), { replayed: true, results })
          // Everybody's keys are their own.
          assert.deepInclude(said(yield* transact(database, bob, "a")), { replayed: false })
          assert.deepInclude(said(yield* transact(database, service, "b", [line("b"), line("c")])), { replayed: false })
          const settled = yield* Effect.promise(() => database.settle(ann, "never"))
          assert.deepStrictEqual(said(settled), [{ answer: '{"executed": false}' }])
          assert.strictEqual(said(yield* transact(database, ann, "never")), "57014")
          yield* run(
            database,
            `update ${records} set created_at = now() - interval '2 days'; select setval('supabase_pool.swept_at', 0)`
          )
          yield* Effect.promise(() => database.settle(ann, "another"))
          const [left] = yield* run(database, `select count(*)::int as n from ${records}`)
          assert.deepStrictEqual(left, { n: 1 })
          assert.deepStrictEqual(yield* lines(database), ["a", "a", "b", "c"])
        }
      })
    )

    it.scoped(
      "executes nothing where its owner may not write records any more, and the same key once when they may",
      () =>
        Effect.gen(function* () {
          const database = yield* scratch([])
          const { as, owner } = yield* ownedByNoSuperuser(database)
          yield* as(yield* migrationUnderTest)
          yield* as(tables)
          yield* as(`revoke insert on ${records} from ${owner}`)
          assert.strictEqual(said(yield* transact(database, ann, "key")), "42501")
          assert.deepStrictEqual(yield* lines(database), [])
          yield* as(`grant insert on ${records} to ${owner}`)
          assert.deepInclude(said(yield* transact(database, ann, "key")), { replayed: false })
          assert.deepInclude(said(yield* transact(database, ann, "key")), { replayed: true })
          assert.deepStrictEqual(yield* lines(database), ["key"])
        })
    )

    it.scoped("outlives what a pooler does between two calls: plans, prepared statements and all are discarded", () =>
      Effect.gen(function* () {
        const database = yield* oneSession(yield* scratch([yield* migrationUnderTest, tables]))
        const discarding = [
          "deallocate all",
          "discard plans",
          "discard temp",
          "discard sequences",
          "discard all",
          "reset all"
        ]
        const expected: Array<string> = []
        // Often enough that PostgreSQL would keep plans that fit all values.
        for (const [index, discard] of [...discarding, ...discarding, ...discarding].entries()) {
          const key = `${index}`
          assert.deepInclude(said(yield* transact(database, ann, key)), { replayed: false })
          yield* run(database, discard)
          assert.deepInclude(said(yield* transact(database, ann, key)), { replayed: true })
          expected.push(key)
        }
        assert.deepStrictEqual(yield* lines(database), expected)
      })
    )

    it.scoped("leaves nothing for db diff: twice, or over the earlier files, it is what it is once", () =>
      Effect.gen(function* () {
        const migration = yield* newMigration
        const once = yield* dumped(yield* scratch([migration]))
        assert.include(once, "supabase_pool_transaction")
        for (const before of [[migration], yield* allBefore]) {
          assert.strictEqual(yield* dumped(yield* scratch([...before, migration])), once)
        }
      })
    )

    it.scoped("loses nothing with a sweeper whose backend is ended in the middle: the next one sweeps", () =>
      Effect.gen(function* () {
        const database = yield* scratch([
          yield* migrationUnderTest,
          tables,
          `create function public.wait() returns trigger language plpgsql as
             $$begin perform pg_advisory_xact_lock(77); return old; end$$;
           insert into ${records} (key, caller, fingerprint, created_at)
             select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now() - interval '2 days' from generate_series(1, 10);
           create trigger wait before delete on ${records} for each row execute function public.wait()`
        ])
        const holder = yield* oneSession(database)
        const sweeper = yield* oneSession(database)
        yield* run(holder, "select pg_advisory_lock(77)")
        // In one message, since the client has nobody to roll back with once the backend is gone.
        const call = `begin; select set_config('role', 'authenticated', true),
          set_config('request.jwt.claims', '${JSON.stringify(ann)}', true);
          select public.supabase_pool_transaction('key', '${JSON.stringify([line("key")])}'); commit`
        const sweeping = yield* Effect.fork(Effect.exit(Effect.tryPromise(() => sweeper.run(call))))
        const waiting = "pg_locks where locktype = 'advisory' and objid = 77 and not granted"
        yield* Effect.repeat(run(database, `select pid from ${waiting}`), { until: (rows) => rows.length > 0 })
        yield* run(database, `select pg_terminate_backend(pid) from ${waiting}`)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(sweeping)))
        const old = `${records} where created_at < now() - interval '1 day'`
        assert.deepStrictEqual(yield* lines(database), [])
        assert.deepStrictEqual(yield* run(database, `select count(*)::int as n from ${old}`), [{ n: 10 }])
        yield* run(database, `drop trigger wait on ${records}; select setval('supabase_pool.swept_at', 0)`)
        assert.deepInclude(said(yield* transact(database, ann, "key")), { replayed: false })
        assert.deepStrictEqual(yield* lines(database), ["key"])
        assert.deepStrictEqual(yield* run(database, `select count(*)::int as n from ${old}`), [{ n: 0 }])
      })
    )

    /** What becomes of a transaction's request on its way: all of it, or one half of it. */
    type Fate =
      | "answered"
      | "executed, and the answer to COMMIT is lost"
      | "not executed, since the answer to BEGIN is lost"

    /** A PostgREST that loses answers of PostgreSQL's: to a client both look the same (docs/postgrest.md). */
    const losing = (upstream: string, fates: Array<Fate>) =>
      Effect.gen(function* () {
        const keys: Array<string> = []
        const server = createServer((request, response) => {
          const chunks: Array<Buffer> = []
          request.on("data", (chunk: Buffer) => chunks.push(chunk))
          request.on("end", async () => {
            const body = Buffer.concat(chunks)
            const isTransaction = request.url === "/rest/v1/rpc/supabase_pool_transaction"
            const fate = isTransaction ? (fates.shift() ?? "answered") : "answered"
            if (isTransaction) keys.push(String(JSON.parse(body.toString())["idempotency_key"]))
            const forwarded = async () => {
              const { authorization = "", apikey = "" } = request.headers
              const answer = await fetch(`${upstream}${request.url}`, {
                method: request.method ?? "GET",
                headers: { authorization, apikey: String(apikey), "content-type": "application/json" },
                ...(body.length === 0 ? {} : { body })
              })
              return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() }
            }
            const known = fate.startsWith("not") ? undefined : await forwarded()
            const {
              headers = {},
              status,
              body: text = ""
            } = fate === "answered" && known !== undefined ? known : lostAtCommit
            const { connection: _, "content-length": __, "keep-alive": ___, ...rest } = headers
            response.writeHead(status, rest)
            response.end(request.method === "HEAD" ? undefined : text)
          })
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
        const port = yield* listen(server)
        return { url: `http://127.0.0.1:${port}`, keys }
      })

    const behind = (fates: Array<Fate>, maxRetries: number) =>
      Effect.gen(function* () {
        const migrations = [yield* newMigration, tables]
        const embedded = yield* Embedded.make({ postgres: yield* PostgresUrl, migrations })
        const proxy = yield* losing(embedded.url, fates)
        const { anonKey, serviceRoleKey } = embedded
        const pool = {
          minConnections: 1,
          maxConnections: 2,
          maxRetries,
          retryDelay: "1 millis",
          enableHealthChecks: false
        } as const
        return { proxy, database: Db.layerOf({ url: proxy.url, anonKey, serviceRoleKey, ...pool }) }
      })

    const inserting = (key: string) =>
      Db.transaction(
        [
          (client) => client.from("lines").insert({ body: key }).select("body").single(),
          (client) => client.from("lines").select("id").eq("body", key)
        ],
        { idempotencyKey: key }
      )

    const found = (key: string) =>
      Db.read((client) => client.from("lines").select("id").eq("body", key), { as: "service" })

    it.scoped("gives the first attempt's results where the answer to COMMIT is lost, as often as it is", () =>
      Effect.gen(function* () {
        const lost = "executed, and the answer to COMMIT is lost"
        const fates: Array<Fate> = ["not executed, since the answer to BEGIN is lost", lost, lost, "answered"]
        const { database, proxy } = yield* behind(fates, 5)
        const key = randomUUID()
        yield* Effect.gen(function* () {
          const [row, all] = yield* inserting(key)
          assert.deepStrictEqual(row, { body: key })
          assert.strictEqual(all.length, 1)
          assert.strictEqual((yield* found(key)).length, 1)
          assert.deepStrictEqual(proxy.keys, [key, key, key, key])
        }).pipe(Effect.provide(database))
      })
    )

    it.scoped("leaves it open where nobody asks again, and settle says which it was", () =>
      Effect.gen(function* () {
        for (const [fate, executed] of [
          ["executed, and the answer to COMMIT is lost", true],
          ["not executed, since the answer to BEGIN is lost", false]
        ] as const) {
          const { database } = yield* behind([fate], 0)
          yield* Effect.gen(function* () {
            const key = randomUUID()
            const error = yield* failureOf(inserting(key))
            assert.isTrue(error.mayHaveExecuted, error.message)
            assert.strictEqual(yield* Transaction.settle(key), executed)
            const again = yield* Effect.either(inserting(key))
            assert.strictEqual(again._tag, executed ? "Right" : "Left")
            assert.strictEqual((yield* found(key)).length, executed ? 1 : 0)
          }).pipe(Effect.provide(database))
        }
      })
    )
  })
})
