import { randomUUID } from "node:crypto"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import { type DbError, DecodeError, GuardFailed, QueryError, RowNotFound, TransactionFailed } from "../../Errors.js"
import type { PostgrestResult } from "../db/postgrestResult.js"
import { blameIn, isOutcome, isSettled } from "./outcome.js"
import { type Compiled, compileAll, type TransactionStep } from "./record.js"
import { isVersionedStep, operationOf, type Step } from "./step.js"

/** In supabase/migrations: makes the function that executes the steps, of whatever version there was before. */
export const migrationFile = "20261129160000_supabase_pool.sql"

const functionName = "supabase_pool_transaction"

/** The file has the time at which a project took it for its name. */
export const installIt =
  "Run `supabase-pool migration`, then apply the file that it writes, …_supabase_pool.sql (`supabase db push`, or the SQL editor)."

const wordsOf = (step: Step | undefined): string =>
  step === undefined ? "" : `${operationOf(step)} ${step.table ?? step.function ?? ""}`.trim()

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

/** Our function always says something: who answered with nothing is somebody else. */
const unanswered = (): QueryError =>
  new QueryError({
    code: "",
    reason: "the answer to the transaction is empty",
    details: "",
    hint: "",
    status: 200,
    method: "POST"
  })

/** Names of what the database's function raises; it has no others of these codes. */
const noRow = { code: "P0002", reason: "one row was asked for" }
const noRowToRefer = { code: "P0002", reason: /^step (\d+) gave no row to refer to$/ }
const guardFailed = "SP001"
const undefinedTable = "42P01"
const unknownOperation = { code: "22023", reason: "unknown operation" }

/** What any refusal has of the answer. */
type AnswerHead = Pick<QueryError, "status" | "retryAfter" | "answeredBy">

const answeredOf = ({ answeredBy, retryAfter, status }: QueryError): AnswerHead => ({
  status,
  answeredBy,
  ...(retryAfter === undefined ? {} : { retryAfter })
})

interface Blamed {
  readonly answered: AnswerHead
  readonly step: number
  readonly code: string
  readonly reason: string
  readonly details: string
  readonly hint: string
}

const rowMissing = (step: number, steps: ReadonlyArray<Compiled>, details: string): RowNotFound => {
  const { id, step: sent } = steps[step] ?? {}
  return new RowNotFound({ table: sent?.table ?? "", details, step, ...(id === undefined ? {} : { id }) })
}

/** What a step fails with, by the words of our own function. */
const ofStep = ({ answered, code, details, hint, reason, step }: Blamed, steps: ReadonlyArray<Compiled>): DbError => {
  const { guards = [], id = "", step: sent } = steps[step] ?? {}
  if (code === noRow.code && sent?.single === "one" && reason.startsWith(noRow.reason)) {
    return rowMissing(step, steps, "")
  }
  const referred = code === noRowToRefer.code ? noRowToRefer.reason.exec(reason)?.[1] : undefined
  if (referred !== undefined) {
    return rowMissing(Number(referred), steps, `it gave no row, and step ${step} refers to it`)
  }
  const guard = code === guardFailed ? guards[Number(details)] : undefined
  if (guard !== undefined) {
    return new GuardFailed({ step, operation: wordsOf(sent), id, column: guard.column, guard: guard.words })
  }
  if (code === unknownOperation.code && reason.startsWith(unknownOperation.reason) && sent && isVersionedStep(sent)) {
    return new TransactionFailed({
      step,
      operation: wordsOf(sent),
      code: "OLD_FUNCTION",
      reason: "the database's function for transactions is of a version that has no expect, lock, increment and casts",
      hint: installIt,
      ...answered
    })
  }
  return new TransactionFailed({ step, operation: wordsOf(sent), code, reason, hint, details, ...answered })
}

/** The step that PostgreSQL blames, from where our function puts it. */
const explained = (error: QueryError, steps: ReadonlyArray<Compiled>): DbError => {
  if (error.mayHaveExecuted || error.status === 429) return error
  const answered = answeredOf(error)
  if (error.code === "PGRST202") {
    return new TransactionFailed({
      ...answered,
      step: -1,
      operation: "",
      code: error.code,
      reason: "the database has no function for transactions",
      hint: installIt
    })
  }
  const { hint, reason } = error
  const blame = blameIn(error.details)
  if (blame === undefined) {
    const { code, details } = error
    const isMissing = code === undefinedTable && reason.includes("supabase_pool.")
    return new TransactionFailed({
      ...answered,
      step: -1,
      operation: "",
      code,
      reason,
      hint: isMissing ? installIt : mayNotCall(error) ? grantIt : hint,
      details
    })
  }
  const { code, details, supabase_pool_step: step } = blame
  return ofStep({ answered, step, code, reason, hint, details: details ?? "" }, steps)
}

