/**
 * The same pools for code that does not use Effect: functions that return promises.
 *
 * Nothing happens on import. With the first use the environment is read and the pools are made, once per process, however
 * often this module is evaluated (a hot reload does so). A script that has done its work ends by itself: connections that
 * nobody uses do not keep Node alive; what somebody awaits does. After `gracefulShutdown()` the next use starts new pools. No
 * signal handler is installed.
 *
 * Promises reject with the errors of `Db`, whose classes are exported here too: `error instanceof AcquireTimeout`. What your own function throws
 * comes back as it was thrown.
 *
 * @since 0.1.0
 */
import type { createClient } from "@supabase/supabase-js"
import { globalValue } from "effect/GlobalValue"
import type { Load } from "./Config.js"
import type { Untyped } from "./internal/db/access.js"
import { clientOn } from "./internal/promise/client.js"
import { optimizedConfig, type PoolConfigObject } from "./internal/promise/config.js"
import { type Members, membersOf } from "./internal/promise/facade.js"
import { Host } from "./internal/promise/host.js"
import { Hosts } from "./internal/promise/hosts.js"
import { fromOptions } from "./internal/promise/layers.js"
import type { PoolOptions, SupabaseOptions } from "./internal/promise/options.js"

export type { Connection } from "./Connection.js"
export type { PoolConfigObject } from "./internal/promise/config.js"
export * from "./internal/promise/errors.js"
export type { ExecuteOptions, Operation } from "./internal/promise/execute.js"
export type {
  DatabaseConnectionService,
  Execute,
  Members,
  PooledSupabaseClient,
  PromiseDb,
  RowsOptions,
  Rpc,
  RpcOptions,
  Steps,
  StreamRows,
  Transact
} from "./internal/promise/facade.js"
export type { PoolInput } from "./internal/promise/layers.js"
export type { Get, MarketplaceMembers, Repository } from "./internal/promise/marketplace.js"
export type { PoolOptions, SupabaseOptions, Time } from "./internal/promise/options.js"
export { type ConnectionOf, type ConnectionPoolOf, SupabaseConnectionPool } from "./internal/promise/pool.js"
export type { RowStream } from "./internal/promise/rows.js"
export type { StandardSchema } from "./internal/promise/standard.js"
export type { DatabaseHealth, PoolStatus, QueryFigures, QueryMetrics, SlowQuery } from "./internal/promise/status.js"
export type { PromiseTableSteps, StepChanges } from "./internal/promise/steps.js"
export type { PromiseTable, PromiseTableOptions, TableMaker } from "./internal/promise/table.js"
export * as Transaction from "./internal/promise/transaction.js"
export type { Answer, Known, StepResults } from "./internal/promise/types.js"
export type { AccessToken } from "./internal/promise/user.js"
export {
  and,
  between,
  type Comparison,
  type Condition,
  containedBy,
  contains,
  gt,
  gte,
  ilike,
  like,
  lt,
  lte,
  neq,
  not,
  or,
  overlaps
} from "./internal/table/comparison.js"
export type { CountOptions, ListOptions, OrderBy, Page, TableStreamOptions, Where } from "./internal/table/query.js"

interface Shared extends Members {
  readonly createPooledClient: typeof createClient
}

const shared: Shared = globalValue(Symbol.for("effect-supabase-pool/promise"), () => {
  const hosts = new Hosts()
  return { ...membersOf(hosts.shared), createPooledClient: clientOn((url) => hosts.of(url)) }
})

/**
 * The marketplace, transactions and health on the process's pools.
 *
 * @example
 * import { db } from "effect-supabase-pool/promise"
 *
 * const laptops = await db.products.search({ query: "laptop", inStock: true, limit: 20 })
 * for (const { price, title } of laptops) console.log(title, price)
 *
 * const health = await db.health.check()
 * console.log(health.status, db.health.getMetrics().activeConnections)
 *
 * @since 0.1.0
 * @category accessors
 */
