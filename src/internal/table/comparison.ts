/**
 * What a column may be held against, other than a value: what `Db.gte` and its like make.
 *
 * They are instances of a class and no plain objects, so that JSON from outside is never one: who passes on what a request
 * said compares with a value, or is refused.
 */

/** A pattern of `like`, which is a text but no value of the column. */
declare const isPattern: unique symbol

/**
 * What `Db.like` and `Db.ilike` hold.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pattern {
  readonly [isPattern]: true
}

/** Compares by size. */
export type Size = "gt" | "gte" | "lt" | "lte"

type Sets = "cs" | "cd" | "ov"

export type Term =
  | { readonly kind: "neq"; readonly value: unknown }
  | { readonly kind: "size"; readonly op: Size; readonly value: unknown }
  | { readonly kind: "like"; readonly op: "like" | "ilike"; readonly pattern: string }
  | { readonly kind: "set"; readonly op: Sets; readonly value: unknown; readonly json: boolean }
  | { readonly kind: "not"; readonly term: unknown }
  | { readonly kind: "and" | "or"; readonly terms: ReadonlyArray<Comparison<unknown>> }

/**
 * What a column has to be, for `where`. `A` is what it is compared with: the column's own values, as the schema decodes
 * them, are what it takes.
 *
 * @since 0.1.0
 * @category models
 */
export class Comparison<out A> {
  /** Nobody reads it; it is what makes a comparison of numbers none of dates. */
  declare readonly compared: A
  readonly term: Term

  constructor(term: Term) {
    this.term = term
  }
}

/**
 * A value, `null`, a list of values (`null` among them) of which one, or a comparison.
 *
 * @since 0.1.0
 * @category models
 */
export type Condition<A> =
  | A
  | null
  | ReadonlyArray<A | null>
  | Comparison<NonNullable<A> | ([NonNullable<A>] extends [string] ? Pattern : never)>

/** What a comparison is of, whichever of several. */
type Of<C> = C extends Comparison<infer A> ? A : never

/**
 * More than this.
 *
 * @since 0.1.0
 * @category comparisons
 */
export const gt = <const A>(value: A): Comparison<A> => new Comparison({ kind: "size", op: "gt", value })

/**
 * This or more. The value is the schema's own and is encoded by the column: a `BigDecimal`, a `Date`.
 *
 * @example
 * import { Db, Values } from "effect-supabase-pool"
 * import { Schema } from "effect"
 *
 * const Product = Schema.Struct({ id: Schema.UUID, price: Values.Numeric, created_at: Schema.Date })
 * const products = Db.table("products", Product)
 *
 * export const recent = products.list({ where: { created_at: Db.gte(new Date("2026-01-01")) }, orderBy: "price" })
 *
 * @since 0.1.0
 * @category comparisons
 */
export const gte = <const A>(value: A): Comparison<A> => new Comparison({ kind: "size", op: "gte", value })

/**
 * Less than this.
 *
 * @since 0.1.0
 * @category comparisons
 */
export const lt = <const A>(value: A): Comparison<A> => new Comparison({ kind: "size", op: "lt", value })

/**
 * This or less.
 *
 * @since 0.1.0
 * @category comparisons
 */
export const lte = <const A>(value: A): Comparison<A> => new Comparison({ kind: "size", op: "lte", value })

/**
 * From the first to the last, both included, as SQL's BETWEEN.
 *
 * @since 0.1.0
 * @category comparisons
 */
export const between = <const A, const B = A>(from: A, to: B): Comparison<A | B> => and(gte(from), lte(to))

/**
 * Another value than this, as SQL's `<>`: rows where the column is NULL are not found. `Db.not` finds them too.
 *
 * @since 0.1.0
 * @category comparisons
 */
export const neq = <const A>(value: A): Comparison<A> => new Comparison({ kind: "neq", value })

