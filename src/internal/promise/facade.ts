/** Everything that the Promise API offers on one host; the shared one and those of `createDatabase` are the same. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import type { TransactionResults } from "../../Db.js"
import type { Mode } from "../../Errors.js"
import type { TransactionOptions } from "../../Transaction.js"
import type { Outcome } from "../answer.js"
import { outside } from "../asyncContext.js"
import { type ExecuteOptions, execute, type Operation } from "./execute.js"
import { fetchOn } from "./fetch.js"
import type { Host } from "./host.js"
import { type MarketplaceMembers, marketplaceOn } from "./marketplace.js"
import { SupabaseConnectionPool } from "./pool.js"
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

/**
 * Steps that are executed together or not at all; each returns a supabase-js builder.
 *
 * @since 0.1.0
 * @category models
 */
export type Steps = ReadonlyArray<(client: SupabaseClient) => PromiseLike<Outcome>>

/**
 * @since 0.1.0
 * @category models
 */
export type Transact = <const S extends Steps>(steps: S, options?: TransactionOptions) => Promise<TransactionResults<S>>

/**
 * @since 0.1.0
 * @category models
 */
export interface PooledSupabaseClient {
  /** As `executeWithPool(operation, "read")`. */
  readonly read: <A>(operation: Operation<A>) => Promise<A>
  /** As `executeWithPool(operation, "write", options)`. */
  readonly write: <A>(operation: Operation<A>, options?: ExecuteOptions) => Promise<A>
  /** All steps or none, once; the rows of each step. */
  readonly transaction: Transact
}

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
export interface PromiseDb extends MarketplaceMembers {
  readonly transaction: Transact
  readonly health: {
    /** Asks the database now. Rejects only when the pool could not be made; what is wrong is in the answer. */
    readonly check: () => Promise<DatabaseHealth>
    /** As `getConnectionPool().getMetrics()`. */
    readonly getMetrics: () => PoolStatus
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Members {
  readonly db: PromiseDb
  readonly executeWithPool: <A>(operation: Operation<A>, mode?: Mode, options?: ExecuteOptions) => Promise<A>
  /** The platform's `fetch` over these pools: see `pooledFetch`. */
  readonly pooledFetch: typeof globalThis.fetch
  readonly getConnectionPool: () => SupabaseConnectionPool
  readonly getPooledClient: () => PooledSupabaseClient
  readonly checkDatabaseHealth: () => Promise<DatabaseHealth>
  readonly getDatabaseConnectionService: () => DatabaseConnectionService
}

const transactOn =
  (host: Host): Transact =>
  (steps, options) =>
    host.runOutside(({ db }) => db.transaction(steps, options))

const queryMetrics =
  (host: Host): DatabaseConnectionService["getQueryMetrics"] =>
  (window = "hour") => {
    const { current } = host
    return current === undefined
      ? noQueries(window)
      : outside(() => queryMetricsOf(current.sync(current.metrics.queryMetrics(window))))
  }

/** Makes functions only; nothing is started. */
export const membersOf = (host: Host): Members => {
  const pool = new SupabaseConnectionPool(undefined, host)
  const transaction = transactOn(host)
  const executeWithPool: Members["executeWithPool"] = (operation, mode = "read", options) =>
    host.promise((running, settle) => execute(running, operation, mode, options, settle))
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
    db: { ...marketplaceOn(host), transaction, health: { check, getMetrics: pool.getMetrics } },
    executeWithPool,
    pooledFetch: fetchOn(host),
    getConnectionPool: () => pool,
    getPooledClient: () => client,
    checkDatabaseHealth: check,
    getDatabaseConnectionService: () => service
  }
}