export const db: Members["db"] = shared.db

/**
 * Runs `operation` with a client on a pooled connection, and gives the connection back whatever happens.
 *
 * What it returns is what you get. A failure that may pass is repeated up to `maxRetries` times, after 1, 2 and 4 seconds
 * (`retryDelay`), where that cannot execute anything twice: an error that `operation` throws on (`if (error) throw error`)
 * as well as one in a response that it returns. A response whose error does not pass is returned as it is; a thrown
 * PostgREST error becomes a `QueryError` with the same `code`. What `operation` still has under way when it returns is
 * aborted.
 *
 * @example
 * import { executeWithPool } from "effect-supabase-pool/promise"
 *
 * const titles = await executeWithPool(async (client) => {
 *   const { data, error } = await client.from("products").select("title").limit(10)
 *   if (error) throw error
 *   return data
 * }, "read")
 * console.log(titles.length)
 *
 * @since 0.1.0
 * @category accessors
 */
export const executeWithPool: Members["executeWithPool"] = shared.executeWithPool

/**
 * Calls a function of the database, and gives what that gives: `unknown`, unless `typed` or `createDatabase` were told more.
 *
 * By POST on the write pool, with the service-role key; with `{ get: true }`, for a function that only reads, by GET on the read
 * pool, with the anon key. Repeated as `executeWithPool` is, by POST only where that cannot execute it twice.
 *
 * @example
 * import { rpc } from "effect-supabase-pool/promise"
 *
 * const sales = await rpc("analytics_sales", {}, { get: true })
 * console.log(sales)
 *
 * @since 0.1.0
 * @category accessors
 */
export const rpc: Members["rpc"] = shared.rpc

/**
 * All rows of a query, for `for await`: page by page, as somebody wants them, on the read pool.
 *
 * A page is asked for when its first row is, and none before. Between two pages no connection is held, so that a slow consumer
 * is in nobody's way. `break`, `return` and an error end it at once, and abort a request that is under way. Order the query
 * by something unique, or rows may be seen twice or not at all while others are written.
 *
 * @example
 * import { stream } from "effect-supabase-pool/promise"
 *
 * for await (const { id, title } of stream((client) => client.from("products").select("id, title").order("id"))) {
 *   console.log(id, title)
 * }
 *
 * @since 0.1.0
 * @category accessors
 */
export const stream: Members["stream"] = shared.stream

/**
 * A table as typed operations: `get`, `find`, `getMany`, `list`, `search`, `page`, `stream`, `count`, `create`, `createMany`,
 * `update`, `updateMany`, `upsert`, `remove` and `removeMany`.
 *
 * `schema` is a Standard Schema (Zod, Valibot, ArkType, Effect's `Schema.standardSchemaV1`), which may wait for something: each row
 * is decoded by it, and one that it refuses is a `DecodeError`, which names row and field and not the value. What is written
 * and what is looked for goes as it is: a schema of this kind does not encode. Throws a `TypeError` at once for a `schema`
 * that is none. Reading uses the read pool and the anon key (`as: "service"` the service-role key), writing the write pool.
 *
 * @example
 * import { gte, table } from "effect-supabase-pool/promise"
 * import { z } from "zod"
 *
 * const products = table("products", {
 *   schema: z.object({ id: z.uuid(), title: z.string(), price: z.number(), created_at: z.coerce.date() }),
 *   columns: ["id", "title", "price", "created_at"],
 *   generated: ["id", "created_at"]
 * })
 *
 * for (const { created_at, title } of await products.list({ where: { price: gte(100) }, orderBy: "price", limit: 10 })) {
 *   console.log(title, created_at.getFullYear())
 * }
 *
 * @since 0.1.0
 * @category constructors
 */
export const table: Members["table"] = shared.table

