/**
 * Everything that can go wrong between a caller and the database, as values.
 *
 * Each error answers the two questions that decide whether trying again is safe: `isTransient` (could the same
 * operation succeed a moment later?) and `mayHaveExecuted` (could the database have carried it out already?). The
 * message has three parts: what happened, with figures; what it means for the caller's data; what to do.
 *
 * No error holds a key or a token: they carry names, figures and PostgREST's own answer, never a request's headers.
 *
 * @since 0.1.0
 */
import { Duration, Schema } from "effect"
import { endingOf } from "./internal/errors/errorCodes.js"
import { executed, mayHaveExecuted, remedyOf, sentOr } from "./internal/errors/errorMeaning.js"
import { byProxy, where, whichProxy } from "./internal/errors/proxyText.js"
import { printed, printsDetails, type Unprinted, unprinted, withoutValues } from "./internal/errors/rowValues.js"
import { sameInEveryCopy } from "./internal/errors/sameError.js"
import { tlsRemedy } from "./internal/errors/tlsText.js"
import { GuardFailed, TransactionFailed } from "./internal/errors/transactionErrors.js"
import { printable } from "./internal/shared/printable.js"
import { clause, count, period, sentence } from "./internal/shared/text.js"

export { GuardFailed, TransactionFailed }

/**
 * Which of the two pools: `read` sends with the anon key, `write` with the service-role key.
 *
 * @since 0.1.0
 * @category models
 */
export const Mode = Schema.Literal("read", "write")

/**
 * @since 0.1.0
 * @category models
 */
export type Mode = typeof Mode.Type

/** The request's method, if it is known: GET and HEAD change nothing, whichever pool they go through. */
const Method = Schema.optional(Schema.UndefinedOr(Schema.String))

/**
 * No connection became free, and none could be opened, within `connectionTimeout`.
 *
 * @since 0.1.0
 * @category errors
 */
export class AcquireTimeout extends Schema.TaggedError<AcquireTimeout>()("AcquireTimeout", {
  pool: Mode,
  waited: Schema.DurationFromMillis,
  active: Schema.Int,
  max: Schema.Int,
  pending: Schema.Int,
  longestHeld: Schema.DurationFromMillis,
  /** Set if no connection was lent and one was being opened: its address, and the proxy on the way, without its login. */
  connectingTo: Schema.optional(Schema.UndefinedOr(Schema.String)),
  proxy: Schema.optional(Schema.UndefinedOr(Schema.String))
}) {
  override get message(): string {
    const busy = `${this.active} of ${this.max} busy, ${this.pending} waiting`
    const opening =
      this.connectingTo === undefined ? "" : `; still connecting to ${where(this.connectingTo, this.proxy)}`
    return (
      `Connection timeout: waited ${period(this.waited)} for a ${this.pool} connection (${busy}${opening}). ` +
      `Nothing was sent. ${this.remedy}`
    )
  }
  private get remedy(): string {
    if (this.connectingTo !== undefined) return this.proxy === undefined ? remedies.timeout : whichProxy
    if (this.active === 0) return "Raise DB_POOL_MAX_CONNECTIONS."
    const held = period(this.longestHeld)
    return `Raise DB_POOL_MAX_CONNECTIONS or look for a leak: one connection has been held for ${held}.`
  }
  get isTransient(): boolean {
    return true
  }
  get mayHaveExecuted(): boolean {
    return false
  }
}

/**
 * As many operations wait for a connection as `maxPending` allows, so this one was refused at once.
 *
 * @since 0.1.0
 * @category errors
 */
export class PoolOverloaded extends Schema.TaggedError<PoolOverloaded>()("PoolOverloaded", {
  pool: Mode,
  pending: Schema.Int,
  maxPending: Schema.Int
}) {
  override get message(): string {
    return (
      `Pool overloaded: ${count(this.pending, "operation")} already wait for a ${this.pool} connection ` +
      `(DB_POOL_MAX_PENDING is ${this.maxPending}). Nothing was sent. Send fewer operations at once, or raise DB_POOL_MAX_CONNECTIONS.`
    )
  }
  get isTransient(): boolean {
    return true
  }
  get mayHaveExecuted(): boolean {
    return false
  }
}

/**
 * The stage at which a connection failed.
 *
 * @since 0.1.0
 * @category models
 */
export const ConnectionFailure = Schema.Literal(
  "refused",
  "dns",
  "tls",
  "timeout",
  "unreachable",
  "local",
  "closed",
  "protocol",
  "proxy",
  "returned"
)

