import { randomUUID } from "node:crypto"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Schema } from "effect"
import { type DbError, DecodeError, type QueryError, TransactionFailed } from "../../Errors.js"
import type { Response as Answer } from "../answer.js"
import { compileAll, type StepFunction } from "./record.js"
import type { Step } from "./step.js"

/** In supabase/migrations: makes the function that executes the steps, of whatever version there was before. */
export const migrationFile = "20261126080000_supabase_pool.sql"

const functionName = "supabase_pool_transaction"

/** `gone`: executed when it came first, and its results were too large to be kept for this arrival. */
const Outcome = Schema.Union(
  Schema.Struct({ replayed: Schema.Boolean, results: Schema.Array(Schema.Unknown) }),
  Schema.Struct({ replayed: Schema.Literal(true), gone: Schema.Literal(true) })
)

const Blame = Schema.parseJson(
  Schema.Struct({ supabase_pool_step: Schema.Int, code: Schema.String, details: Schema.NullOr(Schema.String) })
)

const isOutcome = Schema.is(Outcome)

const installIt = `Apply the migration supabase/migrations/${migrationFile} to the database.`

const operationOf = (step: Step | undefined): string =>
  step === undefined ? "" : `${step.op} ${step.table ?? step.function ?? ""}`.trim()

const mayNotCall = (error: QueryError): boolean =>
  error.code === "42501" && error.reason.includes(`function ${functionName}`)

const grantIt = `Grant it to the role, where it is meant to: grant execute on function public.${functionName}(text, jsonb) to anon.`

const resultGone = (): TransactionFailed =>
  new TransactionFailed({
    step: -1,
    operation: "",
    code: "RESULT_GONE",
    reason: "it was executed before under this key, and its results were too large to be kept",
    hint: "Read what you need of them, select less in the steps, or replace supabase_pool.max_kept_bytes() to keep more.",
    executed: true
  })

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
    const hint = mayNotCall(error) ? grantIt : error.hint
    return new TransactionFailed({ step: -1, operation: "", code: error.code, reason: error.reason, hint })
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

/** Sends on a write connection, as often as needed: the key makes it safe. `failed` hears of each attempt that did. */
export type Send = (
  query: (client: SupabaseClient) => PromiseLike<Answer>,
  failed: (error: DbError) => void
) => Effect.Effect<Answer, DbError>

/**
 * The database has refused an attempt after another one was lost, which may be on its way still: refused now, it could be
 * executed later. So its key is taken. If it was executed meanwhile, it stands.
 */
const sealed = (key: string, refusal: DbError, send: Send): Effect.Effect<boolean, DbError> =>
  send(
    (client) => client.rpc("supabase_pool_transaction_settle", { idempotency_key: key }),
    () => {}
  ).pipe(
    Effect.map(({ data }) => typeof data === "object" && data !== null && "executed" in data && data.executed === true),
    // Nobody can ask for the anonymous.
    Effect.catchTag("QueryError", () => Effect.fail(refusal))
  )

export const run = (
  functions: ReadonlyArray<StepFunction>,
  key: string | undefined,
  send: Send
): Effect.Effect<ReadonlyArray<unknown>, DbError> =>
  Effect.gen(function* () {
    if (functions.length === 0) return []
    const steps = yield* compileAll(functions)
    const args = { idempotency_key: key ?? randomUUID(), steps }
    let lost = false
    const sent = Effect.mapError(
      send(
        (client) => client.rpc(functionName, args),
        (error) => {
          lost ||= error.mayHaveExecuted
        }
      ),
      (error) => (error._tag === "QueryError" ? explained(error, steps) : error)
    )
    const { data } = yield* Effect.catchTag(sent, "TransactionFailed", (refusal) =>
      lost
        ? Effect.flatMap(sealed(args.idempotency_key, refusal, send), (executed) =>
            executed ? sent : Effect.fail(refusal)
          )
        : Effect.fail(refusal)
    )
    if (!isOutcome(data)) {
      return yield* new DecodeError({
        table: functionName,
        id: "",
        path: "",
        issue: `it gave another answer than ours does. ${installIt}`,
        stage: "write"
      })
    }
    if ("gone" in data) return yield* resultGone()
    return steps.map((step, index) => dataOf(step, data.results[index]))
  })
