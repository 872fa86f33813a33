/**
 * Several steps, all or none, and once.
 *
 * PostgREST has no transaction over several requests, so a transaction is one: each step is run against a client that
 * only records, the recorded requests become plain values, and one SQL function executes them in order. It runs with the
 * rights of whoever calls. What a step cannot express there (embedding, casts, CSV, counts) is refused by name before
 * anything is sent.
 *
 * Exactly once: every transaction carries a key, and the same SQL transaction records the key and its result. A second
 * arrival with the key gives the first one's result and executes nothing, so that a transaction may be retried after any
 * failure, also when its answer was lost. Records are kept for a day, results in them up to 32 KiB. What only reads leaves
 * no record.
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"
import type { DbError } from "./Errors.js"
import { Db } from "./internal/database.js"
import type { TransactionOptions } from "./internal/transaction/options.js"
import * as Reference from "./internal/transaction/reference.js"

export type { TransactionOptions }

/**
 * A column of the first row of an earlier step, wherever a value is expected: in a row, in changes, in a filter.
 *
 * The step counts from 0. It need not select the column. It must come before, and not be a function call.
 *
 * @example
 * import { Db, Transaction } from "effect-supabase-pool"
 *
 * export const open = (email: string, shop: string) =>
 *   Db.transaction([
 *     (client) => client.from("users").insert({ email, name: email, role: "seller" }),
 *     (client) => client.from("shops").insert({ owner_id: Transaction.ref(0, "id"), name: shop }).select().single()
 *   ])
 *
 * @since 0.1.0
 * @category constructors
 */
export const ref: (step: number, column: string) => string = Reference.make

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
export const settle = (idempotencyKey: string): Effect.Effect<boolean, DbError, Db> =>
  Effect.flatMap(Db, (db) =>
    db.write((client) => client.rpc("supabase_pool_transaction_settle", { idempotency_key: idempotencyKey }), {
      idempotent: true
    })
  ).pipe(
    Effect.flatMap(Schema.decodeUnknown(Settled)),
    Effect.map(({ executed }) => executed),
    Effect.catchTag("ParseError", Effect.die)
  )
