/**
 * What people call: operations on the database as effects.
 *
 * `f` gets a supabase-js client and returns what supabase-js returns, a builder, or an Effect. The operation takes a
 * connection from the pool, sends, returns the connection, and retries if that cannot execute anything twice. The result is
 * the rows themselves, typed by the builder; errors are values of one union, `DbError`.
 *
 * Two tags, so that the compiler knows who may write: `ReadDb` can only read, `Db` can do both. Interrupting an
 * operation aborts its HTTP request.
 *
 * @since 0.1.0
 */
import { type ConfigError, type Config as EffectConfig, Layer } from "effect"
import type { ConfigInvalid, PoolConfig, SupabaseConfig } from "./Config.js"
import * as Config from "./Config.js"
import type { Handler as TransportHandler } from "./internal/connection/handlerTransport.js"
import type { Provided, ProvidedRead } from "./internal/db/layers.js"
import * as Layers from "./internal/db/layers.js"
import * as OncePer from "./internal/shared/oncePer.js"

export * from "./Errors.js"
export type {
  Access,
  Client,
  FunctionName,
  OperationOptions,
  Reader,
  ReaderWriter,
  Returned,
  SoundSteps,
  TableName,
  TypedClient,
  Untyped
} from "./internal/db/access.js"
export {
  type RpcData,
  read,
  readAs,
  response,
  rpc,
  rpcAs,
  transaction,
  withAccessToken,
  write,
  writeAs
} from "./internal/db/accessors.js"
export type { AsUser } from "./internal/db/asUser.js"
export {
  type AnyStep,
  Db,
  type Failure,
  type Needs,
  type Query,
  ReadDb,
  type ReadOptions,
  type ResponseOptions,
  type Result,
  type RpcOptions,
  type StepResult,
  type Success,
  type TransactionResults,
  type WriteOptions
} from "./internal/db/database.js"
export type { Known } from "./internal/db/known.js"
export type { Provided, ProvidedRead } from "./internal/db/layers.js"
export * from "./internal/db/operationErrors.js"
export { make, type Of, type OwnDatabase, type ReadOf } from "./internal/db/ownDatabase.js"
export type { RetryOptions } from "./internal/db/retryOptions.js"
export type { Sound } from "./internal/db/sound.js"
export { type Ranged, type Row, type ServiceStreamOptions, type StreamOptions, stream } from "./internal/db/stream.js"
export { type Typed, typed } from "./internal/db/typedAccessors.js"
export type { TableSchema } from "./internal/table/columns.js"
export {
  and,
  between,
  type Comparison,
  type Condition,
  type ContainmentOptions,
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
  overlaps,
  type Pattern
} from "./internal/table/comparison.js"
export type {
  CountOptions,
  ListOptions,
  OrderBy,
  Page,
  TableQuery,
  TableStreamOptions,
  Where
} from "./internal/table/query.js"
export type { Expect, GuardOptions, LockOptions, StepChanges, StepRow, TableSteps } from "./internal/table/steps.js"
export {
  type CreateManyOptions,
  type Insert,
  type ReadTable,
  type ReadTableOf,
  type Table,
  type TableOf,
  type TableOptions,
  table,
  type Update,
  type UpdateOptions,
  type UpsertOptions
} from "./internal/table/table.js"

/**
 * Operations and both pools, from `PoolConfig` and `SupabaseConfig`. Building the layer does not wait for the network.
 * Within a graph of layers it is one database for each configuration.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Provided, never, PoolConfig | SupabaseConfig> = OncePer.oncePer(Layers.byConfig(), () =>
  Layers.ownParts(Layers.sockets)
)

/**
 * The same, configured by the environment; one error reports every mistake in it. Within a graph of layers it is one
 * database for each `ConfigProvider`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFromEnv: Layer.Layer<Provided, ConfigInvalid> = OncePer.oncePer(OncePer.byEnvironment, () =>
  Layers.ownParts(Layer.provide(Layers.sockets, Config.layer))
)

/**
 * The same, from plain values. Each call creates a separate database, even within one graph of layers.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 *
 * export const DbLive = Db.layerOf({
 *   url: "https://my-project.supabase.co",
 *   anonKey: "<anon key>",
 *   serviceRoleKey: "<service role key>",
 *   maxConnections: 10
 * })
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOf = (
  options: Config.SupabaseOptionsInput & Config.PoolOptionsInput
): Layer.Layer<Provided, ConfigInvalid> => Layers.ownParts(Layer.provide(Layers.sockets, Config.layerOf(options)))

/**
 * The same, from Effect's `Config`, one for each value or one for all; it fails with `ConfigError`, as the layers of
 * `@effect/sql` do.
 *
 * @example
 * import { Config } from "effect"
 * import { Db } from "effect-supabase-pool"
 *
 * export const DbLive = Db.layerConfig({
 *   url: Config.string("SUPABASE_URL"),
 *   anonKey: Config.redacted("SUPABASE_ANON_KEY"),
 *   serviceRoleKey: Config.redacted("SUPABASE_SERVICE_ROLE_KEY"),
 *   maxConnections: Config.integer("CONNECTIONS").pipe(Config.withDefault(10))
 * })
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  config: EffectConfig.Config.Wrap<Config.SupabaseOptionsInput & Config.PoolOptionsInput>
): Layer.Layer<Provided, ConfigError.ConfigError> => Layers.configured(config, layerOf)

/**
 * Reading, and nothing else: one pool of up to `maxConnections`, and no service-role key in the process. `Db` is not
 * provided, so code that writes, or reads with the service-role key, does not compile over it.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 *
 * export const ReadLive = Db.layerRead({ url: "https://my-project.supabase.co", anonKey: "<anon key>", maxConnections: 10 })
 *
 * @since 0.1.0
 * @category layers
 */
export const layerRead = (
  options: Omit<Config.SupabaseOptionsInput, "serviceRoleKey"> & Config.PoolOptionsInput
): Layer.Layer<ProvidedRead, ConfigInvalid> =>
  Layers.ownParts(Layer.provide(Layers.reading, Config.layerReadOf(options)))

/**
 * The same, configured by the environment; a service-role key there is ignored.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerReadFromEnv: Layer.Layer<ProvidedRead, ConfigInvalid> = OncePer.oncePer(OncePer.byEnvironment, () =>
  Layers.ownParts(Layer.provide(Layers.reading, Config.layerReadFromEnv))
)

/**
 * Answers a request as the database would: with a `Response`, or an Effect of one. Fail with `ConnectionFailed` to simulate
 * a broken network.
 *
 * @since 0.1.0
 * @category models
 */
export type Handler<R = never> = TransportHandler<R>

/**
 * Everything that `layer` provides, without a network: `handler` answers each request that would have been sent.
 *
 * Pool, retries, timeouts and the read-only rule are the real ones, so a spec sees what production sees. Waiting is
 * virtual under `TestClock`.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * const DbTest = Db.layerTest((request) =>
 *   new URL(request.url).pathname === "/rest/v1/products"
 *     ? Response.json([{ id: "1", title: "Laptop" }])
 *     : Response.json({ code: "PGRST205", message: "no such table", details: null, hint: null }, { status: 404 })
 * )
 *
 * export const spec = Db.read((client) => client.from("products").select("id, title")).pipe(Effect.provide(DbTest))
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = <R = never>(
  handler: Handler<R>,
  options: Config.PoolOptionsInput = {}
): Layer.Layer<Provided, ConfigInvalid, R> => Layers.ownParts(Layers.handled(handler, options))
