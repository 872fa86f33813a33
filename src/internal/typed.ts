import type { SupabaseClient } from "@supabase/supabase-js"
import type { Effect } from "effect"
import type { DbError } from "../Errors.js"
import * as Accessors from "./accessors.js"
import type { Outcome, Response } from "./answer.js"
import type * as Database from "./database.js"
import type { TransactionOptions } from "./transaction/options.js"

/**
 * The client under the types of a schema. As with `createClient<Database>`, that the database has this schema is the
 * caller's word: nothing at run time can check it.
 */
function narrow<D>(client: SupabaseClient): SupabaseClient<D>
function narrow(client: SupabaseClient): SupabaseClient {
  return client
}

type Of<D, Q> = (client: SupabaseClient<D>) => Q

type StepsOf<D> = ReadonlyArray<Of<D, PromiseLike<Outcome>>>

type ResultsOf<Steps extends ReadonlyArray<(client: never) => unknown>> = {
  readonly [K in keyof Steps]: Database.Result<ReturnType<Steps[K]>>
}

/**
 * The accessors of `Db`, with a client that knows the tables, columns and functions of `D`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Typed<D> {
  read<Q extends Database.Query>(
    f: Of<D, Q>
  ): Effect.Effect<Database.Result<Q>, Database.Failure<Q>, Database.Needs<Q> | Database.ReadDb>
  read<Q extends Database.Query>(
    f: Of<D, Q>,
    options: Database.ReadOptions
  ): Effect.Effect<Database.Result<Q>, Database.Failure<Q>, Database.Needs<Q> | Database.Db>
  write<Q extends Database.Query>(
    f: Of<D, Q>,
    options?: Database.WriteOptions
  ): Effect.Effect<Database.Result<Q>, Database.Failure<Q>, Database.Needs<Q> | Database.Db>
  response<Q extends PromiseLike<Response>>(f: Of<D, Q>): Effect.Effect<Database.Success<Q>, DbError, Database.ReadDb>
  response<Q extends PromiseLike<Response>>(
    f: Of<D, Q>,
    options: Database.ResponseOptions
  ): Effect.Effect<Database.Success<Q>, DbError, Database.Db>
  transaction<const Steps extends StepsOf<D>>(
    steps: Steps,
    options?: TransactionOptions
  ): Effect.Effect<ResultsOf<Steps>, DbError, Database.Db>
}

class TypedAccessors<D> implements Typed<D> {
  read<Q extends Database.Query>(
    f: Of<D, Q>
  ): Effect.Effect<Database.Result<Q>, Database.Failure<Q>, Database.Needs<Q> | Database.ReadDb>
  read<Q extends Database.Query>(
    f: Of<D, Q>,
    options: Database.ReadOptions
  ): Effect.Effect<Database.Result<Q>, Database.Failure<Q>, Database.Needs<Q> | Database.Db>
  read(f: Of<D, Database.Query>, options?: Database.ReadOptions): Effect.Effect<unknown, unknown, unknown> {
    const untyped = (client: SupabaseClient): Database.Query => f(narrow<D>(client))
    // To the language service `unknown` has no room for a known error.
    // @effect-diagnostics-next-line missingEffectError:off
    return options === undefined ? Accessors.read(untyped) : Accessors.read(untyped, options)
  }

  write<Q extends Database.Query>(
    f: Of<D, Q>,
    options?: Database.WriteOptions
  ): Effect.Effect<Database.Result<Q>, Database.Failure<Q>, Database.Needs<Q> | Database.Db>
  write(f: Of<D, Database.Query>, options?: Database.WriteOptions): Effect.Effect<unknown, unknown, unknown> {
    return Accessors.write((client) => f(narrow<D>(client)), options)
  }

  response<Q extends PromiseLike<Response>>(f: Of<D, Q>): Effect.Effect<Database.Success<Q>, DbError, Database.ReadDb>
  response<Q extends PromiseLike<Response>>(
    f: Of<D, Q>,
    options: Database.ResponseOptions
  ): Effect.Effect<Database.Success<Q>, DbError, Database.Db>
  response(
    f: Of<D, PromiseLike<Response>>,
    options?: Database.ResponseOptions
  ): Effect.Effect<unknown, unknown, unknown> {
    const untyped = (client: SupabaseClient): PromiseLike<Response> => f(narrow<D>(client))
    return options === undefined ? Accessors.response(untyped) : Accessors.response(untyped, options)
  }

  transaction<const Steps extends StepsOf<D>>(
    steps: Steps,
    options?: TransactionOptions
  ): Effect.Effect<ResultsOf<Steps>, DbError, Database.Db>
  transaction(steps: StepsOf<D>, options?: TransactionOptions): Effect.Effect<unknown, DbError, Database.Db> {
    return Accessors.transaction(
      steps.map((step) => (client: SupabaseClient) => step(narrow<D>(client))),
      options
    )
  }
}

/**
 * The accessors of `Db` for the `Database` type that `supabase gen types` writes: tables, columns, functions and rows
 * are checked by the compiler, and rows come back as the builder infers them.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 *
 * interface Database {
 *   public: {
 *     Tables: {
 *       products: {
 *         Row: { id: string; title: string; price: number }
 *         Insert: { id?: string; title: string; price: number }
 *         Update: { id?: string; title?: string; price?: number }
 *         Relationships: []
 *       }
 *     }
 *     Views: Record<never, never>
 *     Functions: Record<never, never>
 *   }
 * }
 *
 * const db = Db.typed<Database>()
 *
 * // Effect<ReadonlyArray<{ title: string }>, DbError, ReadDb>
 * export const titles = db.read((client) => client.from("products").select("title"))
 *
 * @since 0.1.0
 * @category constructors
 */
export const typed = <D>(): Typed<D> => new TypedAccessors<D>()
