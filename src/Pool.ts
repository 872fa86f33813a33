/**
 * Two pools of connections, one to read and one to write.
 *
 * Why a pool: supabase-js opens a socket for each concurrent request, so load becomes sockets and the database's slots run
 * out. A pool has a bounded number of sockets, keeps them open, and makes callers wait in order.
 *
 * - *Fair*: first come first served. A returned connection goes to the caller that has waited longest.
 * - *Bounded*: at most `maxPending` operations wait; none waits longer than `connectionTimeout`, for queueing and
 *   connecting together.
 * - *Leak-free*: a connection belongs to a `Scope`, so it goes back on success, failure, defect and interruption. One
 *   that is held longer than `leakDetectionTimeout` is taken back.
 * - *Cancelling* an acquisition leaves the queue at once; a socket that is being opened for it is kept for the next.
 * - *Closing* the scope refuses new operations, fails the waiting ones, lets work finish within `shutdownTimeout`, then
 *   closes every socket.
 *
 * Both pools are Effect `Pool`s in a `Scope`, which own the connections; in front of each stands a queue, since
 * `Pool.get` under contention costs more than the requests it serves.
 *
 * @since 0.1.0
 */
import { type Duration, type Effect, Layer, type Scope, type Stream } from "effect"
import type * as Audit from "./Audit.js"
import { type PoolConfig, SupabaseConfig } from "./Config.js"
import type * as Connection from "./Connection.js"
import type { AcquireError, Mode } from "./Errors.js"
import * as ConnectionPools from "./internal/pool/connectionPools.js"
import * as ReadWritePools from "./internal/pool/readWritePools.js"
import type { ReadPool, WritePool } from "./internal/pool/tags.js"
import { byService, oncePer } from "./internal/shared/oncePer.js"

export { ReadPool, WritePool } from "./internal/pool/tags.js"

/**
 * How many operations of a pool may be under way at once, where `adaptive` is on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limit {
  /** Below 1: one at a time, with a break after each. */
  readonly value: number
  /**
   * What moved it last: nothing yet (`start`), answers that came in time (`free`), answers that came late (`queueing`), or
   * a refusal by the server (`refused`).
   */
  readonly reason: "start" | "free" | "queueing" | "refused"
  /** Code or status of the last refusal, such as `PGRST003`; empty before the first. */
  readonly said: string
}

/**
 * A request that has no answer yet.
 *
 * @since 0.1.0
 * @category models
 */
export interface OldestRequest {
  readonly age: Duration.Duration
  /** Its shape, without any value; empty while it is younger than a second. */
  readonly query: string
  /** The span, or the number of the fiber, that sent it. */
  readonly holder: string
}

/**
 * The state of one pool at one moment, and its counters since it was created.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolMetrics {
  readonly pool: Mode
  readonly min: number
  readonly max: number
  /** Open sockets: `active` + `idle`. */
  readonly total: number
  /** Lent to somebody. */
  readonly active: number
  readonly idle: number
  /** Operations that wait for a connection. */
  readonly pending: number
  /** Attempts to connect that are in progress; not in `total`. */
  readonly connecting: number
  /** False while no connection can be opened. */
  readonly reachable: boolean
  /** Sockets that were opened, and sockets that were closed, for any reason. */
  readonly created: number
  readonly closed: number
  /** How often a connection was lent. */
  readonly acquired: number
  /** Operations that got no connection within `connectionTimeout`. */
  readonly timeouts: number
  /** Operations that were refused because `maxPending` operations already waited. */
  readonly overloaded: number
  /** Connections that were held for longer than `leakDetectionTimeout` and taken back. */
  readonly leaks: number
  /** When a connection was last reclaimed as a leak, in ms since the epoch; `-Infinity` if never. */
  readonly lastLeak: number
  /** How many of those the borrower returned later. */
  readonly lateReturns: number
  /** Attempts to open a socket that failed. */
  readonly connectFailures: number
  /** How long the longest-held connection has been held. */
  readonly longestHeld: Duration.Duration
  /** Only where `adaptive` is on. */
  readonly limit?: Limit
  /** The oldest request that is under way; absent without one. */
  readonly oldestRequest?: OldestRequest
  /** How long the first in the queue has waited; absent when nobody waits. */
  readonly oldestWait?: Duration.Duration
  /**
   * How long the database has answered nothing although this pool asked it; absent when all that was asked was answered. A
   * gateway's 502, 503 or 504 does not count as an answer.
   */
  readonly unanswered?: Duration.Duration
}

/**
 * What a reset did: `closed` idle connections at once; `deferred` busy ones close when they are returned.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResetReport {
  readonly closed: number
  readonly deferred: number
}

/**
 * One pool; `ReadPool` and `WritePool` have the same interface.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionPool {
  /**
   * A connection until the scope closes.
   *
   * If it is requested inside `Db.withAccessToken`, its client is that user's, wherever it is used; if it is requested
   * outside, it keeps the pool's key, even inside.
   *
   * Fails with `AcquireTimeout` when none came within `connectionTimeout`, `PoolOverloaded` when too many wait,
   * `ConnectionFailed` when no connection can be opened, `PoolClosed` at shutdown. Interruption leaves the queue. Requests
   * on the connection are not repeated; `Db.read` and its like do that.
   */
  readonly connection: Effect.Effect<Connection.Connection, AcquireError, Scope.Scope>
  /** A connection while `f` runs. Interruption aborts the requests of `f`. */
  readonly use: <A, E, R>(
    f: (connection: Connection.Connection) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | AcquireError, R>
  readonly metrics: Effect.Effect<PoolMetrics>
  /** From the moment of listening; a listener that is slower than the pool loses the oldest. */
  readonly events: Stream.Stream<Audit.ConnectionEvent>
  /** The same without `acquired` and `released`, which come with every operation: cheap enough to listen to permanently. */
  readonly lifecycle: Stream.Stream<Audit.ConnectionEvent>
  /** Replaces every connection without failing an operation: idle ones now, busy ones when they come back. */
  readonly reset: Effect.Effect<ResetReport>
}

/**
 * Both pools, with everything that they own in the layer's scope. Building it opens the minimum of connections in the
 * background and does not wait for the network, so it succeeds while the database is away.
 *
 * @example
 * import { Config, Pool } from "effect-supabase-pool"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const pool = yield* Pool.ReadPool
 *   return yield* pool.metrics
 * })
 *
 * export const runnable = program.pipe(Effect.provide(Pool.layer.pipe(Layer.provide(Config.layer))))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<ReadPool | WritePool, never, PoolConfig | SupabaseConfig> = oncePer(
  byService(() => SupabaseConfig),
  () => Layer.provide(Layer.fresh(ConnectionPools.layer), Layer.fresh(ReadWritePools.layer))
)
