/** Everything that the Promise API offers on one host; the shared one and those of `createDatabase` are the same. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import type { TransactionOptions } from "../../Transaction.js"
import type { Arguments, Asks, Client, FunctionName, Returned, Untyped } from "../db/access.js"
import type { ResultWithoutData } from "../db/postgrestResult.js"
import type { Ranged } from "../db/stream.js"
import type { Mode } from "../pool/mode.js"
import { outside } from "../shared/asyncContext.js"
import type { Step } from "../transaction/planned.js"
import { type ExecuteOptions, execute, type Operation } from "./execute.js"
import { fetchOn } from "./fetch.js"
import type { Host } from "./host.js"
import { inContext } from "./inContext.js"
import { type MarketplaceMembers, marketplaceOn } from "./marketplace.js"
import { type ConnectionPoolOf, SupabaseConnectionPool } from "./pool.js"
import { type RowStream, rowsOn } from "./rows.js"
import {
  type DatabaseHealth,
  figuresOf,
  healthOf,
  noQueries,
  type PoolStatus,
  type QueryMetrics,
  queryMetricsOf,
  statusOf
} from "./status.js"
import { type TableMaker, tableOn } from "./table.js"
import type { Answer, AnyClient, ClientOf, RowOfQuery, StepResults } from "./types.js"
import { type AccessToken, User } from "./user.js"
import { View } from "./view.js"

/**
 * Steps that are executed together or not at all: functions that return a supabase-js builder, and steps that a table made.
 *
 * @since 0.1.0
 * @category models
 */
export type Steps<D = Untyped> = ReadonlyArray<((client: Client<D>) => PromiseLike<ResultWithoutData>) | Step<unknown>>

/**
 * @since 0.1.0
 * @category models
 */
export type Transact<D = Untyped> = <const S extends Steps<D>>(
  steps: S,
  options?: TransactionOptions
) => Promise<StepResults<D, S>>

/**
 * As `executeWithPool`. Without a schema `D` a function may say by its parameter which client it is for.
 *
 * @since 0.1.0
 * @category models
 */
export type Execute<D = Untyped> = <A, C extends AnyClient = SupabaseClient>(
  operation: Operation<A, ClientOf<D, C>>,
  mode?: Mode,
  options?: ExecuteOptions
) => Promise<Answer<D, A>>

/**
 * @since 0.1.0
 * @category models
 */
export interface PooledSupabaseClient<D = Untyped> {
  /** As `executeWithPool(operation, "read")`. */
  readonly read: <A, C extends AnyClient = SupabaseClient>(
    operation: Operation<A, ClientOf<D, C>>
  ) => Promise<Answer<D, A>>
  /** As `executeWithPool(operation, "write", options)`. */
  readonly write: <A, C extends AnyClient = SupabaseClient>(
    operation: Operation<A, ClientOf<D, C>>,
    options?: ExecuteOptions
  ) => Promise<Answer<D, A>>
  /** All steps or none, once; the rows of each step. */
  readonly transaction: Transact<D>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface RpcOptions extends ExecuteOptions {
  /** The function only reads: send it by GET, on the read pool. */
  readonly get?: boolean | undefined
  /** The most rows that it may change: more, and nothing is changed. Needs PostgREST 12.1. */
  readonly maxAffected?: number | undefined
  /** `false`: one attempt and no more. */
  readonly retry?: false | undefined
  /** Numbers that JavaScript would round come as texts, with all their digits. */
  readonly exact?: boolean | undefined
}

/**
 * Calls a function of the database, and gives what that gives. An argument that is `undefined` is left out.
 *
 * @since 0.1.0
 * @category models
 */
export type Rpc<D = Untyped> = <const Name extends FunctionName<D>>(
  name: Name,
  ...rest: Arguments<D, Name, RpcOptions>
) => Promise<Returned<D, Name>>

/**
 * @since 0.1.0
 * @category models
 */
export interface RowsOptions {
  /** Rows per request. Default: 1000, the most that a Supabase project gives at a time by default. */
  readonly pageSize?: number | undefined
  /**
   * A selected column that is unique and never null. If the query is ordered by it alone, each page continues behind the last
   * value of it, and costs what the first does. Default: pages go by number.
   */
  readonly key?: string | undefined
  /** `false`: one attempt for each page and no more. */
  readonly retry?: false | undefined
  /** Numbers that JavaScript would round come as texts, with all their digits. */
  readonly exact?: boolean | undefined
}

/**
 * All rows of a query, in its order, which should be by something unique; page by page, as somebody wants them.
 *
 * @since 0.1.0
 * @category models
 */
export type StreamRows<D = Untyped> = <Q extends Ranged>(
  f: Asks<D, Q>,
  options?: RowsOptions
) => RowStream<Answer<D, RowOfQuery<Q>>>

/**
 * @since 0.1.0
 * @category models
 */
export interface DatabaseConnectionService {
  /** As `getConnectionPool().getMetrics()`. */
  readonly getConnectionPoolStatus: () => PoolStatus
  /** Of the operations; `covered` says how much of the window the figures cover. */
  readonly getQueryMetrics: (window?: QueryMetrics["window"]) => QueryMetrics
  /** As `getConnectionPool().gracefulShutdown()`. */
  readonly shutdown: () => Promise<void>
}

/**
 * The database as plain code sees it.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromiseDb<D = Untyped> extends MarketplaceMembers {
  readonly transaction: Transact<D>
  readonly health: {
    /** Asks the database now. Rejects only when the pool could not be made; what is wrong is in the answer. */
    readonly check: () => Promise<DatabaseHealth>
    /** As `getConnectionPool().getMetrics()`. */
    readonly getMetrics: () => PoolStatus
  }
}

