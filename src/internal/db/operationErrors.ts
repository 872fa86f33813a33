/**
 * What each kind of operation can fail with, as schemas and as types: all of them are a part of `DbError`. A law drives each
 * kind to each of its errors.
 */
import { Schema } from "effect"
import {
  AcquireTimeout,
  ConnectionFailed,
  ConnectionReclaimed,
  DecodeError,
  GuardFailed,
  PoolClosed,
  PoolOverloaded,
  QueryError,
  RateLimited,
  ReadOnlyConnection,
  RequestTimeout,
  RowNotFound,
  TransactionFailed
} from "../../Errors.js"

/**
 * What anything can fail with that sends a request: `Db.rpc`, and the rest beside errors of its own.
 *
 * @since 0.1.0
 * @category errors
 */
export const RequestError = Schema.Union(
  AcquireTimeout,
  PoolOverloaded,
  ConnectionFailed,
  RequestTimeout,
  ConnectionReclaimed,
  QueryError,
  RateLimited,
  PoolClosed
)

/**
 * @since 0.1.0
 * @category errors
 */
export type RequestError =
  | AcquireTimeout
  | PoolOverloaded
  | ConnectionFailed
  | RequestTimeout
  | ConnectionReclaimed
  | QueryError
  | RateLimited
  | PoolClosed

/**
 * What `Db.stream` fails with: a read of many rows misses none.
 *
 * @since 0.1.0
 * @category errors
 */
export const StreamError = Schema.Union(...RequestError.members, ReadOnlyConnection)

/**
 * @since 0.1.0
 * @category errors
 */
export type StreamError = RequestError | ReadOnlyConnection

/**
 * What `Db.read` fails with, and `Db.response`.
 *
 * @since 0.1.0
 * @category errors
 */
export const ReadError = Schema.Union(...RequestError.members, RowNotFound, ReadOnlyConnection)

/**
 * @since 0.1.0
 * @category errors
 */
export type ReadError = RequestError | RowNotFound | ReadOnlyConnection

/**
 * What `Db.write` fails with.
 *
 * @since 0.1.0
 * @category errors
 */
export const WriteError = Schema.Union(...RequestError.members, RowNotFound)

/**
 * @since 0.1.0
 * @category errors
 */
export type WriteError = RequestError | RowNotFound

/**
 * What `Db.transaction` fails with.
 *
 * @since 0.1.0
 * @category errors
 */
export const TransactionError = Schema.Union(
  ...RequestError.members,
  RowNotFound,
  DecodeError,
  TransactionFailed,
  GuardFailed
)

/**
 * @since 0.1.0
 * @category errors
 */
export type TransactionError = RequestError | RowNotFound | DecodeError | TransactionFailed | GuardFailed

/**
 * What a table's `list`, `search`, `getMany` and `count` fail with, and whatever decodes many rows.
 *
 * @since 0.1.0
 * @category errors
 */
export const RowsError = Schema.Union(...RequestError.members, DecodeError)

/**
 * @since 0.1.0
 * @category errors
 */
export type RowsError = RequestError | DecodeError

/**
 * What a table's `get`, `create`, `update`, `upsert` and `remove` fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export const RowError = Schema.Union(...RequestError.members, RowNotFound, DecodeError)

/**
 * @since 0.1.0
 * @category errors
 */
export type RowError = RequestError | RowNotFound | DecodeError
