/** The steps of a table for a transaction, where the type of the rows is not known. */
import { Effect } from "effect"
import type { DbError, DecodeError } from "../../Errors.js"
import type { Guard } from "../transaction/guards.js"
import { type Expected, expected } from "../transaction/guards.js"
import { type Countable, Counted, type Increment, type Widened } from "../transaction/increment.js"
import { type Plan, PlannedStep, type Step } from "../transaction/planned.js"
import type { Ref } from "../transaction/reference.js"
import { type Columns, isValues, type Values } from "./columns.js"
import { type AnyOptions, chosen, type ListOptions, listed } from "./query.js"
import * as Requests from "./requests.js"
import type { Rows } from "./rows.js"

/**
 * The columns of a row, each a value or what an earlier step's row will hold.
 *
 * @since 0.1.0
 * @category models
 */
export type StepRow<New> = { readonly [K in keyof New]: New[K] | Ref<Exclude<New[K], undefined>> }

/**
 * What a step changes: values, references, and of columns of numbers `Transaction.increment` and `Transaction.decrement`.
 *
 * @since 0.1.0
 * @category models
 */
export type StepChanges<Changes> = {
  readonly [K in keyof Changes]:
    | Changes[K]
    | Ref<Exclude<Changes[K], undefined>>
    | CountOf<Exclude<Changes[K], undefined>>
}

type CountOf<A> = [A] extends [Countable] ? Increment<Widened<A>> : never

/**
 * What has to hold of a row: a value, `null`, or a guard such as `Transaction.atLeast(2)`, for each column.
 *
 * @since 0.1.0
 * @category models
 */
export type Expect<Row> = { readonly [K in keyof Row]?: Row[K] | Guard<Row[K]> | Ref<Row[K]> }

/**
 * @since 0.1.0
 * @category models
 */
export interface GuardOptions<Row> {
  /** What has to hold of the row as it is then: the first that does not fails the transaction with `GuardFailed`. */
  readonly expect?: Expect<Row> | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface LockOptions {
  /**
   * Keeps what is read as it is until the transaction ends: `update` against others who would change or lock it so,
   * `share` against changes. Whoever calls needs the right to update the rows.
   */
  readonly lock?: "update" | "share" | undefined
}

/**
 * The operations of a table as steps of `Db.transaction`. What a step gives is decoded by the table's schema; no row is
 * `RowNotFound`, as everywhere, and undoes the transaction.
 *
 * @since 0.1.0
 * @category models
 */
export interface TableSteps<Row, New, Changes, Id, Of = unknown> {
  /** The row with this key. */
  readonly getStep: (id: Id | Ref<Id>, options?: GuardOptions<Row> & LockOptions) => Step<Row, Row, Of>
  readonly listStep: (options?: ListOptions<Row> & LockOptions) => Step<ReadonlyArray<Row>, Row, Of>
  /** Gives the row as the database made it. */
  readonly createStep: (row: StepRow<New>) => Step<Row, Row, Of>
  /** In the order given; what a row leaves out is left to the database. */
  readonly createManyStep: (rows: ReadonlyArray<StepRow<New>>) => Step<ReadonlyArray<Row>, Row, Of>
  /** Gives the row as it is now. */
  readonly updateStep: (
    id: Id | Ref<Id>,
    changes: StepChanges<Changes>,
    options?: GuardOptions<Row>
  ) => Step<Row, Row, Of>
  /** Inserts, or changes the row that is there. */
  readonly upsertStep: (
    row: StepRow<New>,
    options?: { readonly onConflict?: (keyof Row & string) | ReadonlyArray<keyof Row & string> | undefined }
  ) => Step<Row, Row, Of>
  /** Gives the row as it was. */
  readonly removeStep: (id: Id | Ref<Id>, options?: GuardOptions<Row>) => Step<Row, Row, Of>
}

interface AnyGuarded {
  readonly expect?: Readonly<Record<string, unknown>> | undefined
  readonly lock?: "update" | "share" | undefined
}

/** A step needs no database: it is sent with the others. */
type KeyedRows = Pick<Rows<unknown>, "columns" | "keyed">

export class Steps {
  private readonly rows: KeyedRows
  private readonly columns: Columns

  constructor(rows: KeyedRows) {
    this.rows = rows
    this.columns = rows.columns
  }

  private step(
    plan: Effect.Effect<Plan, DbError>,
    decode: PlannedStep["decode"] = (row, stage) => this.columns.decodeRow(row, stage)
  ): PlannedStep {
    const { columns } = this
    return new PlannedStep({
      table: columns.table,
      plan,
      decode,
      exact: columns.exact,
      column: (name) => columns.known(name, "a reference").column
    })
  }

