/**
 * Each row of `docs/comparison.md` that compares with `@effect/sql-pg` is a test of that name: the same PostgreSQL, asked by it
 * directly and by us over the API.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Model, SqlClient, SqlResolver, SqlSchema } from "@effect/sql"
import { PgClient, PgMigrator } from "@effect/sql-pg"
import { assert, it, layer } from "@effect/vitest"
import {
  Array as Arr,
  Chunk,
  Config,
  ConfigError,
  ConfigProvider,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Metric,
  Option,
  Redacted,
  Schedule,
  Schema,
  Stream,
  Tracer
} from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { Embedded, type EmbeddedDatabase, migrationsDirectory } from "../../src/embedded.js"
import * as Health from "../../src/Health.js"
import { migrationFile } from "../../src/internal/transaction/run.js"
import * as Pool from "../../src/Pool.js"
import * as Transaction from "../../src/Transaction.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import { root } from "../support/program.js"
import { closedPort } from "../support/tcpProxy.js"

const notesTable = `
  create table public.notes (
    id integer primary key,
    owner uuid not null,
    body text not null,
    stock integer not null check (stock >= 0)
  );
  alter table public.notes enable row level security;
  create policy "one's own" on public.notes for select to authenticated using (owner = (select auth.uid()));
  grant select on public.notes to authenticated;
  grant all on public.notes to service_role;
  create sequence public.tries;
  grant usage on sequence public.tries to service_role;
  create function public.busy() returns text language plpgsql volatile as $$
  begin
    if nextval('public.tries') % 2 = 1 then raise exception 'again' using errcode = '40001'; end if;
    return 'done';
  end $$;
  create function public.isolation() returns text language sql stable as $$ select current_setting('transaction_isolation') $$;
  create function public.place() returns text language sql stable as $$ select current_database()::text $$;
`

const ann = "10000000-0000-4000-8000-000000000001"
const ben = "10000000-0000-4000-8000-000000000002"

interface Both {
  readonly database: EmbeddedDatabase
  /** Of the same database, for the role that owns it. */
  readonly url: Redacted.Redacted
}

/** As `Db.layerOf` takes them. */
const keysOf = ({ anonKey, serviceRoleKey, url }: EmbeddedDatabase) => ({ anonKey, serviceRoleKey, url })

const placed = Schema.decodeUnknown(Schema.String)

class World extends Context.Tag("test/Comparison")<World, Both>() {
  static readonly Live = Layer.scoped(
    World,
    Effect.gen(function* () {
      const postgres = yield* PostgresUrl
      const transactions = yield* Effect.promise(() => readFile(join(migrationsDirectory, migrationFile), "utf8"))
      const migrations = [transactions, notesTable]
      const database = yield* Embedded.make({ postgres, migrations, postgresConnections: 3 })
      const name = yield* Db.rpc("place", {}).pipe(Effect.flatMap(placed), Effect.provide(Db.layerOf(keysOf(database))))
      const url = new URL(Redacted.value(postgres))
      url.pathname = `/${name}`
      return { database, url: Redacted.make(url.href) }
    })
  ).pipe(Layer.provide(PostgresUrl.Live), Layer.orDie)
}

type SqlOptions = Omit<PgClient.PgClientConfig, "url">

/** Both over the world's database. */
const theirs = (options: SqlOptions = {}) =>
  Layer.unwrapEffect(Effect.map(World, ({ url }) => PgClient.layer({ url, ...options })))

const ours = (options: { readonly maxConnections?: number; readonly maxPending?: number } = {}) =>
  Layer.unwrapEffect(
    Effect.map(World, ({ database }) =>
      Db.layerOf({
        ...keysOf(database),
        minConnections: 1,
        maxConnections: 4,
        retryDelay: 1,
        enableHealthChecks: false,
        ...options
      })
    )
  )

/** Ids are each row's own. */
let made = 0
const fresh = (): number => {
  made += 1
  return made
}

const Note = Schema.Struct({ id: Schema.Int, owner: Schema.UUID, body: Schema.String, stock: Schema.Int })
const idOf = ({ id }: typeof Note.Type): number => id

const notes = Db.table("notes", Note, { as: "service" })

