/** What people call: `Db.read` and its like, on whichever of the two tags allows it. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Option, type Redacted, type Schema } from "effect"
import type { DecodeError } from "../../Errors.js"
import type { TransactionOptions } from "../transaction/options.js"
import { isReading, type OperationOptions } from "./access.js"
import { type AsUser, asUserBy, redacted } from "./asUser.js"
import {
  type AnyStep,
  Db,
  type Failure,
  type Needs,
  type Query,
  ReadDb,
  type ReadOptions,
  type ResponseOptions,
  type Result,
  type RpcOptions,
  type Success,
  type TransactionResults,
  type WriteOptions
} from "./database.js"
import { decodedBy, exactFor } from "./decoded.js"
import { accessToken, asMade } from "./identity.js"
import type { ReadError, RequestError, RowsError, TransactionError, WriteError } from "./operationErrors.js"
import type { PostgrestResult } from "./postgrestResult.js"

/**
 * Reads, on a read connection with the anon key.
 *
 * `f` returns a supabase-js builder, and the result is its rows, typed as the builder types them; or an Effect, for
 * several requests on one connection. Sends GET and HEAD only: anything else fails with `ReadOnlyConnection` before it
 * is sent. Retried as the table in `Retry` allows, and as `retry` says. `{ as: "service" }` sends with the service-role key
 * and needs `Db`.
 *
 * What the server gives is what you get: it gives no more rows at a time than its max rows (1000 on Supabase), and a warning in the
 * log says where that may have cut an answer. `Db.stream` and `Db.table` give all rows.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 *
 * export const cheap = Db.read((client) => client.from("products").select("id, title, price").lt("price", 20).limit(10))
 *
 * @since 0.1.0
 * @category accessors
 */
export function read<Q extends Query>(
  f: (client: SupabaseClient) => Q,
  options?: OperationOptions
): Effect.Effect<Result<Q>, Failure<Q, ReadError>, Needs<Q> | ReadDb>
export function read<Q extends Query>(
  f: (client: SupabaseClient) => Q,
  options: ReadOptions
): Effect.Effect<Result<Q>, Failure<Q, ReadError>, Needs<Q> | Db>
export function read(
  f: (client: SupabaseClient) => Query,
  options?: OperationOptions | ReadOptions
): Effect.Effect<unknown, unknown, unknown> {
  // The language service takes `unknown` for a service that is missing; what is needed is in the types above.
  // @effect-diagnostics-next-line missingEffectContext:off missingEffectError:off
  return asMade(
    options?.as === "service"
      ? Effect.flatMap(Db, (db): Effect.Effect<unknown, unknown, unknown> => db.read(f, options))
      : Effect.flatMap(ReadDb, (db): Effect.Effect<unknown, unknown, unknown> => db.read(f, options))
  )
}

/**
 * As `read`, with the rows as the schema decodes them: where no `Database` type says what they are.
 *
 * A row that does not decode is a `DecodeError`, and the connection is back in the pool before it is looked at.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 * import { Schema } from "effect"
 *
 * const Titles = Schema.Array(Schema.Struct({ title: Schema.String, at: Schema.Date }))
 *
 * // Effect<ReadonlyArray<{ readonly title: string; readonly at: Date }>, …>
 * export const titles = Db.readAs(Titles, (client) => client.from("products").select("title, at:created_at").limit(10))
 *
 * @since 0.1.0
 * @category accessors
 */
export function readAs<A, I>(
  schema: Schema.Schema<A, I>,
  f: (client: SupabaseClient) => PromiseLike<PostgrestResult>,
  options?: OperationOptions
): Effect.Effect<A, ReadError | DecodeError, ReadDb>
export function readAs<A, I>(
  schema: Schema.Schema<A, I>,
  f: (client: SupabaseClient) => PromiseLike<PostgrestResult>,
  options: ReadOptions
): Effect.Effect<A, ReadError | DecodeError, Db>
export function readAs<A, I>(
  schema: Schema.Schema<A, I>,
  f: (client: SupabaseClient) => PromiseLike<PostgrestResult>,
  options?: OperationOptions | ReadOptions
): Effect.Effect<A, ReadError | DecodeError, ReadDb | Db> {
  return options?.as === "service"
    ? asMade(Effect.flatMap(Db, (db) => db.readAs(schema, f, options)))
    : asMade(Effect.flatMap(ReadDb, (db) => db.readAs(schema, f, options)))
}