  private get many(): PlannedStep["decode"] {
    return (rows, stage) => this.columns.decodeRows(rows, stage)
  }

  private guards(expect: AnyGuarded["expect"] = {}): Effect.Effect<ReadonlyArray<Expected> | undefined, DecodeError> {
    const { columns } = this
    const wanted = Object.entries(expect)
    const unsaid = wanted.find(([, guard]) => guard === undefined)
    if (unsaid !== undefined)
      return columns.refuse("filter", unsaid[0], "what is expected of it is undefined; leave it out")
    if (wanted.length === 0) return Effect.succeed(undefined)
    return Effect.forEach(wanted, ([name, guard]) =>
      Effect.flatMap(columns.column(name), (column) =>
        expected(name, column.column, guard, (value) => columns.encodeScalar(column, value, true))
      )
    )
  }

  get(id: unknown, { expect, lock }: AnyGuarded = {}): PlannedStep {
    return this.step(
      Effect.map(Effect.all([this.rows.keyed(id, true), this.guards(expect)]), ([scalar, guards]) => ({
        query: Requests.byKey(this.columns, scalar),
        guards,
        lock,
        id: String(scalar)
      }))
    )
  }

  list({ lock, ...options }: AnyOptions & AnyGuarded = {}): PlannedStep {
    const { selected, table } = this.columns
    // A transaction is sent in a body, which has room for any list.
    const rows = Effect.flatMap(chosen(this.columns, options), ({ whole }) => listed(this.columns, whole, options))
    return this.step(
      Effect.map(rows, (refine) => ({
        query: (client) => refine(client.from(table).select(selected)),
        lock
      })),
      this.many
    )
  }

  create(row: unknown): PlannedStep {
    return this.step(
      Effect.map(this.columns.encodeInsert(row, true), (values) => ({ query: Requests.inserted(this.columns, values) }))
    )
  }

  createMany(rows: ReadonlyArray<unknown>): PlannedStep {
    const { selected, table } = this.columns
    return this.step(
      Effect.map(
        Effect.forEach(rows, (row) => this.columns.encodeInsert(row, true)),
        (values) => ({
          query: (client) => client.from(table).insert(values, { defaultToNull: false }).select(selected)
        })
      ),
      this.many
    )
  }

  update(id: unknown, changes: unknown, { expect }: AnyGuarded = {}): PlannedStep {
    return this.step(
      Effect.gen(this, function* () {
        const scalar = yield* this.rows.keyed(id, true)
        const guards = yield* this.guards(expect)
        const { by, values } = yield* this.changed(changes, String(id))
        return { query: Requests.changed(this.columns, scalar, values), guards, by, id: String(scalar) }
      })
    )
  }

  /** What is counted apart from what is set: it is no value of the column's, which its schema could bound. */
  private changed(
    changes: unknown,
    id: string
  ): Effect.Effect<{ readonly values: Values; readonly by: Plan["by"] }, DecodeError> {
    const entries = isValues(changes) ? Object.entries(changes) : []
    const counted = entries.flatMap(([name, change]) => (change instanceof Counted ? [[name, change] as const] : []))
    const set =
      counted.length === 0 ? changes : Object.fromEntries(entries.filter(([, to]) => !(to instanceof Counted)))
    return Effect.gen(this, function* () {
      const values = yield* this.columns.encodeChanges(set, id, true, counted.length > 0 || undefined)
      if (counted.length === 0) return { values, by: undefined }
      const amounts = yield* Effect.forEach(counted, ([name, change]) =>
        Effect.map(this.columns.encodeAmount(name, change.amount, id), (amount) => ({ ...amount, by: change.by }))
      )
      return {
        values: { ...values, ...Object.fromEntries(amounts.map(({ amount, column }) => [column, amount])) },
        by: Object.fromEntries(amounts.map(({ by, column }) => [column, by]))
      }
    })
  }

  upsert(
    row: unknown,
    options: { readonly onConflict?: string | ReadonlyArray<string> | undefined } = {}
  ): PlannedStep {
    return this.step(
      Effect.gen(this, function* () {
        const values = yield* this.columns.encodeInsert(row, true)
        const conflict = yield* Requests.conflictOf(this.columns, options.onConflict)
        return { query: Requests.upserted(this.columns, values, conflict) }
      })
    )
  }

  remove(id: unknown, { expect }: AnyGuarded = {}): PlannedStep {
    return this.step(
      Effect.map(Effect.all([this.rows.keyed(id, true), this.guards(expect)]), ([scalar, guards]) => ({
        query: Requests.removed(this.columns, scalar),
        guards,
        id: String(scalar)
      }))
    )
  }
}