type Refusal = TransactionFailed | RowNotFound | GuardFailed

/** Refused by the database: nothing of it was kept. */
const isRefusal = (error: DbError): error is Refusal =>
  error._tag === "TransactionFailed" || error._tag === "RowNotFound" || error._tag === "GuardFailed"

/** What the step would have given as `data`. */
const dataOf = ({ step }: Compiled, given: unknown): unknown =>
  step.op !== "rpc" && step.returning === undefined ? null : (given ?? null)

/** Sends on a write connection, as often as needed: the key makes it safe. `failed` hears of each attempt that did, and `explain` gives the caller's error. */
export type Send = (
  query: (client: SupabaseClient) => PromiseLike<PostgrestResult>,
  failed: (error: DbError) => void,
  explain?: (error: DbError) => DbError
) => Effect.Effect<PostgrestResult, DbError>

/**
 * The database has refused an attempt after another one was `lost`, which may be on its way still: refused now, it could be
 * executed later. So its key is taken. If it was executed meanwhile, it stands. Where the key cannot be taken (the anonymous
 * have none, others have no more), what became of the lost one stays open, and the caller hears of that one. So it does where
 * there is no function now (PGRST202): who took the lost one may have had it, as a node with another schema cache.
 */
const sealed = (key: string, lost: DbError, send: Send): Effect.Effect<boolean, DbError> =>
  send(
    (client) => client.rpc("supabase_pool_transaction_settle", { idempotency_key: key }),
    () => {}
  ).pipe(
    Effect.mapError(() => lost),
    Effect.flatMap(({ data }) => (isSettled(data) ? Effect.succeed(data.executed) : Effect.fail(lost)))
  )

/**
 * What the last attempt's error leaves of the others: where one was `lost`, only the database can say that nothing of it was
 * kept. Any other error that says so says it of its own attempt.
 */
const concluded = (
  error: DbError,
  lost: DbError | undefined,
  key: string,
  again: { readonly sent: Effect.Effect<PostgrestResult, DbError>; readonly send: Send }
): Effect.Effect<PostgrestResult, DbError> => {
  if (lost === undefined || error.mayHaveExecuted) return Effect.fail(error)
  if (!isRefusal(error)) return Effect.fail(lost)
  // Executed, so what another arrival fails with leaves it so.
  const given = Effect.mapError(again.sent, (next) => (next.mayHaveExecuted ? next : lost))
  return Effect.flatMap(sealed(key, lost, again.send), (executed) => (executed ? given : Effect.fail(error)))
}

/** Whatever is wrong with an answer is after the transaction. */
const decoded = (
  compiled: Compiled,
  index: number,
  given: unknown,
  stage: "read" | "write"
): Effect.Effect<unknown, DecodeError> => {
  const data = dataOf(compiled, given)
  return compiled.planned === undefined
    ? Effect.succeed(data)
    : Effect.mapError(compiled.planned.decode(data, stage), (error) => new DecodeError({ ...error, step: index }))
}

const onlyReads = ({ step: { lock, op } }: Compiled): boolean =>
  (op === "select" || op === "select@3") && lock === undefined

export const run = (
  given: ReadonlyArray<TransactionStep>,
  key: string | undefined,
  send: Send
): Effect.Effect<ReadonlyArray<unknown>, DbError> =>
  Effect.gen(function* () {
    if (given.length === 0) return []
    const steps = yield* compileAll(given)
    const args = { idempotency_key: key ?? randomUUID(), steps: steps.map(({ step }) => step) }
    let lost: DbError | undefined
    const explain = (error: DbError): DbError => (error._tag === "QueryError" ? explained(error, steps) : error)
    const sent = Effect.mapError(
      send(
        (client) => client.rpc(functionName, args),
        (error) => {
          if (error.mayHaveExecuted) lost = error
        },
        explain
      ),
      explain
    )
    const { data } = yield* Effect.catchAll(sent, (error) =>
      concluded(error, lost, args.idempotency_key, { sent, send })
    )
    if (data === null || data === undefined) return yield* unanswered()
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
    const { results } = data
    const stage = steps.every(onlyReads) ? "read" : "write"
    return yield* Effect.forEach(steps, (step, index) => decoded(step, index, results[index], stage))
  })