/**
 * Writes (and reads back, with `.select()`), on a write connection with the service-role key.
 *
 * Retried only while that cannot execute it twice; `{ idempotent: true }` says that executing it twice does no harm.
 * An error whose `mayHaveExecuted` is true leaves open whether it was executed.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 *
 * export const rename = (id: string, title: string) =>
 *   Db.write((client) => client.from("products").update({ title }).eq("id", id).select("id, title").single(), {
 *     idempotent: true
 *   })
 *
 * @since 0.1.0
 * @category accessors
 */
export const write = <Q extends Query>(
  f: (client: SupabaseClient) => Q,
  options?: WriteOptions
): Effect.Effect<Result<Q>, Failure<Q, WriteError>, Needs<Q> | Db> =>
  asMade(Effect.flatMap(Db, (db) => db.write(f, options)))

/**
 * As `write`, with what comes back as the schema decodes it. A `DecodeError` of stage `write` was executed all the same.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 * import { Schema } from "effect"
 *
 * const Created = Schema.Struct({ id: Schema.UUID })
 *
 * export const addShop = (name: string, owner_id: string) =>
 *   Db.writeAs(Created, (client) => client.from("shops").insert({ name, owner_id }).select("id").single())
 *
 * @since 0.1.0
 * @category accessors
 */
export const writeAs = <A, I>(
  schema: Schema.Schema<A, I>,
  f: (client: SupabaseClient) => PromiseLike<PostgrestResult>,
  options?: WriteOptions
): Effect.Effect<A, WriteError | DecodeError, Db> => asMade(Effect.flatMap(Db, (db) => db.writeAs(schema, f, options)))

/**
 * What a function gives, as far as an untyped client knows it: `rpcAs` decodes it, and `Db.typed` knows more.
 *
 * @since 0.1.0
 * @category models
 */
export type RpcData = unknown

/**
 * Calls a function of the database: by POST on a write connection or, with `{ get: true }`, by GET on a read connection.
 * An argument that is `undefined` is left out, as supabase-js does: the function's default is taken.
 *
 * A set is whole, although the server gives no more rows at a time than its max rows (1000 on Supabase). By GET the rest is asked
 * for, in the order that the function gives its rows in, which has to be the same each time. By POST it is called once, since it
 * may write, and PostgREST counts what it gave (`Prefer: count=exact`): a set that was cut fails with `QueryError`, code `RESULT_CUT`, and
 * was executed. It is no warning, since who reads the result would take it for all there is. `limit` and `offset` ask for
 * a part: then nothing is counted.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 *
 * export const sales = Db.rpc("analytics_sales", {}, { get: true })
 *
 * @since 0.1.0
 * @category accessors
 */
export function rpc(
  name: string,
  args: Record<string, unknown> | undefined,
  options: RpcOptions & { readonly get: true }
): Effect.Effect<RpcData, RequestError, ReadDb>
export function rpc(
  name: string,
  args?: Record<string, unknown>,
  options?: RpcOptions
): Effect.Effect<RpcData, RequestError, Db>
export function rpc(
  name: string,
  args?: Record<string, unknown>,
  options?: RpcOptions
): Effect.Effect<RpcData, RequestError, ReadDb | Db> {
  return options?.get === true
    ? asMade(
        Effect.flatMap(ReadDb, (db) => {
          const { exact, limit, offset, retry } = options
          return db.rpc(name, args, { get: true, exact, limit, offset, retry })
        })
      )
    : asMade(Effect.flatMap(Db, (db) => db.rpc(name, args, options)))
}

/**
 * As `rpc`, with what the function gives as the schema decodes it.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 * import { Schema } from "effect"
 *
 * const Sales = Schema.Array(Schema.Struct({ day: Schema.String, orders: Schema.Number }))
 *
 * export const sales = Db.rpcAs(Sales, "analytics_sales", {}, { get: true })
 *
 * @since 0.1.0
 * @category accessors
 */
