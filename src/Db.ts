/**
 * What people call: operations on the database as effects.
 *
 * `f` gets a supabase-js client and returns what supabase-js returns, a builder, or an Effect. The operation asks the
 * pool for a connection, sends, gives the connection back, and tries again where that cannot do anything twice. The
 * result is the rows themselves, typed by the builder; errors are values of one union, `DbError`.
 *
 * Two tags, so that the compiler knows who may write: `ReadDb` can only read, `Db` can do both. Interrupting an
 * operation aborts its HTTP request.
 *
 * @since 0.1.0
 */
import { Clock, Context, Effect, Layer } from "effect"
import type { ConfigInvalid, PoolConfig, SupabaseConfig } from "./Config.js"
import * as Config from "./Config.js"
import * as Cores from "./internal/cores.js"
import { Db, ReadDb, Service } from "./internal/database.js"
import * as HandlerTransport from "./internal/handlerTransport.js"
import { Operations } from "./internal/operations.js"
import * as Metrics from "./Metrics.js"
import * as Pool from "./Pool.js"
import * as RateLimit from "./RateLimit.js"

export * from "./Errors.js"
export {
  type AsUser,
  type RpcData,
  read,
  response,
  rpc,
  transaction,
  withAccessToken,
  write
} from "./internal/accessors.js"
export {
  type AnyStep,
  Db,
  type Failure,
  type Needs,
  type Query,
  ReadDb,
  type Reader,
  type ReaderWriter,
  type ReadOptions,
  type ResponseOptions,
  type Result,
  type RpcOptions,
  type StepResult,
  type Success,
  type TransactionResults,
  type WriteOptions
} from "./internal/database.js"
export { type Ranged, type Row, type ServiceStreamOptions, type StreamOptions, stream } from "./internal/stream.js"
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
  type Insert,
  type Table,
  type TableOf,
  type TableOptions,
  table,
  type Update,
  type UpdateOptions,
  type UpsertOptions
} from "./internal/table/table.js"
export { type Typed, typed } from "./internal/typed.js"

const services: Layer.Layer<ReadDb | Db, never, Operations> = Layer.effectContext(
  Effect.map(Operations, (operations) => {
    const service = new Service(operations)
    return Context.make(ReadDb, service).pipe(Context.add(Db, service))
  })
)

/**
 * Everything that `Db.layer` provides.
 *
 * @since 0.1.0
 * @category layers
 */
export type Provided = ReadDb | Db | Pool.ReadPool | Pool.WritePool | Metrics.Metrics | RateLimit.RateLimit

const over = <E, R>(cores: Layer.Layer<Cores.Cores, E, R>): Layer.Layer<Provided, E, R | PoolConfig | SupabaseConfig> =>
  Layer.mergeAll(services, Pool.layerFromCores).pipe(
    Layer.provide(Operations.layer),
    Layer.provideMerge(Layer.merge(Metrics.layer, RateLimit.layerDefault)),
    Layer.provide(cores)
  )

/**
 * Operations and both pools, from `PoolConfig` and `SupabaseConfig`. Building it does not wait for the network.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Provided, never, PoolConfig | SupabaseConfig> = over(Cores.layer)

/**
 * The same, configured by the environment; every mistake in it is in the one error.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFromEnv: Layer.Layer<Provided, ConfigInvalid> = Layer.suspend(() =>
  Layer.provide(layer, Config.layer)
)

/**
 * Layers are shared by reference within a graph, and those that this one is made of are everybody's. So they are built apart,
 * and each call is a database of its own; the one that is used twice is still one.
 */
const ownParts = <A, E, R>(parts: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      return yield* Layer.buildWithMemoMap(parts, yield* Layer.makeMemoMap, yield* Effect.scope)
    })
  )

/**
 * The same, from plain values. Each call is a database of its own, also within one graph of layers.
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
): Layer.Layer<Provided, ConfigInvalid> => ownParts(Layer.provide(layer, Config.layerOf(options)))

/**
 * Answers a request as the database would: with a `Response`, or an Effect of one. Fail with `ConnectionFailed` to play
 * a broken network.
 *
 * @since 0.1.0
 * @category models
 */
export type Handler<R = never> = HandlerTransport.Handler<R>

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
): Layer.Layer<Provided, ConfigInvalid, R> =>
  ownParts(
    over(
      Layer.unwrapEffect(
        Effect.map(Effect.runtime<R>(), (runtime) =>
          Cores.layerCarriedBy((mode, { origin }, { maxAnswer, requestTimeout }) => {
            const options = { mode, origin, handler, runtime, requestTimeout, maxAnswer }
            return Clock.clockWith((clock) =>
              Effect.succeed({ makeTransport: () => new HandlerTransport.HandlerTransport({ ...options, clock }) })
            )
          })
        )
      )
    ).pipe(Layer.provide(Config.layerOf({ ...testDatabase, ...options })))
  )

/** Nobody is there: nothing is sent. */
const testDatabase = { url: "http://db.test", anonKey: "test-anon-key", serviceRoleKey: "test-service-role-key" }