/**
 * The same members as a user, whose access token (JWT) each request carries, so that row level security sees that user. The
 * sockets are the pools' own, and keep nothing of it.
 *
 * A function for the token is asked when a request is about to be sent and has its connection, and again for each attempt and
 * each page, in the async context of the caller: a token that expires in a queue is not sent. It may take `requestTimeout`.
 * What it throws rejects the operation, and what is no token is a `QueryError` (`INVALID_TOKEN`): nothing is sent then.
 * What is made by these members never has more rights than the user, not even where a table says `as: "service"`.
 *
 * @example
 * import { withAccessToken } from "effect-supabase-pool/promise"
 *
 * export const ordersOf = (jwt: string) =>
 *   withAccessToken(jwt).table("orders").list({ orderBy: { column: "created_at", descending: true }, limit: 20 })
 *
 * @since 0.1.0
 * @category combinators
 */
export const withAccessToken: Members["withAccessToken"] = shared.withAccessToken

/**
 * The process's pools for the `Database` type that `supabase gen types` writes: tables, columns, functions and rows are checked
 * by the compiler. As with `createClient<Database>`, that the database has this schema is the caller's word.
 *
 * @example
 * import { typed } from "effect-supabase-pool/promise"
 *
 * interface Database {
 *   public: {
 *     Tables: {
 *       products: {
 *         Row: { id: string; title: string }
 *         Insert: { id?: string; title: string }
 *         Update: { title?: string }
 *         Relationships: []
 *       }
 *     }
 *     Views: {}
 *     Functions: {}
 *   }
 * }
 *
 * const database = typed<Database>()
 * const laptop = await database.table("products").create({ title: "Laptop" })
 * console.log(laptop.id)
 *
 * @since 0.1.0
 * @category constructors
 */
export function typed<D>(): Members<D>
export function typed(): unknown {
  return shared
}

/**
 * The platform's `fetch` over the process's pools: one line moves an application in.
 *
 * What is for the database (`/rest/v1/`) goes through the read pool where it is GET or HEAD, and through the write pool else,
 * with the key and the token that it carries itself: the pool adds none. So row level security sees the users that it saw, and
 * the environment needs no keys for it, only the address. Auth, storage and functions of the project go out by the global
 * `fetch`, as without the pool: they hold no connection of the database, and what they send may be large or last. Another
 * host is refused (`QueryError`, nothing is sent).
 *
 * Answers are answers, whatever their status. What may be repeated is, up to `maxRetries` times. Rejects with the errors of
 * `Db` where no answer came, and with the reason of the caller's signal where that aborted it. A body is read to its end
 * before it is sent, an answer before it is given; an answer that is larger than `maxAnswer` is an error.
 *
 * @example
 * import { createClient } from "@supabase/supabase-js"
 * import { pooledFetch } from "effect-supabase-pool/promise"
 *
 * const supabase = createClient("https://abcdefgh.supabase.co", "<anon key>", { global: { fetch: pooledFetch } })
 * const { data } = await supabase.from("products").select("title").limit(10)
 * console.log(data)
 *
 * @since 0.1.0
 * @category accessors
 */
export const pooledFetch: Members["pooledFetch"] = shared.pooledFetch

/**
 * supabase-js's `createClient`, its database requests through the pools, and with a builder that costs less.
 *
 * Types, options and answers are those of `createClient`. supabase-js repeats nothing by itself in it, since the pool does;
 * `.retry(false)` keeps the pool from it too. Its `accessToken` is asked when a request has its connection and is about to
 * leave, and once more where that token is refused. Auth, storage, functions and realtime are left alone. An address that is not the
 * environment's has pools of its own, once per process, with the options of the environment; `gracefulShutdown()` closes them
 * with the others.
 *
 * @example
 * import { createPooledClient } from "effect-supabase-pool/promise"
 *
 * interface Database {
 *   public: {
 *     Tables: {
 *       products: { Row: { title: string }; Insert: { title: string }; Update: { title?: string }; Relationships: [] }
 *     }
 *     Views: {}
 *     Functions: {}
 *   }
 * }
 *
 * const supabase = createPooledClient<Database>("https://abcdefgh.supabase.co", "<anon key>")
 * const { data } = await supabase.from("products").select("title").limit(10)
 * for (const { title } of data ?? []) console.log(title)
 *
 * @since 0.1.0
 * @category constructors
 */
