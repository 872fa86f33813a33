/** A step as the database's function takes it: plain values, no SQL. The names are those that the function reads. */

/** A text, or what an earlier step's first row has in a column. */
export type Value = { readonly v: string } | { readonly r: readonly [step: number, column: string] }

export interface Field {
  readonly column: string
  readonly path?: ReadonlyArray<readonly ["->" | "->>", string | number]>
}

export interface Condition extends Field {
  readonly op: string
  readonly value?: Value
  readonly values?: ReadonlyArray<Value>
  readonly quantifier?: "any" | "all"
  readonly config?: string
}

export type Filter =
  | Condition
  | { readonly not: Filter }
  | { readonly and: ReadonlyArray<Filter> }
  | { readonly or: ReadonlyArray<Filter> }

export interface OrderTerm extends Field {
  readonly descending: boolean
  readonly nulls?: "first" | "last"
}

/** `[path into the row, step, column]` */
export type Reference = readonly [path: ReadonlyArray<string>, step: number, column: string]

type StepKind = "select" | "insert" | "upsert" | "update" | "delete" | "rpc"

/** What is given back: its name, the column, and the type that it is cast to. */
export type Returned = readonly [name: string, column: string, type?: string]

export interface Step {
  /** With `@3` where only version 3 of the function knows all of it: an earlier one refuses the whole transaction. */
  readonly op: StepKind | `${StepKind}@3`
  readonly schema: string
  readonly table?: string
  readonly function?: string
  readonly columns?: ReadonlyArray<string>
  readonly rows?: ReadonlyArray<unknown>
  /** Those of each row that has any, by the row's number. */
  readonly refs?: Readonly<Record<string, ReadonlyArray<Reference>>>
  readonly missing?: "default"
  readonly onConflict?: ReadonlyArray<string>
  readonly ignoreDuplicates?: boolean
  readonly filter?: Filter
  readonly order?: ReadonlyArray<OrderTerm>
  readonly limit?: number
  readonly offset?: number
  readonly maxAffected?: number
  readonly single?: "one" | "maybe"
  /** `*`, or columns; without it the step gives nothing back. */
  readonly returning?: "*" | ReadonlyArray<Returned>
  /** What has to hold of the row; the first that does not is told by its number. */
  readonly expect?: ReadonlyArray<Filter>
  /** Columns whose change counts from what they have. */
  readonly by?: Readonly<Record<string, "add" | "subtract">>
  /** Rows that are read stay as they are until the transaction ends. */
  readonly lock?: "update" | "share"
  /** Columns that later steps refer to. */
  readonly keep?: ReadonlyArray<string>
}

const isCast = ([, , type]: Returned): boolean => type !== undefined

const isNew = ({ by, expect, lock, returning = [] }: Step): boolean =>
  by !== undefined || expect !== undefined || lock !== undefined || (returning !== "*" && returning.some(isCast))

/** As it is sent. */
export const versioned = (step: Step): Step => {
  const { op } = step
  return isNew(step) && !isVersioned(op) ? { ...step, op: `${op}@3` } : step
}

const isVersioned = (op: Step["op"]): op is `${StepKind}@3` => op.endsWith("@3")

export const isVersionedStep = ({ op }: Step): boolean => isVersioned(op)

/** Without its version. */
export const operationOf = ({ op }: Step): string => op.replace(/@.*/, "")

const isReference = (value: Value): value is Extract<Value, { readonly r: unknown }> => "r" in value

const valueWith = (value: Value, f: (step: number) => number): Value =>
  isReference(value) ? { r: [f(value.r[0]), value.r[1]] } : value

const filterWith = (filter: Filter, f: (step: number) => number): Filter => {
  if ("not" in filter) return { not: filterWith(filter.not, f) }
  if ("and" in filter) return { and: filter.and.map((part) => filterWith(part, f)) }
  if ("or" in filter) return { or: filter.or.map((part) => filterWith(part, f)) }
  const { value, values } = filter
  return {
    ...filter,
    ...(value === undefined ? {} : { value: valueWith(value, f) }),
    ...(values === undefined ? {} : { values: values.map((one) => valueWith(one, f)) })
  }
}

/** The same step with `f` of each step that it refers to. */
export const withTargets = (step: Step, f: (step: number) => number): Step => {
  const { expect, filter, refs } = step
  const moved = Object.entries(refs ?? {}).map(
    ([row, all]) => [row, all.map(([path, target, column]): Reference => [path, f(target), column])] as const
  )
  return {
    ...step,
    ...(refs === undefined ? {} : { refs: Object.fromEntries(moved) }),
    ...(filter === undefined ? {} : { filter: filterWith(filter, f) }),
    ...(expect === undefined ? {} : { expect: expect.map((guard) => filterWith(guard, f)) })
  }
}

/** Why a step cannot be expressed. */
export class Unsupported {
  readonly _tag = "Unsupported"
  readonly what: string
  constructor(what: string) {
    this.what = what
  }
}

/** What of a step cannot be sent as it is, and why. */
export class Unsendable {
  readonly _tag = "Unsendable"
  readonly where: string
  readonly issue: string
  constructor(where: string, issue: string) {
    this.where = where
    this.issue = issue
  }
}
