/** A table's step: what is to be sent is known when the transaction is, and so is what its answer means. */
import { type Effect, GlobalValue } from "effect"
import type { DbError, DecodeError } from "../../Errors.js"
import type { Covariant } from "./covariant.js"
import type { Expected } from "./guards.js"
import type { StepFunction } from "./record.js"
import type { Step as WireStep } from "./step.js"

const StepTypeId: unique symbol = Symbol.for("effect-supabase-pool/Transaction/Step")

/**
 * A step of a transaction which a table made: `products.updateStep(…)`. It gives an `A`; `Row` has the columns that later
 * steps can refer to. `Of` is the tag of its database: only that one's transactions take it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Step<out A, out Row = unknown, out Of = unknown> {
  readonly [StepTypeId]: { readonly _A: Covariant<A>; readonly _Row: Covariant<Row>; readonly _Of: Covariant<Of> }
  /** Of which table. */
  readonly table: string
}

/** What a step is when all of its values are encoded. */
export interface Plan {
  readonly query: StepFunction
  readonly guards?: ReadonlyArray<Expected> | undefined
  readonly by?: WireStep["by"] | undefined
  readonly lock?: WireStep["lock"] | undefined
  /** The key of the row that it is about. */
  readonly id?: string | undefined
}

export interface Shape {
  readonly table: string
  readonly plan: Effect.Effect<Plan, DbError>
  /** The database's name of a column; throws where there is no such. */
  readonly column: (name: string) => string
  readonly decode: (data: unknown, stage: "read" | "write") => Effect.Effect<unknown, DecodeError>
  /** Its rows have numbers that are to come with all their digits. */
  readonly exact?: boolean
}

/** Every step is known by a number of its own, below 0, until it has its place in a transaction. */
const made = GlobalValue.globalValue("effect-supabase-pool/Transaction/steps", () => ({ steps: 0 }))

const variance = {
  _A: (never: never): never => never,
  _Row: (never: never): never => never,
  _Of: (never: never): never => never
}

export class PlannedStep implements Step<unknown>, Shape {
  readonly [StepTypeId]: Step<never, never, never>[typeof StepTypeId] = variance
  readonly number: number
  readonly table: string
  readonly plan: Shape["plan"]
  readonly column: Shape["column"]
  readonly decode: Shape["decode"]
  readonly exact: boolean

  constructor({ column, decode, exact = false, plan, table }: Shape) {
    made.steps -= 1
    this.number = made.steps
    this.table = table
    this.plan = plan
    this.column = column
    this.decode = decode
    this.exact = exact
  }
}

export const readsExactly = (step: unknown): boolean => step instanceof PlannedStep && step.exact