export const createPooledClient: typeof createClient = shared.createPooledClient

/**
 * The process's pools, for code that takes connections itself.
 *
 * @example
 * import { getConnectionPool } from "effect-supabase-pool/promise"
 *
 * const pool = getConnectionPool()
 * const connection = await pool.getConnection("read")
 * try {
 *   await connection.client.from("products").select("id").limit(1)
 * } finally {
 *   pool.releaseConnection(connection)
 * }
 *
 * @since 0.1.0
 * @category accessors
 */
export const getConnectionPool: Members["getConnectionPool"] = shared.getConnectionPool

/**
 * `read`, `write` and `transaction` on the process's pools.
 *
 * @since 0.1.0
 * @category accessors
 */
export const getPooledClient: Members["getPooledClient"] = shared.getPooledClient

/**
 * Asks the database now. Rejects only when the pool could not be made; what is wrong is in the answer.
 *
 * @since 0.1.0
 * @category accessors
 */
export const checkDatabaseHealth: Members["checkDatabaseHealth"] = shared.checkDatabaseHealth

/**
 * Figures of the process's pools, and their shutdown.
 *
 * @example
 * import { getDatabaseConnectionService } from "effect-supabase-pool/promise"
 *
 * process.on("SIGTERM", async () => {
 *   await getDatabaseConnectionService().shutdown()
 *   process.exit(0)
 * })
 *
 * @since 0.1.0
 * @category accessors
 */
export const getDatabaseConnectionService: Members["getDatabaseConnectionService"] = shared.getDatabaseConnectionService

/**
 * The preset for an expected load as plain values, durations in ms; change what you like and hand it to
 * `SupabaseConnectionPool` or `createDatabase`. Throws `ConfigInvalid` for a load that there is no preset for.
 *
 * @example
 * import { getOptimizedConfig } from "effect-supabase-pool/promise"
 *
 * getOptimizedConfig("high").maxConnections // 50
 *
 * @since 0.1.0
 * @category constructors
 */
export const getOptimizedConfig: (load: Load) => PoolConfigObject = optimizedConfig

/**
 * A database of its own: pools that nobody else uses, from plain values instead of the environment.
 *
 * @since 0.1.0
 * @category models
 */
export interface PrivateDatabase<D = Untyped> extends Members<D> {
  /** As `gracefulShutdown`, for good: later uses reject with `PoolClosed`. */
  readonly close: () => Promise<void>
}

/**
 * The same members on pools of their own, for a second project, or for tests. Close it when it is no longer needed.
 *
 * `createDatabase<Database>({ … })`, with the type that `supabase gen types` writes, has the compiler check tables, columns,
 * functions and rows.
 *
 * @example
 * import { createDatabase } from "effect-supabase-pool/promise"
 *
 * const archive = createDatabase({
 *   url: "https://archive.supabase.co",
 *   anonKey: "<anon key>",
 *   serviceRoleKey: "<service role key>",
 *   maxConnections: 4
 * })
 * await archive.executeWithPool((client) => client.from("orders").select("id").limit(1))
 * await archive.close()
 *
 *
 * @since 0.1.0
 * @category constructors
 */
export function createDatabase<D = Untyped>(options: SupabaseOptions & PoolOptions): PrivateDatabase<D>
export function createDatabase(options: SupabaseOptions & PoolOptions): unknown {
  const host = new Host(fromOptions(options))
  return { ...membersOf(host), close: () => host.close() }
}
