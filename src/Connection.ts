/**
 * A connection is one keep-alive HTTP/1.1 socket and a supabase-js client whose requests use that socket only.
 *
 * A client object costs nothing; what is scarce is sockets, and the database's slots behind them. So counting
 * connections is counting sockets: `ss -tn` shows what the metrics say. A connection never replaces its socket; when
 * the socket is gone the connection is, and the pool makes another.
 *
 * A read connection carries the anon key (inside `Db.withAccessToken`, the user's token) and sends GET and HEAD only: anything else is refused before it is sent.
 *
 * @since 0.1.0
 */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Clock, Effect, Inspectable, type Redacted, type Scope } from "effect"
import { ConnectionFailed, type DbError, PoolClosed } from "./Errors.js"
import { callerLeft } from "./internal/audit/eventType.js"
import * as PooledClient from "./internal/connection/supabaseClient.js"
import type { MakeTransport, Reason, Transport } from "./internal/connection/transport.js"
import type { Resource } from "./internal/pool/lease.js"
import type { Mode } from "./internal/pool/mode.js"
import { realTime } from "./internal/shared/timers.js"

/**
 * What a caller gets from a pool.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /** Unique in this process, and never used again: `read-17`. */
  readonly id: string
  readonly mode: Mode
  /**
   * Sends on this connection's socket, and only between acquisition and release: with the pool's key or, where the
   * connection was asked for inside `Db.withAccessToken`, as that user, also when it is used elsewhere.
   */
  readonly client: SupabaseClient
  /** True from acquisition to release, while the socket is open. */
  readonly isActive: boolean
  readonly createdAt: Date
}

/**
 * Who the requests are sent as: a key, and a user's access token where row level security shall see a user.
 *
 * @since 0.1.0
 * @category models
 */
export interface Credentials {
  readonly key: Redacted.Redacted
  readonly token: Redacted.Redacted
}

/**
 * What the pool sees of a connection: it opens, lends and closes it. Users see {@link Connection}.
 *
 * @internal
 */
export class PooledConnection implements Connection, Resource {
  readonly id: string
  readonly mode: Mode
  readonly createdAt: Date
  readonly transport: Transport
  readonly #url: string
  readonly #own: Credentials
  #client: SupabaseClient | undefined
  readonly #others: WeakMap<Credentials, SupabaseClient> = new WeakMap()

  readonly #refuse = (error: DbError): void => {
    this.transport.tenure.failure = error
  }

  constructor(options: ConnectionOptions, id: string, createdAt: Date) {
    this.id = id
    this.mode = options.mode
    this.createdAt = createdAt
    this.#url = options.url
    this.#own = options.credentials
    this.transport = options.makeTransport(() => options.onClose(this))
  }

  get client(): SupabaseClient {
    this.#client ??= PooledClient.make(this.#url, this.#own.key, this.#own.token, this.transport.fetch, this.#refuse)
    return this.#client
  }

  get isActive(): boolean {
    return this.transport.usable && this.transport.isOpen
  }

  /** The same socket under another key or as a user; clients are kept as long as the credentials are. */
  clientAs(credentials: Credentials): SupabaseClient {
    const known = this.#others.get(credentials)
    if (known !== undefined) return known
    const refused = PooledClient.unsendable(credentials.token)
    const client =
      refused === undefined
        ? PooledClient.make(this.#url, credentials.key, credentials.token, this.transport.fetch, this.#refuse)
        : PooledClient.refusing(this.#url, refused, this.#refuse)
    this.#others.set(credentials, client)
    return client
  }

  get isOpen(): boolean {
    return this.transport.isOpen
  }

  get keepAliveHint(): number | undefined {
    return this.transport.keepAliveHint
  }

  /** While it connects there is time to make the client; the first of a process loads what Node has of `fetch`. */
  readonly open: Effect.Effect<void, ConnectionFailed> = Effect.suspend(() => {
    realTime.setImmediate(() => this.client)
    return this.transport.open
  })

  readonly ping: Effect.Effect<void, unknown> = Effect.suspend(() => this.transport.ping)

  lend(): void {
    this.onTaken = undefined
    this.transport.lend()
  }

  get refused(): ConnectionFailed | undefined {
    return this.transport.refused
  }

  get ending(): string {
    const { ended = "", tenure } = this.transport
    const { failure } = tenure
    if (ended !== "") return ended
    if (failure === undefined) return "closed by the server"
    if (failure._tag === "QueryError" && failure.code === "ABORTED") return callerLeft
    if (failure._tag === "RequestTimeout") return "no answer in time"
    if (failure._tag !== "ConnectionFailed") return ""
    return failure.failure === "returned" ? callerLeft : `${failure.failure} ${failure.code}`.trim()
  }

  takeBack(): boolean {
    this.transport.takeBack()
    if (!this.transport.isBusy) return true
    const origin = new URL(this.#url).origin
    this.abort(
      (sent, method) =>
        new ConnectionFailed({ pool: this.mode, origin, failure: "returned", code: "STILL_IN_USE", sent, method })
    )
    return false
  }

  /** Told once, where the borrower may wait for something that is no request. */
  onTaken: ((error: DbError) => void) | undefined = undefined

  tell(reason: Reason): void {
    const { onTaken } = this
    this.onTaken = undefined
    const { requests, writes } = this.transport.tenure
    onTaken?.(reason(requests > 0, writes > 0 ? "POST" : "GET"))
  }

  abort(reason: Reason): void {
    this.transport.abortAll(reason)
  }

  close(reason: Reason): Effect.Effect<void> {
    return this.transport.close(reason)
  }

  /** What is printed of it, instead of all that hangs on its socket. */
  toJSON(): Omit<Connection, "client"> {
    const { createdAt, id, isActive, mode } = this
    return { id, mode, isActive, createdAt }
  }

  [Inspectable.NodeInspectSymbol](): Omit<Connection, "client"> {
    return this.toJSON()
  }
}

/** @internal */
export interface ConnectionOptions {
  readonly mode: Mode
  readonly url: string
  readonly credentials: Credentials
  readonly makeTransport: MakeTransport
  readonly onClose: (connection: PooledConnection) => void
}

let made = 0

/**
 * Makes the object, without I/O, so that it cannot fail or take time inside Effect's `Pool`, which would make every
 * caller wait uninterruptibly. The socket is opened by `open`, after checkout.
 *
 * @internal
 */
export const make = (options: ConnectionOptions): Effect.Effect<PooledConnection, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(Clock.currentTimeMillis, (now) => {
      made += 1
      return new PooledConnection(options, `${options.mode}-${made}`, new Date(now))
    }),
    (connection) => connection.close((sent, method) => new PoolClosed({ pool: connection.mode, sent, method }))
  )