/**
 * The socket could not be opened, or it broke.
 *
 * `sent` tells whether the request had left when it broke: only then may the database have executed it.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConnectionFailed extends Schema.TaggedError<ConnectionFailed>()("ConnectionFailed", {
  pool: Mode,
  origin: Schema.String,
  failure: ConnectionFailure,
  code: Schema.String,
  sent: Schema.Boolean,
  method: Method,
  /** The proxy on the way, without its login. */
  proxy: Schema.optional(Schema.UndefinedOr(Schema.String))
}) {
  override get message(): string {
    if (this.proxy !== undefined) return byProxy(this, this.proxy, failures, remedies)
    return (
      `Connection failed: ${failures[this.failure]} ${this.origin}${this.code === "" ? "" : ` (${this.code})`}. ` +
      `${sentOr(this)} ${(this.failure === "tls" ? tlsRemedy(this.code) : undefined) ?? remedies[this.failure]}`
    )
  }
  get isTransient(): boolean {
    return this.failure !== "returned"
  }
  get mayHaveExecuted(): boolean {
    return mayHaveExecuted(this)
  }
}

const failures: Record<typeof ConnectionFailure.Type, string> = {
  refused: "nothing listens at",
  dns: "no IP address was found for",
  tls: "no trusted TLS connection to",
  timeout: "no answer in time from",
  unreachable: "no route to",
  local: "this machine cannot open another socket to",
  closed: "the connection was closed by",
  protocol: "an answer that is not proper HTTP came from",
  proxy: "the proxy did not connect to",
  returned: "this connection was already returned to the pool for"
}

const remedies: Record<typeof ConnectionFailure.Type, string> = {
  refused: "Check SUPABASE_URL and that the project runs.",
  dns: "Check SUPABASE_URL for a typo.",
  tls: "Check the certificate, and the clock of this machine.",
  timeout: "Check the network and firewalls between here and SUPABASE_URL.",
  unreachable: "Check the network between here and SUPABASE_URL.",
  local: "Raise the limit of open files, or free local ports.",
  closed: "The usual cause is a restart or a proxy's idle limit; lower DB_POOL_KEEPALIVE_INTERVAL if it repeats.",
  protocol: "Check that SUPABASE_URL is a Supabase project and not another service.",
  proxy: "Check DB_POOL_PROXY, HTTPS_PROXY and HTTP_PROXY.",
  returned: "Use a connection only between its acquisition and its release."
}

/**
 * The answer did not arrive whole within `requestTimeout`; the socket was closed, so that the answer cannot arrive late.
 *
 * @since 0.1.0
 * @category errors
 */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>()("RequestTimeout", {
  pool: Mode,
  timeout: Schema.DurationFromMillis,
  sent: Schema.Boolean,
  method: Method
}) {
  override get message(): string {
    return (
      `Request timeout: no complete answer within ${period(this.timeout)} on a ${this.pool} connection. ` +
      `${sentOr(this)} Make the query faster, or raise DB_POOL_REQUEST_TIMEOUT.`
    )
  }
  get isTransient(): boolean {
    return true
  }
  get mayHaveExecuted(): boolean {
    return mayHaveExecuted(this)
  }
}

/**
 * The connection was held longer than `leakDetectionTimeout`, so the pool took it back.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConnectionReclaimed extends Schema.TaggedError<ConnectionReclaimed>()("ConnectionReclaimed", {
  pool: Mode,
  connectionId: Schema.String,
  held: Schema.DurationFromMillis,
  sent: Schema.Boolean,
  method: Method
}) {
  override get message(): string {
    return (
      `Connection reclaimed: ${this.connectionId} was held for ${period(this.held)} and taken back as a leak. ` +
      `${sentOr(this)} Return connections sooner, or raise DB_POOL_LEAK_DETECTION_TIMEOUT.`
    )
  }
  get isTransient(): boolean {
    return false
  }
  get mayHaveExecuted(): boolean {
    return mayHaveExecuted(this)
  }
}

/**
 * PostgREST, PostgreSQL or a gateway before them answered with an error.
 *
 * `reason` and `details` are PostgreSQL's own words, which may contain values of rows (`Key (email)=(…) already exists`):
 * read them where you need them. `message`, JSON, and printed or copied errors contain none.
 *
 * `code` is PostgREST's (`PGRST…`) or the SQLSTATE; empty when the answer came from a gateway. If no answer came, `status`
 * is 0 and the code is ours: `ABORTED` and `ABORTED_UNSENT` (the caller's `AbortSignal`, after or before the request left),
 * `INVALID_REQUEST` and `INVALID_TOKEN` (refused before anything was sent). `ANSWER_TOO_LARGE` and `REDIRECTED` are ours
 * too, with the status of the answer, and so is `ANSWER_UNDECODED` (its `Content-Encoding` is unknown or wrong); an
 * unreadable error has PostgREST's code instead, if its head carries it. `QUESTION_CUT_OFF`: a server hung up on a URL of 8
 * kB or more. `NO_LIST`: rows were requested, and the JSON is not a list; `NO_COUNT`: rows were counted, and the answer has
 * no number; `RESULT_CUT`: a function that was called by POST gave more rows than the server sent. `method` and `answeredBy`
 * are set if they are known. Together with code and status they decide whether it may have been executed: GET and HEAD never
 * change anything, and only PostgREST knows how it ended.
 *
 * @since 0.1.0
 * @category errors
 */
