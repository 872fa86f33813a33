/**
 * Several steps: all or none, and exactly once.
 *
 * PostgREST has no transaction over several requests, so a transaction is one: each step is run against a client that
 * only records, the recorded requests become plain values, and one SQL function executes them in order. It runs with the
 * caller's rights. Features that a step cannot have (embedding, CSV, counts) are refused by name before anything is sent.
 *
 * A step is a function of a client, or a table's (`products.updateStep(…)`): then its rows are decoded, and it may state
 * what it expects of the row that it changes, and increment its values.
 *
 * Exactly once: every transaction carries a key, and the same SQL transaction records the key and its result. A second
 * arrival with the key gives the first one's result and executes nothing, so that a transaction may be retried after any
 * failure, even when its answer was lost. Records are kept for a day, results in them up to 32 KiB. A transaction that only
 * reads leaves no record.
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"
import { Db } from "./internal/db/database.js"
import type { RequestError } from "./internal/db/operationErrors.js"
import type { TransactionOptions } from "./internal/transaction/options.js"
import { refer } from "./internal/transaction/refer.js"

export { atLeast, atMost, type Guard, lessThan, moreThan, not, oneOf } from "./internal/transaction/guards.js"
export { type Countable, decrement, type Increment, increment } from "./internal/transaction/increment.js"
export type { Step } from "./internal/transaction/planned.js"
export type { Ref } from "./internal/transaction/reference.js"
export type { TransactionOptions }

/**
 * A column of the first row of an earlier step, wherever a value can be: in a row, in changes, in a filter, in `expect`.
 *
 * Pass a table's step itself, with the column's name in the schema. Pass any other step by its number from 0, with the
 * column's name in the database: it has the type that is expected where it stands (`ref<number>(0, "id")` gives the type where
 * nothing else does). The step need not select the column. It must come earlier, and must not be a function call.
 *
 * @example
 * import { Db, Transaction } from "effect-supabase-pool"
 * import { Schema } from "effect"
 *
 * const users = Db.table("users", Schema.Struct({ id: Schema.UUID, email: Schema.String }), { generated: ["id"] })
 *
 * export const open = (email: string, shop: string) => {
 *   const owner = users.createStep({ email })
 *   return Db.transaction([
 *     owner,
 *     (client) => client.from("shops").insert({ owner_id: Transaction.ref(owner, "id"), name: shop }).select().single(),
 *     (client) => client.from("profiles").insert({ user_id: Transaction.ref(0, "id"), bio: "" })
 *   ])
 * }
 *
 * @since 0.1.0
 * @category constructors
 */
export const ref: typeof refer = refer

const Settled = Schema.Struct({ executed: Schema.Boolean })

/**
 * The outcome of a transaction whose answer was lost: `true` if it was executed. The answer is final: it waits for a
 * transaction in progress, and one that has not been executed by now never will be, since its key is taken.
 *
 * Fails with a `QueryError` of code `42501` if the token names no user, and `54000` if that user has settled 100 unused keys
 * within a day (`supabase_pool.max_settled()`).
 *
 * @example
 * import { Transaction } from "effect-supabase-pool"
 *
 * export const wasPaid = Transaction.settle("order-4711")
 *
 * @since 0.1.0
 * @category accessors
 */
export const settle = (idempotencyKey: string): Effect.Effect<boolean, RequestError, Db> =>
  Effect.flatMap(Db, (db) =>
    db.rpc("supabase_pool_transaction_settle", { idempotency_key: idempotencyKey }, { idempotent: true })
  ).pipe(
    Effect.flatMap(Schema.decodeUnknown(Settled)),
    Effect.map(({ executed }) => executed),
    Effect.catchTag("ParseError", Effect.die)
  )
