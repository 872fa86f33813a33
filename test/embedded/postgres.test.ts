/** The embedded API over a PostgreSQL server: the same as in process, but for the sessions, of which it has many. */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { connect } from "node:net"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Redacted, Schedule, Schema, Scope } from "effect"
import postgres from "postgres"
import * as Db from "../../src/Db.js"
import {
  Embedded,
  type EmbeddedDatabase,
  type EmbeddedStartFailed,
  migrationsDirectory,
  seedFile
} from "../../src/embedded.js"
import { connection, expectedVersion } from "../../src/internal/cli/findings.js"
import { postgresServer } from "../../src/internal/embedded/postgresServer.js"
import { migrationFile } from "../../src/internal/transaction/run.js"
import { ids } from "../support/embedded.js"
import { allMigrations } from "../support/migrations.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import { program } from "../support/program.js"
import { closedPort } from "../support/tcpProxy.js"

/** Two requests that want to be under way at the same time: each waits, some seconds at most, until both are. */
const meeting = `
  create function public.meet(mine int, other int) returns boolean language plpgsql as $$
  begin
    perform pg_advisory_xact_lock(mine);
    for turn in 1 .. 500 loop
      if exists (select from pg_locks where locktype = 'advisory' and objid = other::oid and granted) then
        -- The other one has to see this one too.
        perform pg_sleep(0.05);
        return true;
      end if;
      perform pg_sleep(0.01);
    end loop;
    return false;
  end
  $$;
`

class Marketplace extends Context.Tag("test/Marketplace")<Marketplace, EmbeddedDatabase>() {
  static readonly Live = Layer.orDie(
    Layer.scoped(
      Marketplace,
      Effect.gen(function* () {
        const postgres = yield* PostgresUrl
        const migrations = yield* Effect.promise(allMigrations)
        return yield* Embedded.make({ postgres, migrations: [...migrations, meeting], seed: seedFile })
      })
    )
  )
}

