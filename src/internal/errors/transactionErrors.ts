/** The errors that only transactions have; `Errors` exports them. */
import { Schema } from "effect"
import { printable } from "../shared/printable.js"
import { clause } from "../shared/text.js"
import { endingOf } from "./errorCodes.js"
import { remedyOf } from "./errorMeaning.js"
import { printed, type Unprinted, unprinted, withoutValues } from "./rowValues.js"

/**
 * A transaction was rolled back, or could not be built; `step` counts from 0, and is -1 when no single step failed.
 *
 * `reason` and `details` are PostgreSQL's own words, which may contain values of rows: `message` and JSON contain none.
 *
 * `executed` is true in one case, the code `RESULT_GONE`: the transaction was executed when its key first arrived, and its
 * result was too large to be kept for a second arrival.
 *
 * `status`, `answeredBy` and `retryAfter` are those of the answer, as in a `QueryError`; without an answer the status is 0.
 * `isTransient` follows from them as it does there.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransactionFailed extends Schema.TaggedError<TransactionFailed>()("TransactionFailed", {
  step: Schema.Int,
  operation: Schema.String,
  code: Schema.String,
  reason: Schema.String,
  hint: Schema.String,
  executed: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  details: Schema.optionalWith(Schema.String, { default: () => "" }),
  status: Schema.optionalWith(Schema.Int, { default: () => 0 }),
  retryAfter: Schema.optional(Schema.DurationFromMillis),
  answeredBy: Schema.optional(Schema.UndefinedOr(Schema.Literal("PostgREST", "gateway", "function")))
}) {
  readonly #unprinted: Unprinted = unprinted(this, ["reason", "details"])
  override toJSON(): object {
    // Effect fails with a proxy of it where there is a span, and a proxy has no private fields.
    return (#unprinted in this ? this.#unprinted : printed)(this, this.message)
  }
  override get message(): string {
    const where = this.step < 0 ? "" : ` at step ${this.step}${this.operation === "" ? "" : ` (${this.operation})`}`
    const source = this.code === "" && this.status > 0 ? `HTTP ${this.status}` : this.code
    const remedy = this.hint === "" ? remedyOf(this) : this.hint
    const means = this.executed ? "It was executed, once." : "No changes were kept."
    const reason = withoutValues(this.code, this.reason)
    return printable(
      `Transaction failed${where}: ${reason}${source === "" ? "" : ` (${source})`}. ${means} ${remedy}`.trimEnd()
    )
  }
  get isTransient(): boolean {
    const { answeredBy, code, executed, reason, status } = this
    return !executed && endingOf({ status, code, reason, method: "POST", answeredBy }).isTransient
  }
  get mayHaveExecuted(): boolean {
    return this.executed
  }
}

/**
 * A row was not as a step of the transaction expected, so the whole transaction was rolled back; `step` counts from 0.
 *
 * @since 0.1.0
 * @category errors
 */
export class GuardFailed extends Schema.TaggedError<GuardFailed>()("GuardFailed", {
  step: Schema.Int,
  operation: Schema.String,
  /** The key of the row; empty if an earlier step's row decides it. */
  id: Schema.String,
  column: Schema.String,
  /** The expected value, in words: `at least 2`. */
  guard: Schema.String
}) {
  override get message(): string {
    const row = this.id === "" ? "" : ` ${clause(this.id)}`
    return printable(
      `Guard failed at step ${this.step} (${this.operation}${row}): ${this.column} is not ${this.guard}. ` +
        "The whole transaction was rolled back. Read the row again, and decide again."
    )
  }
  get isTransient(): boolean {
    return false
  }
  get mayHaveExecuted(): boolean {
    return false
  }
}