export class QueryError extends Schema.TaggedError<QueryError>()("QueryError", {
  code: Schema.String,
  reason: Schema.String,
  details: Schema.String,
  hint: Schema.String,
  status: Schema.Int,
  retryAfter: Schema.optional(Schema.DurationFromMillis),
  method: Method,
  /**
   * Who answered, if the answer shows it: a gateway's answer proves nothing about the database, and a function that set the
   * status itself (`response.status`) was committed.
   */
  answeredBy: Schema.optional(Schema.UndefinedOr(Schema.Literal("PostgREST", "gateway", "function")))
}) {
  readonly #unprinted: Unprinted = unprinted(this, ["reason", "details"])
  override toJSON(): object {
    // Effect fails with a proxy of it where there is a span, and a proxy has no private fields.
    return (#unprinted in this ? this.#unprinted : printed)(this, this.message)
  }
  override get message(): string {
    const source = [this.code, this.status === 0 ? "" : `HTTP ${this.status}`].filter((word) => word !== "").join(", ")
    const where = source === "" ? "" : ` (${source})`
    const remedy = this.hint === "" ? remedyOf(this) : this.hint
    const reason = clause(withoutValues(this.code, this.reason))
    const details = printsDetails(this.code) ? sentence(this.details) : ""
    return printable(`Query failed: ${reason}${where}.${details} ${executed(this)}${sentence(remedy)}`)
  }
  get isTransient(): boolean {
    return endingOf(this).isTransient
  }
  get mayHaveExecuted(): boolean {
    return endingOf(this).mayHaveExecuted
  }
}

/**
 * One row was requested and none exists. If there are several, the error is a `QueryError` with the code `PGRST116`.
 *
 * PostgREST checks before it commits, so a write with `single()` has changed nothing. supabase-js checks `maybeSingle()` on
 * a write after the answer has arrived: then `executed` is true.
 *
 * @since 0.1.0
 * @category errors
 */
export class RowNotFound extends Schema.TaggedError<RowNotFound>()("RowNotFound", {
  table: Schema.String,
  details: Schema.String,
  executed: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  id: Schema.optional(Schema.String),
  /** The step of a transaction, from 0: the whole transaction was rolled back. */
  step: Schema.optional(Schema.Int)
}) {
  override get message(): string {
    const where = `${this.table === "" ? "" : ` in ${this.table}`}${this.step === undefined ? "" : ` at step ${this.step}`}`
    const none = this.id === undefined ? "no row matches" : `no row has the key ${clause(this.id)}`
    const remedy = this.id === undefined ? unlessSingle : unlessHidden
    return printable(
      `Row not found${where}: ${this.details === "" ? none : clause(this.details)}. ` +
        `${this.executed ? "The write was executed." : "Nothing was changed."} ${remedy}`
    )
  }
  get isTransient(): boolean {
    return false
  }
  get mayHaveExecuted(): boolean {
    return this.executed
  }
}

const unlessSingle = "Use maybeSingle() where no row is acceptable."

const unlessHidden = "Check the key, and whether row level security hides the row from the caller."

/**
 * A row that was read, or was to be written, does not match its schema.
 *
 * `stage` tells what it means for the data: at `encode` (a row) and `filter` (a condition) nothing was sent, at `read`
 * nothing was changed, at `write` the write was executed and only its answer could not be decoded.
 *
 * @since 0.1.0
 * @category errors
 */
export class DecodeError extends Schema.TaggedError<DecodeError>()("DecodeError", {
  table: Schema.String,
  id: Schema.String,
  path: Schema.String,
  issue: Schema.String,
  stage: Schema.optionalWith(Schema.Literal("encode", "filter", "read", "write"), { default: () => "read" as const }),
  /** The step of a transaction, from 0. At stage `write` the whole transaction is committed. */
  step: Schema.optional(Schema.Int)
}) {
  override get message(): string {
    const { remedy, what } = stages[this.stage]
    const inTransaction = this.step !== undefined
    const means = inTransaction && this.stage === "write" ? committed : stages[this.stage].means
    return printable(
      `${what}${inTransaction ? ` at step ${this.step}` : ""}: ${this.table}${this.id === "" ? "" : ` ${this.id}`} at ${this.path === "" ? "the row" : this.path}: ` +
        `${clause(this.issue)}. ${means} ${remedy}`
    )
  }
  get isTransient(): boolean {
    return false
  }
  get mayHaveExecuted(): boolean {
    return this.stage === "read" || this.stage === "write"
  }
}

const committed = "The transaction is committed: do not send it again."

const together = "Make the schema and the table agree."

const stages = {
  encode: { what: "Row does not encode", means: "Nothing was sent.", remedy: "Fix the value." },
  filter: { what: "Filter not understood", means: "Nothing was sent.", remedy: "Fix the filter." },
  read: { what: "Row does not decode", means: "The row in the database is unchanged.", remedy: together },
  write: { what: "Row does not decode", means: "The write was executed.", remedy: together }
} as const

/**
 * Something other than GET or HEAD was about to be sent on a read connection.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReadOnlyConnection extends Schema.TaggedError<ReadOnlyConnection>()("ReadOnlyConnection", {
  method: Schema.String,
  path: Schema.String
}) {
  override get message(): string {
    return printable(
      `Read-only connection: ${this.method} ${this.path} was refused on a read connection. Nothing was sent. ` +
        "Use Db.write, or rpc(name, args, { get: true }) for a function that only reads."
    )
  }
  get isTransient(): boolean {
    return false
  }
  get mayHaveExecuted(): boolean {
    return false
  }
}

/**
 * The caller used up the operations that a window allows. The check comes before a connection is requested.
 *
 * @since 0.1.0
 * @category errors
 */
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", {
  key: Schema.String,
  retryAfter: Schema.DurationFromMillis
}) {
  override get message(): string {
    return `Rate limited: no more operations for "${printable(this.key)}" now. Nothing was sent. Try again in ${period(this.retryAfter)}.`
  }
  get isTransient(): boolean {
    return true
  }
  get mayHaveExecuted(): boolean {
    return false
  }
}

