/** A column of an earlier step's row, named by who writes the steps. */
import { PlannedStep, type Step } from "./planned.js"
import * as Reference from "./reference.js"

export function refer<Row, K extends keyof Row & string>(step: Step<unknown, Row>, column: K): Reference.Ref<Row[K]>
export function refer<A = string>(step: number, column: string): A
export function refer(step: number | Step<unknown>, column: string): unknown {
  if (typeof step === "number") return Reference.make(step, column)
  if (step instanceof PlannedStep) return new Reference.Reference(step.number, step.column(column))
  throw new TypeError("Transaction.ref: the step is neither a number nor a table's step.")
}
