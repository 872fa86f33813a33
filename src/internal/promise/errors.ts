/**
 * The errors that promises reject with, for `instanceof`, in types that know nothing of Effect. The classes are those of `Db`,
 * and what one entry throws is an instance of the other's class too.
 */
import * as Config from "../../Config.js"
import * as Errors from "../../Errors.js"
import type { Mode } from "../pool/mode.js"

/** A class that is asked by `instanceof`, and makes nothing. */
interface Kind<A> {
  readonly prototype: A
  [Symbol.hasInstance](u: unknown): boolean
  new (...given: never): A
}

/** What every error says. */
interface Failure<Tag extends string> extends Error {
  readonly _tag: Tag
  /** Whether the same operation could succeed a moment later. */
  readonly isTransient: boolean
  /** Whether the database could have carried it out. */
  readonly mayHaveExecuted: boolean
}

/** How long, as the pool has it. */
interface Length {
  readonly value:
    | { readonly _tag: "Millis"; readonly millis: number }
    | { readonly _tag: "Nanos"; readonly nanos: bigint }
    | { readonly _tag: "Infinity" }
}

/**
 * No connection was free in time. The message begins with `Connection timeout`.
 *
 * @since 0.1.0
 * @category errors
 */
export interface AcquireTimeout extends Failure<"AcquireTimeout"> {
  readonly pool: Mode
  readonly waited: Length
  readonly active: number
  readonly max: number
  readonly pending: number
}
/**
 * @since 0.1.0
 * @category errors
 */
export const AcquireTimeout: Kind<AcquireTimeout> = Errors.AcquireTimeout

/**
 * More operations wait than `maxPending` allows.
 *
 * @since 0.1.0
 * @category errors
 */
export interface PoolOverloaded extends Failure<"PoolOverloaded"> {
  readonly pool: Mode
  readonly pending: number
  readonly maxPending: number
}
/**
 * @since 0.1.0
 * @category errors
 */
export const PoolOverloaded: Kind<PoolOverloaded> = Errors.PoolOverloaded

/**
 * The socket could not be opened, or it broke.
 *
 * @since 0.1.0
 * @category errors
 */
export interface ConnectionFailed extends Failure<"ConnectionFailed"> {
  readonly pool: Mode
  readonly origin: string
  readonly failure: string
  readonly code: string
  readonly sent: boolean
}
/**
 * @since 0.1.0
 * @category errors
 */
export const ConnectionFailed: Kind<ConnectionFailed> = Errors.ConnectionFailed

/**
 * The answer did not arrive within `requestTimeout`.
 *
 * @since 0.1.0
 * @category errors
 */
export interface RequestTimeout extends Failure<"RequestTimeout"> {
  readonly pool: Mode
  readonly timeout: Length
  readonly sent: boolean
}
/**
 * @since 0.1.0
 * @category errors
 */
export const RequestTimeout: Kind<RequestTimeout> = Errors.RequestTimeout

/**
 * The connection was held longer than `leakDetectionTimeout`.
 *
 * @since 0.1.0
 * @category errors
 */
export interface ConnectionReclaimed extends Failure<"ConnectionReclaimed"> {
  readonly pool: Mode
  readonly connectionId: string
  readonly held: Length
  readonly sent: boolean
}
/**
 * @since 0.1.0
 * @category errors
 */
export const ConnectionReclaimed: Kind<ConnectionReclaimed> = Errors.ConnectionReclaimed

/**
 * PostgREST, PostgreSQL or a gateway before them answered with an error: `code` is PostgREST's (`PGRST…`) or the SQLSTATE.
 *
 * @since 0.1.0
 * @category errors
 */
export interface QueryError extends Failure<"QueryError"> {
  readonly code: string
  readonly reason: string
  readonly details: string
  readonly hint: string
  readonly status: number
  readonly retryAfter?: Length | undefined
}
/**
 * @since 0.1.0
 * @category errors
 */
export const QueryError: Kind<QueryError> = Errors.QueryError

/**
 * One row was asked for and none is there.
 *
 * @since 0.1.0
 * @category errors
 */
export interface RowNotFound extends Failure<"RowNotFound"> {
  readonly table: string
  readonly details: string
  readonly id?: string | undefined
}
/**
 * @since 0.1.0
 * @category errors
 */
export const RowNotFound: Kind<RowNotFound> = Errors.RowNotFound

/**
 * A row, or a filter, is not what its schema says.
 *
 * @since 0.1.0
 * @category errors
 */
export interface DecodeError extends Failure<"DecodeError"> {
  readonly table: string
  readonly id: string
  readonly path: string
  readonly issue: string
  readonly stage: "encode" | "filter" | "read" | "write"
}
/**
 * @since 0.1.0
 * @category errors
 */
export const DecodeError: Kind<DecodeError> = Errors.DecodeError

/**
 * Something other than GET or HEAD was about to be sent on a read connection.
 *
 * @since 0.1.0
 * @category errors
 */
export interface ReadOnlyConnection extends Failure<"ReadOnlyConnection"> {
  readonly method: string
  readonly path: string
}
/**
 * @since 0.1.0
 * @category errors
 */
export const ReadOnlyConnection: Kind<ReadOnlyConnection> = Errors.ReadOnlyConnection

/**
 * The caller used up the operations that a window allows.
 *
 * @since 0.1.0
 * @category errors
 */
export interface RateLimited extends Failure<"RateLimited"> {
  readonly key: string
  readonly retryAfter: Length
}
/**
 * @since 0.1.0
 * @category errors
 */
export const RateLimited: Kind<RateLimited> = Errors.RateLimited

/**
 * The database refused a step of a transaction; nothing of it was kept, unless `mayHaveExecuted` says otherwise.
 *
 * @since 0.1.0
 * @category errors
 */
export interface TransactionFailed extends Failure<"TransactionFailed"> {
  readonly step: number
  readonly operation: string
  readonly code: string
  readonly reason: string
  readonly hint: string
}
/**
 * @since 0.1.0
 * @category errors
 */
export const TransactionFailed: Kind<TransactionFailed> = Errors.TransactionFailed

/**
 * A row is not as a step of a transaction expects it, so all of it was undone; `step` counts from 0.
 *
 * @since 0.1.0
 * @category errors
 */
export interface GuardFailed extends Failure<"GuardFailed"> {
  readonly step: number
  readonly operation: string
  /** The key of the row. */
  readonly id: string
  readonly column: string
  /** What was expected of it, in words: `at least 2`. */
  readonly guard: string
}
/**
 * @since 0.1.0
 * @category errors
 */
export const GuardFailed: Kind<GuardFailed> = Errors.GuardFailed

/**
 * The pool is closing or closed.
 *
 * @since 0.1.0
 * @category errors
 */
export interface PoolClosed extends Failure<"PoolClosed"> {
  readonly pool: Mode
  readonly sent: boolean
}
/**
 * @since 0.1.0
 * @category errors
 */
export const PoolClosed: Kind<PoolClosed> = Errors.PoolClosed

/**
 * The environment, or the options, cannot be used: every mistake, by name.
 *
 * @since 0.1.0
 * @category errors
 */
export interface ConfigInvalid extends Error {
  readonly _tag: "ConfigInvalid"
  readonly mistakes: ReadonlyArray<{
    readonly variable: string
    readonly value?: string
    readonly problem: string
    readonly remedy: string
  }>
}
/**
 * @since 0.1.0
 * @category errors
 */
export const ConfigInvalid: Kind<ConfigInvalid> = Config.ConfigInvalid
