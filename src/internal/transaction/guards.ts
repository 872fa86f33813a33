/** What has to hold of a row for the transaction to go on. */
import { Effect } from "effect"
import type { DecodeError } from "../../Errors.js"
import type { Scalar } from "../table/literal.js"
import type { Covariant } from "./covariant.js"
import * as Reference from "./reference.js"
import type { Filter, Value } from "./step.js"

const GuardTypeId: unique symbol = Symbol.for("effect-supabase-pool/Transaction/Guard")

/**
 * What has to hold of a column: `atLeast(2)`. A column without a value holds to none but `not`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Guard<out A> {
  readonly [GuardTypeId]: Covariant<A>
}

type Comparison = "eq" | "gte" | "lte" | "gt" | "lt" | "isdistinct" | "in"

const words: Readonly<Record<Comparison, string>> = {
  eq: "",
  gte: "at least",
  lte: "at most",
  gt: "more than",
  lt: "less than",
  isdistinct: "not",
  in: "one of"
}

class Compared<A> implements Guard<A> {
  readonly [GuardTypeId]: Covariant<A> = (never) => never
  readonly op: Comparison
  readonly operands: ReadonlyArray<unknown>

  constructor(op: Comparison, operands: ReadonlyArray<unknown>) {
    this.op = op
    this.operands = operands
  }
}

/**
 * @since 0.1.0
 * @category guards
 */
export const atLeast = <A>(value: A | Reference.Ref<A>): Guard<A> => new Compared("gte", [value])

/**
 * @since 0.1.0
 * @category guards
 */
export const atMost = <A>(value: A | Reference.Ref<A>): Guard<A> => new Compared("lte", [value])

/**
 * @since 0.1.0
 * @category guards
 */
export const moreThan = <A>(value: A | Reference.Ref<A>): Guard<A> => new Compared("gt", [value])

/**
 * @since 0.1.0
 * @category guards
 */
export const lessThan = <A>(value: A | Reference.Ref<A>): Guard<A> => new Compared("lt", [value])

/**
 * Any value but this, also none: `not(null)` is any value.
 *
 * @since 0.1.0
 * @category guards
 */
export const not = <A>(value: A | Reference.Ref<A>): Guard<A> => new Compared("isdistinct", [value])

/**
 * @since 0.1.0
 * @category guards
 */
export const oneOf = <A>(...values: ReadonlyArray<A | Reference.Ref<A>>): Guard<A> => new Compared("in", values)

/** A guard as it is sent, and in words without values of anybody's: numbers and truth are none. */
export interface Expected {
  readonly column: string
  readonly words: string
  readonly filter: Filter
}

type Encode = (value: unknown) => Effect.Effect<Scalar, DecodeError>

const sayable = (value: unknown): string =>
  value === null || ["number", "boolean", "bigint"].includes(typeof value) ? String(value) : "what was expected"

const wordsOf = ({ op, operands }: Compared<unknown>): string => {
  const said = [...new Set(operands.map(sayable))].join(", ")
  return `${words[op]} ${said}`.trim()
}

const isNull = (column: string): Filter => ({ column, op: "is", value: { v: "null" } })

const valueFrom = (scalar: Scalar): Value => Reference.from(String(scalar))

const filterOf = (column: string, op: Comparison, scalars: ReadonlyArray<Scalar>): Filter => {
  const [first = null] = scalars
  if (op === "in") {
    const list: Filter = { column, op, values: scalars.filter((scalar) => scalar !== null).map(valueFrom) }
    return scalars.includes(null) ? { or: [list, isNull(column)] } : list
  }
  if (first !== null) return { column, op, value: valueFrom(first) }
  if (op === "eq") return isNull(column)
  // Nothing is at least nothing.
  return op === "isdistinct" ? { not: isNull(column) } : { column, op: "in", values: [] }
}

/** Of a column of the database: the value itself stands for equality. */
export const expected = (
  name: string,
  column: string,
  guard: unknown,
  encode: Encode
): Effect.Effect<Expected, DecodeError> => {
  const compared = guard instanceof Compared ? guard : new Compared("eq", [guard])
  return Effect.map(
    Effect.forEach(compared.operands, (operand) => (operand === null ? Effect.succeed(null) : encode(operand))),
    (scalars) => ({ column: name, words: wordsOf(compared), filter: filterOf(column, compared.op, scalars) })
  )
}
