/** A change that counts from what a column has. */
import type { BigDecimal } from "effect"
import type { Covariant } from "./covariant.js"
import type { Ref } from "./reference.js"

const IncrementTypeId: unique symbol = Symbol.for("effect-supabase-pool/Transaction/Increment")

/**
 * A change of a column that counts from what the column has when it is changed: `stock = stock - 2`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Increment<out A> {
  readonly [IncrementTypeId]: Covariant<A>
}

/**
 * What can be counted.
 *
 * @since 0.1.0
 * @category models
 */
export type Countable = number | bigint | BigDecimal.BigDecimal

export class Counted implements Increment<never> {
  readonly [IncrementTypeId]: Covariant<never> = (never) => never
  readonly by: "add" | "subtract"
  readonly amount: unknown

  constructor(by: "add" | "subtract", amount: unknown) {
    this.by = by
    this.amount = amount
  }
}

/** Literals and brands are counted as what they are made of. */
export type Widened<A> = A extends number ? number : A extends bigint ? bigint : A

/**
 * The column's own value and so much. A column without a value stays without.
 *
 * @example
 * import { Db, Transaction } from "effect-supabase-pool"
 * import { Schema } from "effect"
 *
 * const counters = Db.table("counters", Schema.Struct({ id: Schema.String, hits: Schema.Int }))
 *
 * export const hit = (id: string) => Db.transaction([counters.updateStep(id, { hits: Transaction.increment(1) })])
 *
 * @since 0.1.0
 * @category changes
 */
export const increment = <A extends Countable>(amount: A | Ref<A>): Increment<Widened<A>> => new Counted("add", amount)

/**
 * The column's own value less so much. What a `check` of the table forbids fails the transaction; say before what you
 * `expect`, to hear of it by name.
 *
 * @example
 * import { Db, Transaction } from "effect-supabase-pool"
 * import { Schema } from "effect"
 *
 * const products = Db.table("products", Schema.Struct({ id: Schema.String, stock: Schema.Int }))
 *
 * export const take = (id: string, n: number) =>
 *   Db.transaction([
 *     products.updateStep(id, { stock: Transaction.decrement(n) }, { expect: { stock: Transaction.atLeast(n) } })
 *   ])
 *
 * @since 0.1.0
 * @category changes
 */
export const decrement = <A extends Countable>(amount: A | Ref<A>): Increment<Widened<A>> =>
  new Counted("subtract", amount)
