/** The tags of `Db`, their types, and the service behind them. `Db` shows all of it; what builds on it imports this. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Context, Effect } from "effect"
import type { DbError, Mode } from "../Errors.js"
import { ask, askFor, type Outcome, type Response } from "./answer.js"
import { limitTo } from "./maxAffected.js"
import type { Body } from "./operation.js"
import type { Operations } from "./operations.js"
import { ofTransaction } from "./spans.js"
import type { TransactionOptions } from "./transaction/options.js"
import type { Step } from "./transaction/planned.js"
import type { TransactionStep } from "./transaction/record.js"
import { run as runTransaction } from "./transaction/run.js"

/**
 * What a caller's function may return: a supabase-js builder (or any promise of its response), or an Effect.
 *
 * @since 0.1.0
 * @category models
 */
export type Query = PromiseLike<Response> | Effect.Effect<unknown, unknown, unknown>

/**
 * The response without its failure case: what a builder resolves to when there was no error.
 *
 * @since 0.1.0
 * @category models
 */
export type Success<Q> = Q extends PromiseLike<infer A> ? Extract<A, { readonly error: null }> : never

/**
 * What an operation gives: the builder's `data`, or what the Effect gives.
 *
 * @since 0.1.0
 * @category models
 */
export type Result<Q> = [Q] extends [Effect.Effect<infer A, infer _E, infer _R>]
  ? A
  : Success<Q> extends { readonly data: infer D }
    ? D
    : never

/**
 * What an operation fails with beside `DbError`.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure<Q> = [Q] extends [Effect.Effect<infer _A, infer E, infer _R>] ? E | DbError : DbError

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
export interface ReadOptions {
  /** Send with the service-role key, where row level security hides what a server must see. Needs `Db`. */
  readonly as: "service"
}

/**
 * @since 0.1.0
 * @category models
 */
export interface WriteOptions {
  /** Executing it twice is the same as once, so it may be retried even when its answer was lost. */
  readonly idempotent?: boolean | undefined
  /**
   * The most rows that an update, a delete or a function may change: more, and nothing is changed (`QueryError` with
   * code `PGRST124`). Needs PostgREST 12.1; an older one refuses what it does not know.
   */
  readonly maxAffected?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ResponseOptions extends WriteOptions {
  /** Which pool's connection; `read` unless said otherwise. */
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
}

/**
 * A step of a transaction: a function of a client that returns its builder, or a table's (`products.updateStep(…)`).
 *
 * @since 0.1.0
 * @category models
 */
export type AnyStep = ((client: SupabaseClient) => PromiseLike<Outcome>) | Step<unknown>

/**
 * What each step of a transaction gives.
 *
 * @since 0.1.0
 * @category models
 */
export type TransactionResults<Steps extends ReadonlyArray<unknown>> = {
  readonly [K in keyof Steps]: StepResult<Steps[K]>
}

/**
 * What a step gives: a table's its decoded rows, a builder its `data`.
 *
 * @since 0.1.0
 * @category models
 */
export type StepResult<S> = S extends Step<infer A> ? A : S extends (client: never) => infer Q ? Result<Q> : never

/**
 * Reads, and can do nothing else.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reader {
  read<Q extends Query>(f: (client: SupabaseClient) => Q): Effect.Effect<Result<Q>, Failure<Q>, Needs<Q>>
  /** As `read`, with count and status. */
  response<Q extends PromiseLike<Response>>(f: (client: SupabaseClient) => Q): Effect.Effect<Success<Q>, DbError>
}

/**
 * Reads and writes.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReaderWriter {
  read<Q extends Query>(
    f: (client: SupabaseClient) => Q,
    options?: ReadOptions
  ): Effect.Effect<Result<Q>, Failure<Q>, Needs<Q>>
  write<Q extends Query>(
    f: (client: SupabaseClient) => Q,
    options?: WriteOptions
  ): Effect.Effect<Result<Q>, Failure<Q>, Needs<Q>>
  /** All steps or none, once; see `Transaction`. */
  transaction<const Steps extends ReadonlyArray<AnyStep>>(
    steps: Steps,
    options?: TransactionOptions
  ): Effect.Effect<TransactionResults<Steps>, DbError>
  /** As `read` or `write`, with count and status. */
  response<Q extends PromiseLike<Response>>(
    f: (client: SupabaseClient) => Q,
    options?: ResponseOptions
  ): Effect.Effect<Success<Q>, DbError>
}

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

type AnyQuery = (client: SupabaseClient) => Query

type AnyAnswer = (client: SupabaseClient) => PromiseLike<Response>

/** One class for both tags: what `ReadDb` lacks, its type does not show. */
export class Service implements ReaderWriter {
  private readonly operations: Operations["Type"]

  constructor(operations: Operations["Type"]) {
    this.operations = operations
  }

  read<Q extends Query>(
    f: (client: SupabaseClient) => Q,
    options?: ReadOptions
  ): Effect.Effect<Result<Q>, Failure<Q>, Needs<Q>>
  read(f: AnyQuery, options?: ReadOptions): Effect.Effect<unknown, unknown, unknown> {
    return this.operations.run(this.dataOf(f), { mode: "read", as: options?.as })
  }

  write<Q extends Query>(
    f: (client: SupabaseClient) => Q,
    options?: WriteOptions
  ): Effect.Effect<Result<Q>, Failure<Q>, Needs<Q>>
  write(f: AnyQuery, options?: WriteOptions): Effect.Effect<unknown, unknown, unknown> {
    return this.operations.run(this.dataOf(f, options?.maxAffected), { mode: "write", idempotent: options?.idempotent })
  }

  response<Q extends PromiseLike<Response>>(
    f: (client: SupabaseClient) => Q,
    options?: ResponseOptions
  ): Effect.Effect<Success<Q>, DbError>
  response(f: AnyAnswer, options?: ResponseOptions): Effect.Effect<unknown, unknown> {
    const { as, idempotent, maxAffected, pool = "read" } = options ?? {}
    const { now } = this.operations
    return this.operations.run((client, connection) => ask(f(client), connection.transport, now, maxAffected), {
      mode: pool,
      as,
      idempotent
    })
  }

  transaction<const Steps extends ReadonlyArray<AnyStep>>(
    steps: Steps,
    options?: TransactionOptions
  ): Effect.Effect<TransactionResults<Steps>, DbError>
  transaction(steps: ReadonlyArray<TransactionStep>, options?: TransactionOptions): Effect.Effect<unknown, DbError> {
    const sent = runTransaction(steps, options?.idempotencyKey, (query, failed) =>
      this.operations.run(
        (client, connection) =>
          Effect.tapError(ask(query(client), connection.transport, this.operations.now), (error) =>
            Effect.sync(() => failed(error))
          ),
        { mode: "write", idempotent: true }
      )
    )
    return ofTransaction(steps.length, sent)
  }

  private dataOf(f: AnyQuery, maxAffected?: number): Body<unknown, unknown, unknown> {
    const { now } = this.operations
    return (client, connection) => {
      const query = f(client)
      if (!Effect.isEffect(query)) {
        return askFor(query, connection.transport, now, ({ data }) => data, maxAffected)
      }
      const refused = maxAffected === undefined ? undefined : limitTo(query, maxAffected)
      return refused === undefined ? query : Effect.fail(refused)
    }
  }
}