/**
 * A text that fits the pattern: `%` is any text, `_` any character, `\` takes the meaning from what follows it. `*` stands
 * for itself, unlike in a PostgREST filter.
 *
 * @since 0.1.0
 * @category comparisons
 */
export const like = (pattern: string): Comparison<Pattern> => new Comparison({ kind: "like", op: "like", pattern })

/**
 * As `like`, in any case.
 *
 * @since 0.1.0
 * @category comparisons
 */
export const ilike = (pattern: string): Comparison<Pattern> => new Comparison({ kind: "like", op: "ilike", pattern })

/**
 * @since 0.1.0
 * @category models
 */
export interface ContainmentOptions {
  /** The column is `json[b]`, also where its value is a list; of a list, a column of an array type is thought otherwise. */
  readonly json?: boolean | undefined
}

/**
 * A list that has each of these, an object that has these fields, or a range that has all of this one: PostgreSQL's `@>`.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 * import { Schema } from "effect"
 *
 * const notes = Db.table("notes", Schema.Struct({ id: Schema.UUID, tags: Schema.Array(Schema.String) }))
 *
 * // `tags` is `text[]`. Of a `jsonb`: Db.contains(["red"], { json: true }).
 * export const red = notes.list({ where: { tags: Db.contains(["red"]) } })
 *
 * @since 0.1.0
 * @category comparisons
 */
export const contains = <const A extends object>(value: A, options: ContainmentOptions = {}): Comparison<A> =>
  new Comparison({ kind: "set", op: "cs", value, json: options.json === true })

/**
 * A list that has none but these, an object that has no fields but these, or a range within this one: PostgreSQL's `<@`.
 *
 * @since 0.1.0
 * @category comparisons
 */
export const containedBy = <const A extends object>(value: A, options: ContainmentOptions = {}): Comparison<A> =>
  new Comparison({ kind: "set", op: "cd", value, json: options.json === true })

/**
 * A list that has one of these at least, or a range that has a value in common with this one: PostgreSQL's `&&`, for
 * columns of an array or range type.
 *
 * @example
 * import { Db, Values } from "effect-supabase-pool"
 * import { type DateTime, Schema } from "effect"
 *
 * const stays = Db.table("stays", Schema.Struct({ id: Schema.UUID, during: Values.Range(Values.Timestamptz) }))
 *
 * export const within = (lower: DateTime.Utc, upper: DateTime.Utc) =>
 *   stays.list({ where: { during: Db.overlaps({ lower, upper, bounds: "[)" }) } })
 *
 * @since 0.1.0
 * @category comparisons
 */
export const overlaps = <const A extends object>(value: A): Comparison<A> =>
  new Comparison({ kind: "set", op: "ov", value, json: false })

/**
 * Every row that the condition does not find, those where the column is NULL among them, unless it is `null` that is
 * ruled out: `Db.not(null)`, `Db.not("paid")`, `Db.not(["paid", null])`, `Db.not(Db.like("a%"))`.
 *
 * @since 0.1.0
 * @category comparisons
 */
export function not(condition: null): Comparison<never>
export function not<A>(condition: Comparison<A>): Comparison<A>
export function not<const A>(condition: ReadonlyArray<A | null>): Comparison<A>
export function not<const A>(condition: A): Comparison<A>
export function not(term: unknown): Comparison<unknown> {
  return new Comparison({ kind: "not", term })
}

/**
 * All of these, of one column.
 *
 * @since 0.1.0
 * @category comparisons
 */
export const and = <const C extends ReadonlyArray<Comparison<unknown>>>(...all: C): Comparison<Of<C[number]>> =>
  new Comparison({ kind: "and", terms: all })

/**
 * One of these at least, of one column: `Db.or(Db.lt(10), Db.gt(90))`.
 *
 * @since 0.1.0
 * @category comparisons
 */
export const or = <const C extends ReadonlyArray<Comparison<unknown>>>(...any: C): Comparison<Of<C[number]>> =>
  new Comparison({ kind: "or", terms: any })