const note = (change: Partial<typeof Note.Type> = {}) => ({ id: fresh(), owner: ann, body: "a", stock: 1, ...change })

const insert = (row: typeof Note.Type) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`insert into notes ${sql.insert(row)}`)

/** By sql-pg; one number. */
const counted = (condition: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.map(sql.unsafe<{ n: number }>(`select count(*)::int as n from notes where ${condition}`), ([row]) => row?.n)
  )

/** Names of the spans that a program makes. */
const spansOf = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.tracerWith((native) => {
    const names: Array<string> = []
    const tracer = Tracer.make({
      span: (name, ...about) => {
        names.push(name)
        return native.span(name, ...about)
      },
      context: native.context
    })
    return program.pipe(Effect.withSpan("outside"), Effect.withTracer(tracer), Effect.as(names))
  })

const backends = (name: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.map(
      sql<{ n: number }>`select count(*)::int as n from pg_stat_activity where application_name = ${name}`,
      ([row]) => row?.n ?? 0
    )
  )

type Row = Effect.Effect<void, unknown, World>

const rows: Readonly<Record<string, Row>> = {
  "layer and configuration": Effect.gen(function* () {
    const { database, url } = yield* World
    const provider = ConfigProvider.fromMap(
      new Map([
        ["DATABASE_URL", Redacted.value(url)],
        ["URL", database.url],
        ["ANON", Redacted.value(database.anonKey)],
        ["SERVICE", Redacted.value(database.serviceRoleKey)]
      ])
    )
    const sqlLayer = PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })
    const dbLayer = Db.layerConfig({
      url: Config.string("URL"),
      anonKey: Config.redacted("ANON"),
      serviceRoleKey: Config.redacted("SERVICE")
    })
    const [one] = yield* Effect.flatMap(PgClient.PgClient, (sql) => sql<{ n: number }>`select 1 as n`).pipe(
      Effect.provide(sqlLayer),
      Effect.withConfigProvider(provider)
    )
    assert.strictEqual(one?.n, 1)
    yield* Db.rpc("place", {}).pipe(Effect.provide(dbLayer), Effect.withConfigProvider(provider))
    const missing = [
      yield* Effect.flip(Effect.scoped(Layer.build(sqlLayer))),
      yield* Effect.flip(Effect.scoped(Layer.build(dbLayer)))
    ]
    assert.isTrue(missing.every(ConfigError.isConfigError))
  }),

  "a database that is away at the start": Effect.gen(function* () {
    const port = yield* closedPort
    const away = PgClient.layer({ url: Redacted.make(`postgres://a:b@127.0.0.1:${port}/c`) })
    const failed = yield* Effect.flip(Effect.scoped(Layer.build(away)))
    assert.strictEqual(failed._tag, "SqlError")
    yield* Effect.scoped(
      Layer.build(Db.layerOf({ url: `http://127.0.0.1:${port}`, anonKey: "anon-x", serviceRoleKey: "service-x" }))
    )
  }),

  "two databases in one graph": Effect.gen(function* () {
    const { database, url } = yield* World
    const other = new URL(Redacted.value(url))
    other.pathname = "/postgres"
    const place = Effect.flatMap(PgClient.PgClient, (sql) => sql<{ name: string }>`select current_database() as name`)
    const both = Layer.merge(PgClient.layer({ url }), PgClient.layer({ url: Redacted.make(other.href) }))
    const [found] = yield* Effect.provide(place, both)
    // One tag, so that the second is the only one.
    assert.strictEqual(found?.name, "postgres")

    class Archive extends Db.make()("test/ComparisonArchive") {}
    const two = Layer.merge(
      ours(),
      Archive.layerTest(() => Response.json([{ body: "archived" }]))
    )
    const program = Effect.zip(
      Db.rpc("place", {}),
      Archive.read((client) => client.from("notes").select("body"))
    )
    const [mine, archived] = yield* Effect.provide(program, two)
    assert.strictEqual(mine, new URL(Redacted.value(url)).pathname.slice(1))
    assert.deepStrictEqual(archived, [{ body: "archived" }])
    assert.isString(database.url)
  }),

  "logic between the statements of a transaction": Effect.gen(function* () {
    const row = note({ stock: 3 })
    const program = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* insert(row)
      return yield* sql.withTransaction(
        Effect.gen(function* () {
          const [read] = yield* sql<{ stock: number }>`select stock from notes where id = ${row.id} for update`
          const left = (read?.stock ?? 0) - 2
          yield* sql`update notes set stock = ${left} where id = ${row.id}`
          return left
        })
      )
    })
    assert.strictEqual(yield* Effect.provide(program, theirs()), 1)
    // Ours has what can be said beforehand: count, expect, refer.
    const take = Db.transaction([
      notes.updateStep(row.id, { stock: Transaction.decrement(2) }, { expect: { stock: Transaction.atLeast(2) } })
    ])
    const failed = yield* Effect.flip(Effect.provide(take, ours()))
    assert.strictEqual(failed._tag, "GuardFailed")
  }),

  "nested transactions": Effect.gen(function* () {
    const [outer, inner] = [note(), note()]
    const program = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* insert(outer)
          yield* Effect.ignore(sql.withTransaction(Effect.zipRight(insert(inner), Effect.fail("undone"))))
        })
      )
      return [yield* counted(`id = ${outer.id}`), yield* counted(`id = ${inner.id}`)]
    })
    assert.deepStrictEqual(yield* Effect.provide(program, theirs()), [1, 0])
    // A step that fails takes all with it.
    const [first, again] = [note(), note({ id: outer.id })]
    const failed = yield* Effect.flip(
      Effect.provide(Db.transaction([notes.createStep(first), notes.createStep(again)]), ours())
    )
    assert.strictEqual(failed._tag, "TransactionFailed")
    assert.strictEqual(yield* Effect.provide(counted(`id = ${first.id}`), theirs()), 0)
  }),

  "isolation level": Effect.gen(function* () {
    const program = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      return yield* sql.withTransaction(
        Effect.zipRight(
          sql`set transaction isolation level serializable`,
          sql<{ transaction_isolation: string }>`show transaction_isolation`
        )
      )
    })
    const [level] = yield* Effect.provide(program, theirs())
    assert.strictEqual(level?.transaction_isolation, "serializable")
    const [own] = yield* Effect.provide(Db.transaction([(client) => client.rpc("isolation")]), ours())
    assert.strictEqual(own, "read committed")
  }),

  "a transaction that arrives twice": Effect.gen(function* () {
    const [one, two] = [note({ stock: 5 }), note({ stock: 5 })]
    const program = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* insert(one)
      yield* insert(two)
      const take = sql.withTransaction(sql`update notes set stock = stock - 1 where id = ${one.id}`)
      yield* Effect.zipRight(take, take)
      return yield* counted(`id = ${one.id} and stock = 3`)
    })
    assert.strictEqual(yield* Effect.provide(program, theirs()), 1)
    const take = Db.transaction([notes.updateStep(two.id, { stock: Transaction.decrement(1) })], {
      idempotencyKey: `comparison-${two.id}`
    })
    const [, [after]] = yield* Effect.provide(Effect.zip(take, take), ours())
    assert.strictEqual(after.stock, 4)
    assert.strictEqual((yield* Effect.provide(notes.get(two.id), ours())).stock, 4)
  }),

  "rows decoded by a schema": Effect.gen(function* () {
    const row = note()
    const find = Effect.flatMap(SqlClient.SqlClient, (sql) =>
      SqlSchema.single({
        Request: Schema.Int,
        Result: Note,
        execute: (id) => sql`select * from notes where id = ${id}`
      })(row.id)
    )
    assert.deepStrictEqual(yield* Effect.provide(Effect.zipRight(insert(row), find), theirs()), row)
    assert.deepStrictEqual(yield* Effect.provide(notes.get(row.id), ours()), row)
  }),

  "`Model.Class`": Effect.gen(function* () {
    class NoteModel extends Model.Class<NoteModel>("test/ComparisonNote")({
      id: Schema.Int,
      owner: Schema.UUID,
      body: Schema.String,
      stock: Schema.Int
    }) {}
    const [one, two] = [note(), note()]
    const program = Effect.gen(function* () {
      const repository = yield* Model.makeRepository(NoteModel, {
        tableName: "notes",
        spanPrefix: "Notes",
        idColumn: "id"
      })
      yield* repository.insertVoid(NoteModel.insert.make(one))
      return yield* repository.findById(one.id)
    })
    const found = yield* Effect.provide(program, theirs())
    assert.isTrue(Option.isSome(found) && found.value.body === "a")
    const table = Db.table("notes", NoteModel, { as: "service" })
    const created = yield* Effect.provide(Effect.zipRight(table.create(two), table.get(two.id)), ours())
    assert.strictEqual(created.id, two.id)
  }),

  "many `get`s at once": Effect.gen(function* () {
    const { database } = yield* World
    const all = Array.from({ length: 10 }, () => note())
    const ids = all.map(({ id }) => id)
    const program = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`insert into notes ${sql.insert(all)}`
      const byId = yield* SqlResolver.findById("NoteById", {
        Id: Schema.Int,
        Result: Note,
        ResultId: idOf,
        execute: (wanted) => sql`select * from notes where ${sql.in("id", wanted)}`
      })
      return yield* spansOf(Effect.forEach(ids, (id) => byId.execute(id), { batching: true, concurrency: "unbounded" }))
    })
    const spans = yield* Effect.provide(program, theirs())
    assert.strictEqual(spans.filter((name) => name === "sql.execute").length, 1)
    const before = (yield* database.counts).requests
    const got = yield* Effect.provide(
      Effect.forEach(ids, (id) => notes.get(id), { concurrency: "unbounded" }),
      ours()
    )
    assert.deepStrictEqual(got, all)
    assert.strictEqual((yield* database.counts).requests - before, 1)
  }),

  "a large result as a stream": Effect.gen(function* () {
    const body = `streamed ${fresh()}`
    const all = Array.from({ length: 300 }, () => note({ body }))
    const program = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`insert into notes ${sql.insert(all)}`
      // Its cursor has one connection to the end: with one in all, nobody else is served meanwhile.
      const rows = sql<{ id: number }>`select id from notes where body = ${body} order by id`.stream
      return yield* rows.pipe(
        Stream.take(1),
        Stream.mapEffect(() =>
          Effect.sync(() => true).pipe(Effect.zipRight(Effect.timeoutOption(sql`select 1`, "200 millis")))
        ),
        Stream.runCollect
      )
    })
    const [meanwhile] = yield* Effect.provide(program, theirs({ maxConnections: 1 }))
    assert.isTrue(meanwhile !== undefined && Option.isNone(meanwhile))
    // Ours has none between two pages.
    const lent = yield* notes.stream({ where: { body }, orderBy: "id", pageSize: 100 }).pipe(
      Stream.mapEffect(() => Effect.flatMap(Pool.ReadPool, ({ metrics }) => metrics)),
      Stream.runCollect,
      Effect.provide(ours())
    )
    assert.deepStrictEqual([Chunk.size(lent), Math.max(...Chunk.map(lent, ({ active }) => active))], [300, 0])
  }),

  "a request with a user's rights": Effect.gen(function* () {
    const { database } = yield* World
    const body = `of ${fresh()}`
    const program = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`insert into notes ${sql.insert([note({ body }), note({ body, owner: ben })])}`
      const mine = sql<{ owner: string }>`select owner from notes where body = ${body}`
      const asAnn = sql.withTransaction(
        sql`select set_config('request.jwt.claims', ${JSON.stringify({ sub: ann, role: "authenticated" })}, true)`.pipe(
          // Which of the two settings `auth.uid()` reads depends on its version.
          Effect.zipRight(sql`select set_config('request.jwt.claim.sub', ${ann}, true)`),
          Effect.zipRight(sql`set local role authenticated`),
          Effect.zipRight(mine)
        )
      )
      return [yield* mine, yield* asAnn]
    })
    const [all, some] = yield* Effect.provide(program, theirs())
    assert.deepStrictEqual([all?.length, some?.length], [2, 1])
    const own = yield* notes
      .list({ where: { body } })
      .pipe(Db.withAccessToken(database.userToken(ann)), Effect.provide(ours()))
    assert.deepStrictEqual(
      own.map(({ owner }) => owner),
      [ann]
    )
  }),

  "the most connections": Effect.gen(function* () {
    const { database } = yield* World
    const name = `comparison-${fresh()}`
    const busy = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select pg_sleep(0.05)`)
    const program = Effect.zipRight(
      Effect.replicateEffect(busy, 20, { concurrency: "unbounded", discard: true }),
      backends(name)
    )
    assert.strictEqual(yield* Effect.provide(program, theirs({ maxConnections: 4, applicationName: name })), 4)
    const open = (yield* database.counts).open
    const ask = Effect.zipRight(
      Effect.replicateEffect(notes.count(), 20, { concurrency: "unbounded", discard: true }),
      database.counts
    )
    const counts = yield* Effect.provide(ask, ours({ maxConnections: 4 }))
    assert.isAtMost(counts.open - open, 4)
  }),

  "a wait for a connection that is too long": Effect.gen(function* () {
    const holding = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const held = yield* Deferred.make<void>()
      yield* Effect.fork(
        sql.withTransaction(
          Effect.zipRight(sql`select 1`, Deferred.succeed(held, undefined)).pipe(Effect.zipRight(Effect.never))
        )
      )
      yield* Deferred.await(held)
      return yield* Effect.flip(sql`select 2`)
    })
    const failed = yield* Effect.provide(holding, theirs({ maxConnections: 1, connectTimeout: "100 millis" }))
    assert.strictEqual(failed.message, "Failed to acquire connection")
    const { database } = yield* World
    const layerOfOne = Db.layerOf({
      ...keysOf(database),
      minConnections: 1,
      maxConnections: 2,
      connectionTimeout: 100,
      maxRetries: 0
    })
    const waiting = Effect.scoped(
      Effect.gen(function* () {
        const pool = yield* Pool.ReadPool
        yield* pool.connection
        return yield* Effect.flip(Db.read((client) => client.from("notes").select("id")))
      })
    )
    assert.strictEqual((yield* Effect.provide(waiting, layerOfOne))._tag, "AcquireTimeout")
  }),

  "who waits is served in order": Effect.gen(function* () {
    const inOrder = <A, E, R>(ask: Effect.Effect<A, E, R>) =>
      Effect.gen(function* () {
        const ended: Array<number> = []
        const fibers: Array<Fiber.RuntimeFiber<unknown, E>> = []
        for (const n of Arr.range(1, 8)) {
          fibers.push(
            yield* Effect.fork(
              Effect.zipRight(
                ask,
                Effect.sync(() => ended.push(n))
              )
            )
          )
          yield* Effect.yieldNow()
        }
        yield* Fiber.joinAll(fibers)
        return ended
      })
    const query = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select pg_sleep(0.01)`)
    assert.deepStrictEqual(yield* Effect.provide(inOrder(query), theirs({ maxConnections: 1 })), Arr.range(1, 8))
    assert.deepStrictEqual(
      yield* Effect.provide(inOrder(Db.rpc("isolation", {}, { get: true })), ours({ maxConnections: 2 })),
      Arr.range(1, 8)
    )
  }),

  "a bound on how many wait": Effect.gen(function* () {
    const query = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select 1`)
    const all = yield* Effect.provide(
      Effect.forEach(Arr.range(1, 300), () => Effect.either(query), { concurrency: "unbounded" }),
      theirs({ maxConnections: 1 })
    )
    assert.isTrue(all.every(({ _tag }) => _tag === "Right"))
    const some = yield* Effect.provide(
      Effect.forEach(Arr.range(1, 300), () => Effect.either(Db.rpc("isolation", {}, { get: true, retry: false })), {
        concurrency: "unbounded"
      }),
      ours({ maxConnections: 2, maxPending: 5 })
    )
    const refused = some.flatMap((each) => (each._tag === "Left" ? [each.left._tag] : []))
    assert.deepStrictEqual([...new Set(refused)], ["PoolOverloaded"])
  }),

  "repeated by itself when that is safe": Effect.gen(function* () {
    const query = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select busy()`)
    const failed = yield* Effect.flip(Effect.provide(query, theirs()))
    assert.strictEqual(failed._tag, "SqlError")
    // One's own, with a schedule; whether it is safe, its caller has to know.
    yield* Effect.provide(Effect.retry(query, Schedule.recurs(2)), theirs())
    yield* Effect.provide(query, theirs()).pipe(Effect.flip)
    yield* Effect.provide(query, theirs())
    // The odd try is refused, the even one is answered.
    assert.strictEqual(yield* Effect.provide(Db.rpc("busy", {}), ours()), "done")
  }),

  errors: Effect.gen(function* () {
    const row = note()
    const twice = Effect.zipRight(insert(row), insert(row))
    const failed = yield* Effect.flip(Effect.provide(twice, theirs()))
    assert.strictEqual(failed._tag, "SqlError")
    assert.propertyVal(failed.cause, "code", "23505")
    const own = yield* Effect.flip(Effect.provide(notes.create(row), ours()))
    assert.isTrue(own._tag === "QueryError" && own.code === "23505" && !own.isTransient && !own.mayHaveExecuted)
  }),

  traces: Effect.gen(function* () {
    const query = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select 1`)
    assert.include(yield* Effect.provide(spansOf(query), theirs()), "sql.execute")
    assert.include(yield* Effect.provide(spansOf(notes.list({ limit: 1 })), ours()), "SELECT notes")
  }),

  metrics: Effect.gen(function* () {
    const names = Effect.map(
      Metric.snapshot,
      (all) => new Set(all.map(({ metricKey: { name } }) => name).filter((name) => /^(db|sql|pg|supabase)/.test(name)))
    )
    const before = yield* names
    yield* Effect.provide(
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select 1`),
      theirs()
    )
    assert.deepStrictEqual(yield* names, before)
    const own = yield* Effect.provide(Effect.zipRight(notes.list({ limit: 1 }), names), ours())
    assert.isTrue(own.has("db.client.operation.duration") && own.has("db.client.connection.count"))
  }),

  health: Effect.gen(function* () {
    assert.isFalse(Object.keys(PgClient).some((name) => /health/i.test(name)))
    const report = yield* Effect.provide(
      Health.check,
      Health.layer.pipe(Layer.provideMerge(ours()), Layer.provide(PoolConfig.layerOf({})))
    )
    assert.isTrue(report.details.canConnect)
  }),

  "`listen` and `notify`": Effect.gen(function* () {
    const program = Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const heard = yield* Effect.fork(Stream.runHead(sql.listen("comparison")))
      yield* Effect.fork(Effect.repeat(sql`select pg_notify('comparison', 'hello')`, Schedule.spaced("20 millis")))
      // Its own `notify` sends a parameter, which NOTIFY of PostgreSQL does not take.
      const refused = yield* Effect.flip(sql.notify("comparison", "hello"))
      assert.propertyVal(refused.cause, "code", "42601")
      return yield* Fiber.join(heard)
    })
    assert.deepStrictEqual(yield* Effect.provide(program, theirs()), Option.some("hello"))
    assert.isFalse(Object.keys(Db).some((name) => /listen|notify|subscribe/i.test(name)))
  }),

  migrations: Effect.gen(function* () {
    const loader = PgMigrator.fromRecord({
      "0001_made": Effect.flatMap(SqlClient.SqlClient, (sql) => sql`create table made_by_migrator (id int)`)
    })
    const run = PgMigrator.run({ loader, table: "comparison_migrations" })
    const done = yield* Effect.provide(run, Layer.merge(theirs(), NodeContext.layer))
    assert.deepStrictEqual(
      done.map(([id]) => id),
      [1]
    )
    assert.isFalse(Object.keys(Db).some((name) => /migrat/i.test(name)))
  }),

  "20,000 rows in one insert": Effect.gen(function* () {
    const body = `bulk ${fresh()}`
    const many = () => Array.from({ length: 20_000 }, () => note({ body }))
    const at = <A>(rows: ReadonlyArray<A>) => rows
    const program = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const refused = yield* Effect.exit(sql`insert into notes ${sql.insert(many())}`)
      yield* sql.withTransaction(
        Effect.forEach(Arr.chunksOf(many(), 10_000), (part) => sql`insert into notes ${sql.insert(at(part))}`)
      )
      return [Exit.isFailure(refused), yield* counted(`body = '${body}'`)]
    })
    assert.deepStrictEqual(yield* Effect.provide(program, theirs()), [true, 20_000])
    // As a step, which is PostgREST's way, one value of JSON: the embedded API makes a parameter of each value.
    const [created] = yield* Effect.provide(Db.transaction([notes.createManyStep(many())]), ours())
    assert.strictEqual(created.length, 20_000)
  }),

  "prepared statements": Effect.gen(function* () {
    const program = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      return yield* sql.withTransaction(
        Effect.gen(function* () {
          for (const id of Arr.range(1, 5)) yield* sql`select * from notes where id = ${id}`
          return yield* sql<{ n: number }>`select count(*)::int as n from pg_prepared_statements`
        })
      )
    })
    const [found] = yield* Effect.provide(program, theirs())
    // It sends parameters apart from the text, and keeps no plan.
    assert.strictEqual(found?.n, 0)
    assert.isFalse(Object.keys(Db).some((name) => /prepare/i.test(name)))
  }),

  "backends of PostgreSQL for eight queries at once": Effect.gen(function* () {
    const name = `comparison-${fresh()}`
    const query = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select pg_sleep(0.05)`)
    const eight = <A, E, R>(ask: Effect.Effect<A, E, R>) =>
      Effect.replicateEffect(ask, 8, { concurrency: "unbounded", discard: true })
    const own = Effect.zipRight(eight(query), backends(name))
    assert.strictEqual(yield* Effect.provide(own, theirs({ maxConnections: 8, applicationName: name })), 8)
    // The API's pool has three here, however many sockets ask it.
    const theApi = Effect.flatMap(SqlClient.SqlClient, (sql) =>
      Effect.map(
        sql<{ n: number }>`select count(*)::int as n from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
        ([row]) => row?.n ?? 0
      )
    )
    yield* Effect.provide(eight(notes.count()), ours({ maxConnections: 16 }))
    assert.isAtMost(yield* Effect.provide(theApi, theirs({ maxConnections: 1 })), 3)
  }),

  "where it runs": Effect.gen(function* () {
    const manifest = yield* Effect.promise(() => readFile(`${root}package.json`, "utf8"))
    const { exports } = yield* Schema.decode(
      Schema.parseJson(Schema.Struct({ exports: Schema.Record({ key: Schema.String, value: Schema.Unknown }) }))
    )(manifest)
    assert.propertyVal(exports["./Db"], "workerd", "./dist/internal/promise/edge.cjs")
    const pg = yield* Effect.promise(() => readFile(`${root}node_modules/pg/package.json`, "utf8"))
    const { optionalDependencies } = yield* Schema.decode(
      Schema.parseJson(
        Schema.Struct({ optionalDependencies: Schema.Record({ key: Schema.String, value: Schema.String }) })
      )
    )(pg)
    assert.property(optionalDependencies, "pg-cloudflare")
  })
}

describePostgres("docs/comparison.md", () => {
  layer(World.Live, { timeout: "2 minutes", excludeTestServices: true })("beside @effect/sql-pg", (it) => {
    it.effect.each(Object.entries(rows))("%s", ([, row]) => row, 180_000)
  })

  it.effect("has these rows and no others", () =>
    Effect.gen(function* () {
      const page = yield* Effect.promise(() => readFile(`${root}docs/comparison.md`, "utf8"))
      const table = /^\| point .*\n\|.*\n((?:\|.*\n)+)/m.exec(page)?.[1] ?? ""
      const points = table
        .trim()
        .split("\n")
        .map((row) => row.split("|")[1]?.trim())
      assert.deepStrictEqual(points, Object.keys(rows))
      const { devDependencies } = yield* Schema.decode(
        Schema.parseJson(
          Schema.Struct({ devDependencies: Schema.Record({ key: Schema.String, value: Schema.String }) })
        )
      )(yield* Effect.promise(() => readFile(`${root}package.json`, "utf8")))
      assert.include(page, `@effect/sql-pg\` ${devDependencies["@effect/sql-pg"]}`)
    })
  )
})
