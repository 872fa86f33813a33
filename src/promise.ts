/**
 * The same pools for code that does not use Effect: functions that return promises.
 *
 * Nothing happens on import. The first use reads the environment and creates the pools, once per process, however often this
 * module is evaluated (by a hot reload, for example). A script that has done its work ends by itself: unused connections do
 * not keep Node alive, but awaited operations do. After `gracefulShutdown()` the next use starts new pools. No signal
 * handler is installed.
 *
 * Promises reject with the errors of `Db`, whose classes are exported here too: `error instanceof AcquireTimeout`. An error
 * that your own function throws comes back unchanged.
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
 * Runs `operation` with a client on a pooled connection, and returns the connection whatever happens.
 *
 * You get what `operation` returns. After a transient failure it runs again, up to `maxRetries` times, after 1, 2 and 4
 * seconds (`retryDelay`), if that cannot execute anything twice. This applies to an error that `operation` throws (`if
 * (error) throw error`) and to one in a response that it returns. A response with any other error is returned as it is; a
 * thrown PostgREST error becomes a `QueryError` with the same `code`. Requests that are still in progress when `operation`
 * returns are aborted.
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
 * Calls a function of the database, and gives its result: `unknown`, or its type with `typed` or `createDatabase`.
 *
 * By POST on the write pool, with the service-role key; with `{ get: true }`, for a function that only reads, by GET on the read
 * pool, with the anon key. Repeated like `executeWithPool`; by POST only if that cannot execute it twice.
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
 * All rows of a query, for `for await`: page by page, on demand, on the read pool.
 *
 * A page is requested when its first row is, and not before. Between two pages the stream holds no connection, so a slow
 * consumer blocks nobody. `break`, `return` and an error end it at once, and abort a request in progress. Order the query by
 * something unique; otherwise rows may appear twice or not at all while others are written.
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
 * `schema` is a Standard Schema (Zod, Valibot, ArkType, Effect's `Schema.standardSchemaV1`), which may be asynchronous. It
 * decodes each row; a row that it refuses is a `DecodeError`, which names row and field but not the value. Written values
 * and conditions are sent unchanged: a schema of this kind does not encode. Throws a `TypeError` at once if `schema` is not
 * a Standard Schema. Reading uses the read pool and the anon key (`as: "service"` the service-role key), writing the write
 * pool.
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
 * sockets are the pools' own, and keep no token.
 *
 * A token function is called when a request has its connection and is about to be sent, and again for each attempt and each
 * page, in the caller's async context: a token that would expire in a queue is not sent. It may take up to `requestTimeout`.
 * If it throws, the operation rejects with that error; an invalid token is a `QueryError` (`INVALID_TOKEN`). Nothing is sent
 * in either case. These members never have more rights than the user, even for a table with `as: "service"`.
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
 * by the compiler. As with `createClient<Database>`, nothing checks that the database has this schema.
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
 * The platform's `fetch` over the process's pools: an application adopts it with one line.
 *
 * Requests to the database (`/rest/v1/`) go through the read pool if they are GET or HEAD, and through the write pool
 * otherwise, with their own key and token: the pool adds none. So row level security sees the same users as before, and the
 * environment needs no keys, only the address. Auth, storage and functions of the project use the global `fetch`, as without
 * the pool: they hold no database connection, and their bodies may be large or slow. Another host is refused (`QueryError`,
 * nothing is sent).
 *
 * An answer resolves, whatever its status. A request that may be repeated is, up to `maxRetries` times. Rejects with the
 * errors of `Db` if no answer came, and with the reason of the caller's signal if that aborted it. A body is read to its end
 * before it is sent, and an answer before it is returned; an answer larger than `maxAnswer` is an error.
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
 * supabase-js's `createClient` with its database requests through the pools, and with a builder that costs less.
 *
 * Types, options and answers are those of `createClient`. supabase-js's own retries are off, since the pool retries;
 * `.retry(false)` turns the pool's off too. `accessToken` is called when a request has its connection, and once more if that token is
 * refused. Auth, storage, functions and realtime are unchanged. An address other than the
 * environment's gets its own pools, once per process, with the options of the environment; `gracefulShutdown()` closes them
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
 * The process's pools, for code that acquires connections itself.
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
 * Asks the database now. Rejects only if the pool could not be created; problems are in the result.
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
 * The preset for an expected load as plain values, durations in ms; change what you like and pass it to
 * `SupabaseConnectionPool` or `createDatabase`. Throws `ConfigInvalid` for a load without a preset.
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
 * A separate database: pools that nobody else uses, from plain values instead of the environment.
 *
 * @since 0.1.0
 * @category models
 */
export interface PrivateDatabase<D = Untyped> extends Members<D> {
  /** Like `gracefulShutdown`, but permanent: later uses reject with `PoolClosed`. */
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
