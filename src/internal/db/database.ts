/** The tags of `Db` and the types of what is asked. `Db` shows all of it; what builds on it imports this. */
import type { PostgrestSingleResponse, SupabaseClient } from "@supabase/supabase-js"
import { Context, type Effect } from "effect"
import type { DbError, Mode } from "../../Errors.js"
import type { MostRows } from "../table/mostRows.js"
import type { TransactionOptions } from "../transaction/options.js"
import type { Step } from "../transaction/planned.js"
import type { Reader, ReaderWriter, Untyped } from "./access.js"
import type { DataIn, DataOf, Succeeded, Successful } from "./answered.js"
import type { ContentRange } from "./contentRange.js"
import type { Known } from "./known.js"
import type { AnswerOrigin } from "./list.js"
import type { PostgrestResult, ResultWithoutData } from "./postgrestResult.js"
import type { RetryOptions } from "./retryOptions.js"

/**
 * What a caller's function may return: a supabase-js builder (or any promise of its response), or an Effect.
 *
 * @since 0.1.0
 * @category models
 */
export type Query = PromiseLike<PostgrestResult> | Effect.Effect<unknown, unknown, unknown>

/**
 * The response without its failure case: what a builder resolves to when there was no error. Without a schema `D` a column is
 * `unknown`.
 *
 * @since 0.1.0
 * @category models
 */
export type Success<Q, D = Untyped> = [D] extends [Untyped] ? KnownResponse<DataOf<Q>> : Successful<Q>

type KnownResponse<Data> = Extract<PostgrestSingleResponse<Known<Data>>, { readonly error: null }>

/** The same, of the response. */
export type Responded<A, D> = [D] extends [Untyped] ? KnownResponse<DataIn<A>> : Succeeded<A>

/** The rows of a response. */
export type Given<A, D> = [D] extends [Untyped] ? Known<DataIn<A>> : DataIn<A>

/**
 * What an operation gives: the builder's `data`, or what the Effect gives. Without a schema `D` a column is `unknown`.
 *
 * @since 0.1.0
 * @category models
 */
export type Result<Q, D = Untyped> = [Q] extends [Effect.Effect<infer A, infer _E, infer _R>]
  ? A
  : [D] extends [Untyped]
    ? Known<DataOf<Q>>
    : DataOf<Q>

/**
 * What an operation fails with: what its kind does, and what the Effect does.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure<Q, Own = DbError> = [Q] extends [Effect.Effect<infer _A, infer E, infer _R>] ? E | Own : Own

/**
 * What an operation needs beside the database.
 *
 * @since 0.1.0
 * @category models
 */
export type Needs<Q> = [Q] extends [Effect.Effect<infer _A, infer _E, infer R>] ? R : never

/**
 * @since 0.1.0
 * @category models
 */
