import { Effect } from "effect"
import type { Connection } from "../../Connection.js"
import type { Client } from "../db/access.js"
import type { Mode } from "../pool/mode.js"
import { outside } from "../shared/asyncContext.js"
import { type Held, take } from "./connection.js"
import { Host } from "./host.js"
import { fromOptions, type PoolInput } from "./layers.js"
import { figuresOf, notStarted, type PoolStatus, statusOf } from "./status.js"
import { View } from "./view.js"

/**
 * A connection whose client knows the schema `D`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionOf<D> extends Omit<Connection, "client"> {
  readonly client: Client<D>
}

/**
 * The pools behind one handle, of a database with the schema `D`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionPoolOf<D> extends Omit<SupabaseConnectionPool, "getConnection" | "releaseConnection"> {
  readonly getConnection: (mode?: Mode) => Promise<ConnectionOf<D>>
  readonly releaseConnection: (connection: ConnectionOf<D>) => void
}

/** Of all pools, so that whoever shares one may give back what another took of it. */
const held: WeakMap<object, Held & { readonly host: Host }> = new WeakMap()

/**
 * The read pool and the write pool behind one handle, for code that takes connections itself.
 *
 * Nothing is opened before the first connection is asked for. Where a pool is not needed by hand, `executeWithPool` and
 * `db` give connections back by themselves.
 *
 * @example
 * import { getOptimizedConfig, SupabaseConnectionPool } from "effect-supabase-pool/promise"
 *
 * export const pool = new SupabaseConnectionPool(getOptimizedConfig("high"))
 *
 * @since 0.1.0
 * @category models
 */
export class SupabaseConnectionPool {
  /** Kept in a bundle, since it is printed. */
  static readonly name = "SupabaseConnectionPool"
  readonly #view: View

  /** Options over the production preset; the database is the environment's unless it is among them. */
  constructor(options?: PoolInput)
  /** @internal */
  constructor(options: undefined, view: View)
  constructor(options: PoolInput = {}, view?: View) {
    this.#view = view ?? new View(new Host(fromOptions(options)))
  }

  /**
   * A connection, until `releaseConnection`.
   *
   * `read` sends with the anon key and refuses whatever is not a GET; `write` sends with the service-role key. Rejects
   * with `AcquireTimeout` ("Connection timeout…") when none came within `connectionTimeout`, `PoolOverloaded`,
   * `ConnectionFailed`, `PoolClosed`, or `ConfigInvalid` when the pool could not be made. What is sent on it is not repeated:
   * that is what `executeWithPool` does. A connection that is held longer
   * than `leakDetectionTimeout` is taken back.
   */
  readonly getConnection = async (mode: Mode = "read"): Promise<Connection> => {
    const { host } = this.#view
    const taken = await this.#view.run((running) => take(mode === "write" ? running.write : running.read))
    held.set(taken.connection, { ...taken, host })
    return taken.connection
  }

  /** Gives it back at once; a second time does nothing. Throws a `TypeError` for what this pool never gave out. */
  readonly releaseConnection = (connection: Connection): void => {
    const taken = held.get(connection)
    if (taken?.host !== this.#view.host) {
      throw new TypeError(
        "releaseConnection: this is no connection of this pool. Nothing was released. " +
          "Pass the object that getConnection() of the same pool resolved to."
      )
    }
    if (taken.connection.markReleased()) outside(() => Effect.runFork(taken.release))
  }

  /** The state of both pools together, now. Opens nothing: before the first use, and after a shutdown, all is zero. */
  readonly getMetrics = (): PoolStatus => {
    const { current } = this.#view.host
    return current === undefined ? notStarted : outside(() => statusOf(figuresOf(current)))
  }

  /**
   * Lets work under way finish within `shutdownTimeout`, tells those who wait (`PoolClosed`), and closes every
   * connection. The next use starts it again.
   */
  readonly gracefulShutdown = (): Promise<void> => this.#view.host.shutdown()
}