/**
 * The pool is closing or closed.
 *
 * @since 0.1.0
 * @category errors
 */
export class PoolClosed extends Schema.TaggedError<PoolClosed>()("PoolClosed", {
  pool: Mode,
  sent: Schema.Boolean,
  method: Method
}) {
  override get message(): string {
    return `Pool closed: the ${this.pool} pool is shutting down. ${sentOr(this)} Create a new pool to continue.`
  }
  get isTransient(): boolean {
    return false
  }
  get mayHaveExecuted(): boolean {
    return mayHaveExecuted(this)
  }
}

/**
 * Why no connection was acquired. None of these has sent anything.
 *
 * @since 0.1.0
 * @category errors
 */
export type AcquireError = AcquireTimeout | PoolOverloaded | ConnectionFailed | PoolClosed

/**
 * Every error of an operation, for `Schema.decodeUnknown`, serialisation and exhaustive `Match`.
 *
 * @since 0.1.0
 * @category errors
 */
export const DbError = Schema.Union(
  AcquireTimeout,
  PoolOverloaded,
  ConnectionFailed,
  RequestTimeout,
  ConnectionReclaimed,
  QueryError,
  RowNotFound,
  DecodeError,
  ReadOnlyConnection,
  RateLimited,
  TransactionFailed,
  GuardFailed,
  PoolClosed
)

for (const member of DbError.members) sameInEveryCopy(member._tag, member)

/**
 * @since 0.1.0
 * @category errors
 */
export type DbError =
  | AcquireTimeout
  | PoolOverloaded
  | ConnectionFailed
  | RequestTimeout
  | ConnectionReclaimed
  | QueryError
  | RowNotFound
  | DecodeError
  | ReadOnlyConnection
  | RateLimited
  | TransactionFailed
  | GuardFailed
  | PoolClosed

/**
 * Tells an error of this library from anything else that was thrown.
 *
 * @since 0.1.0
 * @category errors
 */
export const isDbError: (u: unknown) => u is DbError = Schema.is(DbError)

/**
 * The time that a server asks us to wait, but never more than `cap`: the one place where this duration is bounded.
 *
 * @since 0.1.0
 * @category errors
 */
export const retryAfterOf = (error: DbError, cap: Duration.Duration): Duration.Duration => {
  const asked = "retryAfter" in error ? error.retryAfter : undefined
  return Duration.min(asked ?? Duration.zero, cap)
}
