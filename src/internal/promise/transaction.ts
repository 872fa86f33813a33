/** What the steps of a transaction are made of, for callers without Effect. */
import * as Increment from "../transaction/increment.js"
import { refer } from "../transaction/refer.js"
import type { Ref } from "../transaction/reference.js"
import type { Countable } from "./steps.js"

export { atLeast, atMost, type Guard, lessThan, moreThan, not, oneOf } from "../transaction/guards.js"
export type { Increment } from "../transaction/increment.js"
export type { TransactionOptions } from "../transaction/options.js"
export type { Step } from "../transaction/planned.js"
export type { Ref } from "../transaction/reference.js"
export type { Countable } from "./steps.js"

/**
 * A column of the first row of an earlier step, wherever a value is expected: in a row, in changes, in a filter, in what is
 * expected.
 *
 * A table's step is named by itself; any other counts from 0. The step need not select the column. It must come before, and
 * not be a function call.
 *
 * @example
 * import { db, table, Transaction } from "effect-supabase-pool/promise"
 *
 * export const open = async (email: string, name: string) => {
 *   const owner = table("users").createStep({ email, name })
 *   return await db.transaction([
 *     owner,
 *     (client) => client.from("profiles").insert({ user_id: Transaction.ref(0, "id"), bio: "" }),
 *     table("shops").createStep({ owner_id: Transaction.ref(owner, "id"), name })
 *   ])
 * }
 *
 * @since 0.1.0
 * @category constructors
 */
export const ref: typeof refer = refer

/** Counts from what the column has. */
type Count = <A extends Countable>(amount: A | Ref<A>) => Increment.Increment<Increment.Widened<A>>

/**
 * The column's own value and so much. A column without a value stays without.
 *
 * @example
 * import { db, table, Transaction } from "effect-supabase-pool/promise"
 *
 * export const hit = (id: string) => db.transaction([table("counters").updateStep(id, { hits: Transaction.increment(1) })])
 *
 * @since 0.1.0
 * @category changes
 */
export const increment: Count = Increment.increment

/**
 * The column's own value less so much. What a `check` of the table forbids fails the transaction; say before what you
 * `expect`, to hear of it by name.
 *
 * @example
 * import { db, table, Transaction } from "effect-supabase-pool/promise"
 *
 * export const take = (id: string, n: number) =>
 *   db.transaction([
 *     table("products").updateStep(
 *       id,
 *       { stock: Transaction.decrement(n) },
 *       { expect: { stock: Transaction.atLeast(n) } }
 *     )
 *   ])
 *
 * @since 0.1.0
 * @category changes
 */
export const decrement: Count = Increment.decrement
