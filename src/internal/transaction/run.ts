import { randomUUID } from "node:crypto"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Schema } from "effect"
import { type DbError, type QueryError, TransactionFailed } from "../../Errors.js"
import type { Response as Answer } from "../answer.js"
import { compileAll, type StepFunction } from "./record.js"
import type { Step } from "./step.js"

/** The function's name; its migration is supabase/migrations/20250918080000_supabase_pool.sql. */
const functionName = "supabase_pool_transaction"

const Outcome = Schema.Struct({ replayed: Schema.Boolean, results: Schema.Array(Schema.Unknown) })

const Blame = Schema.parseJson(
  Schema.Struct({ supabase_pool_step: Schema.Int, code: Schema.String, details: Schema.NullOr(Schema.String) })
)

const isOutcome = Schema.is(Outcome)

const installIt = "Apply the migration supabase/migrations/20250918080000_supabase_pool.sql to the database."

const operationOf = (step: Step | undefined): string =>
  step === undefined ? "" : `${step.op} ${step.table ?? step.function ?? ""}`.trim()

/** The step that PostgreSQL blames, from where our function puts it. */
const explained = (error: QueryError, steps: ReadonlyArray<Step>): DbError => {
  if (error.mayHaveExecuted || error.status === 429) return error
  if (error.code === "PGRST202") {
    return new TransactionFailed({
      step: -1,
      operation: "",
      code: error.code,
      reason: "the database has no function for transactions",
      hint: installIt
    })
  }
  const blame = Schema.decodeUnknownOption(Blame)(error.details)
  if (blame._tag === "None") {
    return new TransactionFailed({ step: -1, operation: "", code: error.code, reason: error.reason, hint: error.hint })
  }
  const { code, details, supabase_pool_step: step } = blame.value
  const more = details === null || details === "" ? "" : ` (${details})`
  return new TransactionFailed({
    step,
    operation: operationOf(steps[step]),
    code,
    reason: `${error.reason}${more}`,
    hint: error.hint
  })
}

/** What the step would have given as `data`. */
const dataOf = (step: Step, given: unknown): unknown =>
  step.op !== "rpc" && step.returning === undefined ? null : (given ?? null)

/** Sends on a write connection, as often as needed: the key makes it safe. */
export type Send = (query: (client: SupabaseClient) => PromiseLike<Answer>) => Effect.Effect<Answer, DbError>

export const run = (
  functions: ReadonlyArray<StepFunction>,
  key: string | undefined,
  send: Send
): Effect.Effect<ReadonlyArray<unknown>, DbError> =>
  Effect.gen(function* () {
    if (functions.length === 0) return []
    const steps = yield* compileAll(functions)
    const args = { idempotency_key: key ?? randomUUID(), steps }
    const { data } = yield* Effect.mapError(
      send((client) => client.rpc(functionName, args)),
      (error) => (error._tag === "QueryError" ? explained(error, steps) : error)
    )
    if (!isOutcome(data)) {
      return yield* new TransactionFailed({
        step: -1,
        operation: "",
        code: "",
        reason: "the function gave another answer than expected",
        hint: installIt
      })
    }
    return steps.map((step, index) => dataOf(step, data.results[index]))
  })
