/** The steps of a table for a transaction, in types that know nothing of Effect. */
import type { ListOptions } from "../table/query.js"
import type { GuardOptions, LockOptions, StepRow } from "../table/steps.js"
import type { Increment, Widened } from "../transaction/increment.js"
import type { Step } from "../transaction/planned.js"
import type { Ref } from "../transaction/reference.js"

/**
 * What can be counted.
 *
 * @since 0.1.0
 * @category models
 */
export type Countable = number | bigint

type CountOf<A> = [A] extends [Countable] ? Increment<Widened<A>> : never

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
    | CountOf<Exclude<Changes[K], undefined | null>>
}

/**
 * The operations of a table as steps of `db.transaction`. What a step gives is decoded by the table's schema; what it expects
 * and refers to are columns, as the database has them. No row is `RowNotFound`, as everywhere, and undoes the transaction.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromiseTableSteps<Row, Columns, New, Changes, Id> {
  /** The row with this key. */
  readonly getStep: (id: Id | Ref<Id>, options?: GuardOptions<Columns> & LockOptions) => Step<Row, Columns>
  readonly listStep: (options?: ListOptions<Columns> & LockOptions) => Step<ReadonlyArray<Row>, Columns>
  /** Gives the row as the database made it. */
  readonly createStep: (row: StepRow<New>) => Step<Row, Columns>
  /** In the order given; what a row leaves out is left to the database. */
  readonly createManyStep: (rows: ReadonlyArray<StepRow<New>>) => Step<ReadonlyArray<Row>, Columns>
  /** Gives the row as it is now. */
  readonly updateStep: (
    id: Id | Ref<Id>,
    changes: StepChanges<Changes>,
    options?: GuardOptions<Columns>
  ) => Step<Row, Columns>
  /** Inserts, or changes the row that is there. */
  readonly upsertStep: (
    row: StepRow<New>,
    options?: {
      readonly onConflict?: (keyof Columns & string) | ReadonlyArray<keyof Columns & string> | undefined
    }
  ) => Step<Row, Columns>
  /** Gives the row as it was. */
  readonly removeStep: (id: Id | Ref<Id>, options?: GuardOptions<Columns>) => Step<Row, Columns>
}