export interface ExactOptions {
  /**
   * Numbers that JavaScript would round (integers beyond 2^53, more than 17 digits) come as texts, with all their digits; all
   * others stay numbers. The row's type says number of both, so that a schema of `Values` reads them best.
   */
  readonly exact?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ReadOptions extends ExactOptions {
  /** Send with the service-role key, where row level security hides what a server must see. Needs `Db`. */
  readonly as: "service"
  /** How it is tried again; `false` for not at all. */
  readonly retry?: RetryOptions | false | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface WriteOptions extends ExactOptions {
  /** Executing it twice is the same as once, so it may be retried even when its answer was lost. */
  readonly idempotent?: boolean | undefined
  /**
   * The most rows that an update, a delete or a function may change: more, and nothing is changed (`QueryError` with
   * code `PGRST124`). Needs PostgREST 12.1; an older one refuses what it does not know.
   */
  readonly maxAffected?: number | undefined
  /** How it is tried again; `false` for not at all. */
  readonly retry?: RetryOptions | false | undefined
}

/**
 * With none of them, use `OperationOptions`: then `ReadDb` is enough.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResponseOptions extends WriteOptions {
  /** Which pool's connection. Default: `read`. */
  readonly pool?: Mode | undefined
  /** As in `ReadOptions`. */
  readonly as?: "service" | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface RpcOptions extends WriteOptions {
  /** The function only reads: send it by GET, on the read pool. */
  readonly get?: boolean | undefined
  /**
   * Of a set, no more rows than these. By GET as many as there are up to it; by POST, which is sent once, no more than the
   * server gives at a time (`db-max-rows`).
   */
  readonly limit?: number | undefined
  /** Of a set, without so many of its first rows. */
  readonly offset?: number | undefined
}

/**
 * A step of a transaction: a function of a client that returns its builder, or a table's (`products.updateStep(…)`).
 *
 * @since 0.1.0
 * @category models
 */
export type AnyStep = ((client: SupabaseClient) => PromiseLike<ResultWithoutData>) | Step<unknown, unknown, Db>

/**
 * What each step of a transaction gives.
 *
 * @since 0.1.0
 * @category models
 */
export type TransactionResults<Steps extends ReadonlyArray<unknown>, D = Untyped> = {
  readonly [K in keyof Steps]: StepResult<Steps[K], D>
}

/**
 * What a step gives: a table's its decoded rows, a builder its `data`.
 *
 * @since 0.1.0
 * @category models
 */
export type StepResult<S, D = Untyped> = S extends (client: never) => PromiseLike<infer A>
  ? Given<A, D>
  : S extends Step<infer A>
    ? A
    : never

/**
 * Who may only read.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * // Requires ReadDb: nothing in here can write, and the compiler says so.
 * export const laptops = Effect.flatMap(Db.ReadDb, (db) =>
 *   db.read((client) => client.from("products").select("id, title").eq("category", "laptops"))
 * )
 *
 * @since 0.1.0
 * @category tags
 */
export class ReadDb extends Context.Tag("effect-supabase-pool/ReadDb")<ReadDb, Reader>() {}

/**
 * Who may read and write.
 *
 * @since 0.1.0
 * @category tags
 */
export class Db extends Context.Tag("effect-supabase-pool/Db")<Db, ReaderWriter>() {}

type Ask = (client: SupabaseClient) => Query

/** What was asked, which rows came, and which of all rows they are. */
export interface Placed extends AnswerOrigin {
  readonly data: unknown
  /** Undefined where the answer does not say it. */
  readonly place: ContentRange | undefined
  /** As the answer says it, which may be nonsense. */
  readonly header: string | null
  /** The server says that it has counted, as it was asked to (`Preference-Applied`). */
  readonly counted: boolean
}

/** As much of a reading service as tables and streams are made of. */
export interface UntypedReader {
  /** How many rows its server gives at a time, as far as that has been seen. */
  readonly seen: MostRows
  read(ask: Ask, options?: ResponseOptions): Effect.Effect<unknown, DbError>
  response(
    ask: (client: SupabaseClient) => PromiseLike<PostgrestResult>,
    options?: ResponseOptions
  ): Effect.Effect<unknown, DbError>
  /** Rows for who asks for the rest of them by itself. */
  placed(
    ask: (client: SupabaseClient) => PromiseLike<PostgrestResult>,
    options?: ResponseOptions
  ): Effect.Effect<Placed, DbError>
  rpc(name: string, args?: Record<string, unknown>, options?: RpcOptions): Effect.Effect<unknown, DbError>
}

/** As much of a writing one. */
export interface UntypedWriter extends UntypedReader {
  write(ask: Ask, options?: WriteOptions): Effect.Effect<unknown, DbError>
  transaction(
    steps: ReadonlyArray<AnyStep>,
    options?: TransactionOptions
  ): Effect.Effect<ReadonlyArray<unknown>, DbError>
}

/** Where the database of a table or a stream comes from, and what has to be provided for that. */
export interface Source<Reading, Writing = Reading> {
  readonly reading: Effect.Effect<UntypedReader, never, Reading>
  readonly writing: Effect.Effect<UntypedWriter, never, Writing>
}

/** A service does more than a core has to, under types that say more. */
export function sourceOf<R, W>(reading: Context.Tag<R, Reader>, writing: Context.Tag<W, ReaderWriter>): Source<R, W>
export function sourceOf(reading: unknown, writing: unknown): unknown {
  return { reading, writing }
}

export const byTags: Source<ReadDb, Db> = sourceOf(ReadDb, Db)