/**
 * What can be done with one database, which has the schema `D` (`supabase gen types`) where that was said.
 *
 * @since 0.1.0
 * @category models
 */
export interface Members<D = Untyped> {
  readonly db: PromiseDb<D>
  readonly executeWithPool: Execute<D>
  /** Calls a function of the database: by POST on the write pool or, with `{ get: true }`, by GET on the read pool. */
  readonly rpc: Rpc<D>
  /** All rows of a query for `for await`, on the read pool. */
  readonly stream: StreamRows<D>
  /** A table as typed operations, with a Standard Schema to decode its rows or with none. */
  readonly table: TableMaker<D>
  /** The same members as this user: every request goes with the token, and row level security sees the user. */
  readonly withAccessToken: (token: AccessToken) => Members<D>
  /** The platform's `fetch` over these pools: see `pooledFetch`. */
  readonly pooledFetch: typeof globalThis.fetch
  readonly getConnectionPool: () => [D] extends [Untyped] ? SupabaseConnectionPool : ConnectionPoolOf<D>
  readonly getPooledClient: () => PooledSupabaseClient<D>
  readonly checkDatabaseHealth: () => Promise<DatabaseHealth>
  readonly getDatabaseConnectionService: () => DatabaseConnectionService
}

function transactOn(view: View): Transact
function transactOn({ run }: View): unknown {
  return (steps: Steps, options?: TransactionOptions) => run(({ db }) => db.transaction(steps, options))
}

function executeOn(view: View): Execute
function executeOn({ host, user }: View): unknown {
  return (operation: Operation<unknown>, mode: Mode = "read", options?: ExecuteOptions) =>
    host.promise((running, settle) => execute(running, operation, { mode, options, user }, settle))
}

const rpcOn =
  ({ run }: View): Rpc =>
  (name, args, options = {}) =>
    run(({ db }) => db.rpc(name, args, options))

function streamOn(view: View): StreamRows
function streamOn({ host, user }: View): unknown {
  return (f: (client: SupabaseClient) => Ranged, { exact, key, pageSize, retry }: RowsOptions = {}) =>
    rowsOn(host, user, ({ db }) => db.stream(inContext(f), { exact, key, pageSize, retry }))
}

const queryMetrics =
  (host: Host): DatabaseConnectionService["getQueryMetrics"] =>
  (window = "hour") => {
    const { current } = host
    return current === undefined
      ? noQueries(window)
      : outside(() => queryMetricsOf(current.sync(current.metrics.queryMetrics(window))))
  }

const membersIn = (view: View): Members => {
  const { host, user } = view
  const pool = new SupabaseConnectionPool(undefined, view)
  const transaction = transactOn(view)
  const executeWithPool = executeOn(view)
  const check = (): Promise<DatabaseHealth> =>
    host.runOutside((running) =>
      Effect.map(running.health.check, (report) => healthOf(report, statusOf(figuresOf(running))))
    )
  const client: PooledSupabaseClient = {
    read: (operation) => executeWithPool(operation, "read"),
    write: (operation, options) => executeWithPool(operation, "write", options),
    transaction
  }
  const service: DatabaseConnectionService = {
    getConnectionPoolStatus: pool.getMetrics,
    getQueryMetrics: queryMetrics(host),
    shutdown: pool.gracefulShutdown
  }
  return {
    db: { ...marketplaceOn(view.run), transaction, health: { check, getMetrics: pool.getMetrics } },
    executeWithPool,
    rpc: rpcOn(view),
    stream: streamOn(view),
    table: tableOn(view),
    withAccessToken: (token) => membersIn(new View(host, new User(token))),
    pooledFetch: fetchOn(host, user),
    getConnectionPool: () => pool,
    getPooledClient: () => client,
    checkDatabaseHealth: check,
    getDatabaseConnectionService: () => service
  }
}

/** Makes functions only; nothing is started. That the database has the schema `D` is the caller's word. */
export function membersOf<D = Untyped>(host: Host): Members<D>
export function membersOf(host: Host): unknown {
  return membersIn(new View(host))
}
