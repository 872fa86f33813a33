/**
 * Several steps, all or none, and once.
 *
 * PostgREST has no transaction over several requests, so a transaction is one: each step is run against a client that
 * only records, the recorded requests become plain values, and one SQL function executes them in order. It runs with the
 * rights of whoever calls. What a step cannot express there (embedding, CSV, counts) is refused by name before anything
 * is sent.
 *
 * A step is a function of a client, or a table's (`products.updateStep(…)`): then its rows are decoded, and it may say
 * what it expects of the row that it changes, and count from what is there.
 *
 * Exactly once: every transaction carries a key, and the same SQL transaction records the key and its result. A second
 * arrival with the key gives the first one's result and executes nothing, so that a transaction may be retried after any
 * failure, also when its answer was lost. Records are kept for a day, results in them up to 32 KiB. What only reads leaves
 * no record.
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"
import { Db } from "./internal/db/database.js"
import type { RequestError } from "./internal/db/operationErrors.js"
import type { TransactionOptions } from "./internal/transaction/options.js"
import { PlannedStep, type Step } from "./internal/transaction/planned.js"
import * as Reference from "./internal/transaction/reference.js"

export { atLeast, atMost, type Guard, lessThan, moreThan, not, oneOf } from "./internal/transaction/guards.js"
export { type Countable, decrement, type Increment, increment } from "./internal/transaction/increment.js"
export type { Step } from "./internal/transaction/planned.js"
export type { Ref } from "./internal/transaction/reference.js"
export type { TransactionOptions }

/**
 * A column of the first row of an earlier step, wherever a value is expected: in a row, in changes, in a filter, in what is
 * expected.
 *
 * A table's step is named by itself, and its column by the schema's name. Any other counts from 0, and its column is the
 * database's; it has the type that is expected where it stands (`ref<number>(0, "id")` says it where nothing does). The step
 * need not select the column. It must come before, and not be a function call.
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
export function ref<Row, K extends keyof Row & string>(step: Step<unknown, Row>, column: K): Reference.Ref<Row[K]>
export function ref<A = string>(step: number, column: string): A
export function ref(step: number | Step<unknown>, column: string): unknown {
  if (typeof step === "number") return Reference.make(step, column)
  if (step instanceof PlannedStep) return new Reference.Reference(step.number, step.column(column))
  throw new TypeError("Transaction.ref: the step is neither a number nor a table's step.")
}

const Settled = Schema.Struct({ executed: Schema.Boolean })

/**
 * What became of a transaction whose answer was lost: `true` when it was executed. The answer is final: one that has
 * not been executed by now never will be, for its key is taken; one that is under way is waited for.
 *
 * Fails with a `QueryError` of code `42501` where the token names no user, and `54000` where that user has settled 100
 * unused keys within a day (`supabase_pool.max_settled()`).
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
