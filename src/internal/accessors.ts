/** What people call: `Db.read` and its like, on whichever of the two tags allows it. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Option, Redacted, Stream } from "effect"
import type { DbError } from "../Errors.js"
import type { Response } from "./answer.js"
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
import { accessToken, asMade } from "./identity.js"
import type { TransactionOptions } from "./transaction/options.js"

/**
 * Reads, on a read connection with the anon key.
 *
 * `f` returns a supabase-js builder, and the result is its rows, typed as the builder types them; or an Effect, for
 * several requests on one connection. Sends GET and HEAD only: anything else fails with `ReadOnlyConnection` before it
 * is sent. Retried as the table in `Retry` allows. `{ as: "service" }` sends with the service-role key and needs `Db`.
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
  f: (client: SupabaseClient) => Q
): Effect.Effect<Result<Q>, Failure<Q>, Needs<Q> | ReadDb>
export function read<Q extends Query>(
  f: (client: SupabaseClient) => Q,
  options: ReadOptions
): Effect.Effect<Result<Q>, Failure<Q>, Needs<Q> | Db>
export function read<Q extends Query>(
  f: (client: SupabaseClient) => Q,
  options?: ReadOptions
): Effect.Effect<Result<Q>, Failure<Q>, Needs<Q> | ReadDb | Db> {
  const asked =
    options === undefined ? Effect.flatMap(ReadDb, (db) => db.read(f)) : Effect.flatMap(Db, (db) => db.read(f, options))
  // The language service does not compare conditional types; the compiler, which does, is content.
  // @effect-diagnostics-next-line missingEffectContext:off missingEffectError:off
  return asMade<Result<Q>, Failure<Q>, Needs<Q> | ReadDb | Db>(asked)
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
): Effect.Effect<Result<Q>, Failure<Q>, Needs<Q> | Db> => asMade(Effect.flatMap(Db, (db) => db.write(f, options)))

/**
 * What a function gives, as far as an untyped client knows it.
 *
 * @since 0.1.0
 * @category models
 */
export type RpcData = Result<ReturnType<SupabaseClient["rpc"]>>

/**
 * Calls a function of the database: by POST on a write connection or, with `{ get: true }`, by GET on a read connection.
 * An argument that is `undefined` is left out, as supabase-js does: the function's default is taken.
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
): Effect.Effect<RpcData, DbError, ReadDb>
export function rpc(
  name: string,
  args?: Record<string, unknown>,
  options?: RpcOptions
): Effect.Effect<RpcData, DbError, Db>
export function rpc(
  name: string,
  args: Record<string, unknown> = {},
  options: RpcOptions = {}
): Effect.Effect<RpcData, DbError, ReadDb | Db> {
  return options.get === true
    ? read((client) => client.rpc(name, args, { get: true }))
    : write((client) => client.rpc(name, args), options)
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
): Effect.Effect<TransactionResults<Steps>, DbError, Db> =>
  asMade(Effect.flatMap(Db, (db) => db.transaction(steps, options)))

/**
 * As `read` (or, with `{ pool: "write" }`, `write`), but gives supabase-js's whole response: count and status too.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * export const howMany = Effect.map(
 *   Db.response((client) => client.from("products").select("*", { count: "exact", head: true })),
 *   ({ count }) => count ?? 0
 * )
 *
 * @since 0.1.0
 * @category accessors
 */
export function response<Q extends PromiseLike<Response>>(
  f: (client: SupabaseClient) => Q
): Effect.Effect<Success<Q>, DbError, ReadDb>
export function response<Q extends PromiseLike<Response>>(
  f: (client: SupabaseClient) => Q,
  options: ResponseOptions
): Effect.Effect<Success<Q>, DbError, Db>
export function response<Q extends PromiseLike<Response>>(
  f: (client: SupabaseClient) => Q,
  options?: ResponseOptions
): Effect.Effect<Success<Q>, DbError, ReadDb | Db> {
  return options === undefined
    ? asMade(Effect.flatMap(ReadDb, (db) => db.response(f)))
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
  const token = Option.some(typeof jwt === "string" ? Redacted.make(jwt) : jwt)
  function asUser<A extends Asked>(asked: A): A
  function asUser(asked: Asked): unknown {
    if (Effect.isEffect(asked)) return Effect.locally(asked, accessToken, token)
    // Each pull, so that the consumer between two of them is who it was.
    return Stream.unwrapScoped(
      Effect.map(Effect.locally(Stream.toPull(asked), accessToken, token), (pull) =>
        Stream.repeatEffectChunkOption(Effect.locally(pull, accessToken, token))
      )
    )
  }
  return asUser
}

type Asked = Effect.Effect<unknown, unknown, unknown> | Stream.Stream<unknown, unknown, unknown>

/**
 * What `withAccessToken` gives: for effects and for streams.
 *
 * @since 0.1.0
 * @category models
 */
export type AsUser = <A extends Asked>(asked: A) => A
