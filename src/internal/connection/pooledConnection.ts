/** A connection as the pool has it: one socket, and the clients that send on it. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Clock, Effect, Inspectable, type Scope } from "effect"
import type { Connection, Credentials } from "../../Connection.js"
import { ConnectionFailed, type DbError, PoolClosed } from "../../Errors.js"
import { callerLeft } from "../audit/eventType.js"
import { refusalOf } from "../errors/errorCodes.js"
import type { Ending } from "../limit/limiter.js"
import { fingerprint } from "../metrics/fingerprint.js"
import { keyOf, shapeOf } from "../metrics/shape.js"
import type { Resource } from "../pool/lease.js"
import type { Mode } from "../pool/mode.js"
import { realTime } from "../shared/timers.js"
import { type ConnectionClient, makeClient, refusingClient, unsendableToken } from "./supabaseClient.js"
import type { MakeTransport, Reason, Spare, Transport } from "./transport.js"

export interface ConnectionOptions {
  readonly mode: Mode
  readonly url: string
  readonly credentials: Credentials
  readonly makeTransport: MakeTransport
  readonly onClose: (connection: PooledConnection) => void
  /** Another connection of its pool that is idle, for a request of the same borrower. */
  readonly spare?: (connection: PooledConnection) => Spare | undefined
}

/**
 * What the pool sees of a connection: it opens, lends and closes it. Users see `Connection`.
 */
export class PooledConnection implements Connection, Resource {
  readonly id: string
  readonly mode: Mode
  readonly createdAt: Date
  readonly transport: Transport
  readonly #url: string
  readonly #own: Credentials
  #client: ConnectionClient | undefined
  readonly #others: WeakMap<Credentials, SupabaseClient> = new WeakMap()

  readonly #refuse = (error: DbError): void => {
    this.transport.tenure.refuses(error)
  }

  constructor(options: ConnectionOptions, id: string, createdAt: Date) {
    this.id = id
    this.mode = options.mode
    this.createdAt = createdAt
    this.#url = options.url
    this.#own = options.credentials
    this.transport = options.makeTransport(
      () => options.onClose(this),
      () => options.spare?.(this)
    )
  }

  get client(): SupabaseClient {
    return this.whole
  }

  private get whole(): ConnectionClient {
    this.#client ??= makeClient(this.#url, this.#own.key, this.#own.token, this.transport.fetch, this.#refuse)
    return this.#client
  }

  get isActive(): boolean {
    return this.transport.usable && this.transport.isOpen
  }

  /** The same socket under another key or as a user; clients are kept as long as the credentials are. */
  clientAs(credentials: Credentials): SupabaseClient {
    const known = this.#others.get(credentials)
    if (known !== undefined) return known
    const refused = unsendableToken(credentials.token)
    const client =
      refused === undefined
        ? this.whole.as(credentials.key, credentials.token)
        : refusingClient(this.#url, refused, this.#refuse)
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

  get sentSince(): number | undefined {
    return this.transport.sentSince
  }

  get asks(): string {
    const { method, path, requests } = this.transport.tenure
    return requests === 0 ? "" : shapeOf(keyOf(method, path)).text
  }

  get wasAnswered(): boolean | undefined {
    return this.transport.tenure.wasAnswered
  }

  get refused(): ConnectionFailed | undefined {
    return this.transport.refused
  }

  /** Of what was sent and answered as it should; a constraint that was broken says nothing of the time that rows take. */
  outcome(): Ending | undefined {
    const { good, method, path, requests, said, status } = this.transport.tenure
    if (requests !== 1 || (good === 0 && said === undefined)) return undefined
    const refused = said === undefined ? "" : refusalOf({ status, ...said })
    if (said !== undefined && refused === "") return undefined
    return { shape: fingerprint(method, path), refused }
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
    // What a spare connection carries leaves this one as good as it was.
    const wasSending = this.transport.isSending
    const origin = new URL(this.#url).origin
    this.abort(
      (sent, method) =>
        new ConnectionFailed({ pool: this.mode, origin, failure: "returned", code: "STILL_IN_USE", sent, method })
    )
    return !wasSending
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

let made = 0

/**
 * Makes the object, without I/O, so that it cannot fail or take time inside Effect's `Pool`, which would make every
 * caller wait uninterruptibly. The socket is opened by `open`, after checkout.
 */
export const make = (options: ConnectionOptions): Effect.Effect<PooledConnection, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(Clock.currentTimeMillis, (now) => {
      made += 1
      return new PooledConnection(options, `${options.mode}-${made}`, new Date(now))
    }),
    (connection) => connection.close((sent, method) => new PoolClosed({ pool: connection.mode, sent, method }))
  )
