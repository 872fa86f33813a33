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

export interface Step {
  readonly op: "select" | "insert" | "upsert" | "update" | "delete" | "rpc"
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
  /** `*`, or pairs of name and column; without it the step gives nothing back. */
  readonly returning?: "*" | ReadonlyArray<readonly [name: string, column: string]>
  /** Columns that later steps refer to. */
  readonly keep?: ReadonlyArray<string>
}

/** Why a step cannot be expressed. */
export class Unsupported {
  readonly _tag = "Unsupported"
  readonly what: string
  constructor(what: string) {
    this.what = what
  }
}