const ask = (path: string, who: "anon" | "service" | string, body?: unknown) =>
  Effect.flatMap(Marketplace, (database) =>
    Effect.promise(async () => {
      const key = Redacted.value(who === "service" ? database.serviceRoleKey : database.anonKey)
      const token = who === "service" || who === "anon" ? key : Redacted.value(database.userToken(who))
      const response = await fetch(`${database.url}/rest/v1/${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: { apikey: key, authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      return response.text()
    }).pipe(Effect.flatMap(Schema.decode(Schema.parseJson())))
  )

const query = (url: Redacted.Redacted, sql: string): Effect.Effect<ReadonlyArray<unknown>> =>
  Effect.acquireUseRelease(
    Effect.sync(() => postgres(Redacted.value(url), { max: 1, onnotice: () => undefined })),
    (client) => Effect.promise(async () => [...(await client.unsafe(sql))]),
    (client) => Effect.promise(() => client.end({ timeout: 1 }))
  )

const databases = (url: Redacted.Redacted) =>
  query(url, "select datname from pg_database where datname like 'embedded%' order by 1")

/** What `supabase-pool check` says of transactions on a database with these migrations. */
const verdict = (migrations: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { anonKey, serviceRoleKey, url } = yield* Embedded.make({ postgres: yield* PostgresUrl, migrations })
    const pool = Layer.orDie(Db.layerOf({ url, anonKey, serviceRoleKey, minConnections: 1, maxConnections: 2 }))
    const found = (yield* Effect.provide(connection(url), pool)).find(({ name }) => name === "transaction function")
    return [found?.ok, found?.detail] as const
  }).pipe(Effect.scoped)

const failure = (effect: Effect.Effect<unknown, EmbeddedStartFailed, Scope.Scope>) => Effect.scoped(Effect.flip(effect))

const isOpen = (port: number): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const socket = connect({ host: "127.0.0.1", port })
    const answered = (open: boolean): void => {
      socket.destroy()
      resume(Effect.succeed(open))
    }
    socket.once("connect", () => answered(true))
    socket.once("error", () => answered(false))
  })

const until = (condition: Effect.Effect<boolean>) =>
  condition.pipe(
    Effect.repeat({ until: (holds) => holds, schedule: Schedule.spaced("20 millis") }),
    Effect.timeout("10 seconds")
  )

const portOf = (url: Redacted.Redacted): number => Number(new URL(Redacted.value(url)).port)

const Setting = Schema.Tuple(Schema.Struct({ setting: Schema.String }))

/** The temporary folder of a server of ours. */
const folderOf = (url: Redacted.Redacted): Effect.Effect<string> =>
  query(url, "select setting from pg_settings where name = 'data_directory'").pipe(
    Effect.map(Schema.decodeUnknownSync(Setting)),
    Effect.map(([{ setting }]) => dirname(setting))
  )

const killable = Effect.acquireRelease(
  Effect.sync(() =>
    spawn(process.execPath, [program("test/support/postgresChild.ts")], {
      stdio: ["ignore", "pipe", "inherit"]
    })
  ),
  (running) => Effect.sync(() => running.kill("SIGKILL"))
)

describePostgres("the embedded API over a PostgreSQL server", () => {
  layer(Layer.provideMerge(Marketplace.Live, PostgresUrl.Live), { excludeTestServices: true, timeout: 60_000 })(
    (it) => {
      it.effect("gives the data set as the database in process does, value for value", () =>
        Effect.gen(function* () {
          const products = yield* ask(
            "products?select=*&id=lte.30000000-0000-4000-8000-999999999999&id=gte.30000000-0000-4000-8000-000000000000&order=id",
            "anon"
          )
          const orders = yield* ask("orders?select=*&order=id", "service")
          const digest = createHash("sha256")
            .update(JSON.stringify([products, orders]))
            .digest("hex")
          assert.strictEqual(digest, "6dd9de93bf489b91abebf1962075f0cb13a0d17e6bb0cf5785b00db8e57179c5")
        })
      )

      it.effect("shows everyone what row level security lets them see", () =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* ask("users?select=id", "anon"), [])
          assert.deepStrictEqual(yield* ask("users?select=id", ids.user(12)), [{ id: ids.user(12) }])
          const all = yield* ask("users?select=id&order=id&limit=2", "service")
          assert.deepStrictEqual(all, [{ id: ids.user(1) }, { id: ids.user(2) }])
        })
      )

      it.effect("serves requests at the same time, each in a session of its own", () =>
        Effect.gen(function* () {
          const met = yield* Effect.all(
            [ask("rpc/meet", "service", { mine: 1, other: 2 }), ask("rpc/meet", "anon", { mine: 2, other: 1 })],
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(met, [true, true])
        })
      )

      it.effect("mixes up no callers when a hundred of them come at once", () =>
        Effect.gen(function* () {
          const callers = Array.from({ length: 100 }, (_, n) => (n % 3 === 0 ? "anon" : ids.user(1 + (n % 50))))
          const seen = yield* Effect.forEach(callers, (who) => ask("users?select=id", who), {
            concurrency: "unbounded"
          })
          assert.deepStrictEqual(
            seen,
            callers.map((who) => (who === "anon" ? [] : [{ id: who }]))
          )
        })
      )

      it.effect("keeps to a database of its own, which goes with it", () =>
        Effect.gen(function* () {
          const url = yield* PostgresUrl
          const before = yield* databases(url)
          const scope = yield* Scope.make()
          yield* Effect.all(
            [0, 1].map(() => Embedded.make({ postgres: url, migrations: [] })),
            {
              concurrency: "unbounded"
            }
          ).pipe(Scope.extend(scope))
          assert.strictEqual((yield* databases(url)).length, before.length + 2)
          yield* Scope.close(scope, Exit.void)
          assert.deepStrictEqual(yield* databases(url), before)
          const tables = yield* query(url, "select from pg_class where relnamespace = 'public'::regnamespace")
          assert.strictEqual(tables.length, 0)
        })
      )

      it.effect("leaves no database behind when a migration is refused", () =>
        Effect.gen(function* () {
          const url = yield* PostgresUrl
          const before = yield* databases(url)
          const error = yield* failure(Embedded.make({ postgres: url, migrations: ["create tabel t ()"] }))
          assert.strictEqual(error.stage, "migration")
          assert.deepStrictEqual(yield* databases(url), before)
        })
      )

      it.effect("is told by check what it lacks for transactions: all, what an old version had not, nothing", () =>
        Effect.gen(function* () {
          const mine = yield* Effect.promise(() => readFile(join(migrationsDirectory, migrationFile), "utf8"))
          const version = (n: number) =>
            `create or replace function public.supabase_pool_version() returns integer language sql as 'select ${n}'`
          const verdicts = yield* Effect.forEach(
            [[], [mine, version(0)], [mine, version(99)], [mine, version(0), mine]],
            verdict
          )
          assert.deepStrictEqual(verdicts, [
            [false, "is not installed"],
            [false, `is old: version 0, and this package expects ${expectedVersion}`],
            [false, `is version 99, newer than the ${expectedVersion} of this package`],
            [true, `version ${expectedVersion}`]
          ])
        })
      )
    }
  )

  it.live("goes away with its scope: no process, no folder", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { url } = yield* Scope.extend(postgresServer(), scope)
      const folder = yield* folderOf(url)
      assert.include(folder, "supabase-pool-postgres-")
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(yield* isOpen(portOf(url)))
      assert.isFalse(existsSync(folder))
    })
  )

  it.live("goes away with the process that started it, even if that is killed", () =>
    Effect.gen(function* () {
      const child = yield* killable
      const url = yield* Effect.async<Redacted.Redacted>((resume) => {
        createInterface({ input: child.stdout }).once("line", (line) => resume(Effect.succeed(Redacted.make(line))))
      })
      const folder = yield* folderOf(url)
      assert.isTrue(existsSync(folder))
      child.kill("SIGKILL")
      yield* until(Effect.map(isOpen(portOf(url)), (open) => !open))
      yield* until(Effect.sync(() => !existsSync(folder)))
    }).pipe(Effect.scoped)
  )
})

describe("a PostgreSQL server that cannot be used", () => {
  it.effect("is named by its address, without the password", () =>
    Effect.gen(function* () {
      const port = yield* closedPort
      const error = yield* failure(Embedded.make({ postgres: `postgres://me:secret-word@127.0.0.1:${port}/x` }))
      assert.strictEqual(error.stage, "server")
      assert.include(error.message, "127.0.0.1")
      assert.notInclude(error.message, "secret-word")
    })
  )

  it.effect("whose connection string is none is told without repeating it", () =>
    Effect.gen(function* () {
      const error = yield* failure(Embedded.make({ postgres: "postgres://me:secret-word@[nowhere" }))
      assert.strictEqual(error.stage, "server")
      assert.notInclude(JSON.stringify(error) + error.message, "secret-word")
    })
  )
})