export function rpcAs<A, I>(
  schema: Schema.Schema<A, I>,
  name: string,
  args: Record<string, unknown> | undefined,
  options: RpcOptions & { readonly get: true }
): Effect.Effect<A, RowsError, ReadDb>
export function rpcAs<A, I>(
  schema: Schema.Schema<A, I>,
  name: string,
  args?: Record<string, unknown>,
  options?: RpcOptions
): Effect.Effect<A, RowsError, Db>
export function rpcAs<A, I>(
  schema: Schema.Schema<A, I>,
  name: string,
  args?: Record<string, unknown>,
  options?: RpcOptions
): Effect.Effect<A, RowsError, ReadDb | Db> {
  return Effect.flatMap(
    rpc(name, args, exactFor(schema, options) ?? {}),
    decodedBy(schema, options?.get === true ? "read" : "write", () => name)
  )
}

/**
 * Several steps, all or none, executed once however often they arrive: what each gives, in order. A step is a function of
 * a client, or a table's, whose rows are decoded.
 *
 * Fails with `RowNotFound`, `GuardFailed` (a row is not as a step expects) or `TransactionFailed`, which name the step;
 * nothing of it is kept then. A `DecodeError` at stage `write` comes after it: the transaction is committed. Retried after any transient failure,
 * since its key makes that safe. An error whose `mayHaveExecuted` is true means that no answer came: send it again under
 * the same `idempotencyKey`, or ask `Transaction.settle`. But where the code is `RESULT_GONE` it was executed: only what it
 * gave, more than 32 KiB, was not kept. A step gives back 1,000 rows at most. No steps give no results and send nothing.
 *
 * @example
 * import { Db, Transaction } from "effect-supabase-pool"
 * import { Schema } from "effect"
 *
 * const products = Db.table("products", Schema.Struct({ id: Schema.UUID, stock: Schema.Int }))
 *
 * export const buy = (order: { buyer_id: string; product_id: string; quantity: number; total: number }) =>
 *   Db.transaction([
 *     (client) => client.from("orders").insert(order).select().single(),
 *     products.updateStep(
 *       order.product_id,
 *       { stock: Transaction.decrement(order.quantity) },
 *       { expect: { stock: Transaction.atLeast(order.quantity) } }
 *     )
 *   ])
 *
 * @since 0.1.0
 * @category accessors
 */
export const transaction = <const Steps extends ReadonlyArray<AnyStep>>(
  steps: Steps,
  options?: TransactionOptions
): Effect.Effect<TransactionResults<Steps>, TransactionError, Db> =>
  asMade(Effect.flatMap(Db, (db) => db.transaction(steps, options)))

/**
 * As `read` (or, with `{ pool: "write" }`, `write`), but gives supabase-js's whole response: count and status too. A read that was
 * to be counted and whose answer has what is no number fails with `QueryError`, code `NO_COUNT`; without `count`, and where the answer
 * says nothing, it is null.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * export const howMany = Effect.map(
 *   Db.response((client) => client.from("products").select("*", { count: "exact", head: true })),
 *   ({ count }) => count
 * )
 *
 * @since 0.1.0
 * @category accessors
 */
export function response<Q extends PromiseLike<PostgrestResult>>(
  f: (client: SupabaseClient) => Q,
  options?: OperationOptions
): Effect.Effect<Success<Q>, ReadError, ReadDb>
export function response<Q extends PromiseLike<PostgrestResult>>(
  f: (client: SupabaseClient) => Q,
  options: ResponseOptions
): Effect.Effect<Success<Q>, ReadError, Db>
export function response<Q extends PromiseLike<PostgrestResult>>(
  f: (client: SupabaseClient) => Q,
  options?: OperationOptions | ResponseOptions
): Effect.Effect<Success<Q>, ReadError, ReadDb | Db> {
  return isReading(options)
    ? asMade(Effect.flatMap(ReadDb, (db) => db.response(f, options)))
    : asMade(Effect.flatMap(Db, (db) => db.response(f, options)))
}

/**
 * Runs every request inside as the user whose access token this is, so that row level security sees that user. The
 * sockets are the pools' own; the token goes with each request and stays on no connection. A stream keeps the user, too; what
 * is made inside (an operation, a table's, a stream) and runs outside has that user's rights, and never more.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 *
 * export const myOrders = (jwt: string) => Db.read((client) => client.from("orders").select("*")).pipe(Db.withAccessToken(jwt))
 *
 * @since 0.1.0
 * @category combinators
 */
export const withAccessToken = (jwt: string | Redacted.Redacted): AsUser => {
  const token = Option.some(redacted(jwt))
  return asUserBy((effect) => Effect.locally(effect, accessToken, token))
}
