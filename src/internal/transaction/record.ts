/**
 * Runs the callers' functions against a client that sends nothing, and keeps what it would have sent.
 */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, FiberRef, Redacted } from "effect"
import { type DbError, DecodeError, QueryError, TransactionFailed } from "../../Errors.js"
import { isBuilder } from "../connection/builderFields.js"
import { LeanResponse } from "../connection/leanResponse.js"
import { takeItOut } from "../connection/sendable.js"
import { type Fetch, makeClient } from "../connection/supabaseClient.js"
import type { ResultWithoutData } from "../db/postgrestResult.js"
import { caller } from "../shared/asyncContext.js"
import { unsendable } from "../shared/jsonable.js"
import { columnsOf, compile, type Recorded } from "./compile.js"
import type { Expected } from "./guards.js"
import { type Step as AnyStep, PlannedStep } from "./planned.js"
import { type Step, Unsendable, Unsupported, versioned, withTargets } from "./step.js"

export type StepFunction = (client: SupabaseClient) => PromiseLike<ResultWithoutData>

interface Kept {
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly abortable: boolean
}

const nothing = Buffer.from("[]")
const nobody = Redacted.make("nobody")

/** Where nothing is sent. */
const nowhere = "http://recorded.invalid"

/** One client for all steps of a transaction, and what it was asked to send last. */
class StepRecorder {
  private kept: Array<Kept> = []
  private refused: QueryError | undefined
  private readonly keep: Fetch = (input, init) => {
    this.kept.push({
      url: String(input),
      method: init?.method ?? "GET",
      headers: new Headers(init?.headers),
      abortable: (init?.signal ?? null) !== null
    })
    // Node's own Response reads by way of `queueMicrotask`, which Jest's fake timers replace.
    return Promise.resolve(
      new LeanResponse({ url: nowhere, status: 200, statusText: "OK", headers: [], body: nothing, instead: undefined })
    )
  }
  private readonly client: SupabaseClient = makeClient(nowhere, nobody, nobody, this.keep, (error) => {
    this.refused ??= error
  })

  async record(step: StepFunction): Promise<Recorded> {
    this.kept = []
    this.refused = undefined
    const query = step(this.client)
    // A promise of a builder's answer tells neither its rows nor whether it asked for one.
    if (!isBuilder(query)) throw new Unsupported("a step that does not return the builder itself")
    // What the builder holds, before JSON makes null of what it cannot say.
    const { body, isMaybeSingle } = query
    const rows = plain(body)
    // With `throwOnError` what was refused rejects as an error of supabase-js.
    await query.then(undefined, (thrown: unknown) => {
      throw this.refused ?? thrown
    })
    if (this.refused !== undefined) throw this.refused
    const [request, ...others] = this.kept
    if (request === undefined || others.length > 0) throw new Unsupported("other than exactly one request in a step")
    return {
      ...request,
      url: new URL(request.url),
      body: rows,
      ...(Array.isArray(body) ? { columns: columnsOf(body) } : {}),
      maybeSingle: isMaybeSingle === true
    }
  }
}

const refuseUnsendable = (value: unknown): void => {
  const found = unsendable(value)
  if (found !== undefined) throw new Unsendable(found.path === "" ? "the value" : found.path, found.issue)
}

/** As JSON would have it, with bigints as the builder writes them; what JSON would silently change is refused. */
const plain = (body: unknown): unknown => {
  if (body === undefined) return undefined
  refuseUnsendable(body)
  const text = JSON.stringify(body, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value))
  // What a value of the caller's own makes of itself (`toJSON`) is seen here only.
  const parsed: unknown = JSON.parse(text)
  refuseUnsendable(parsed)
  return parsed
}

const refused = (step: number, reason: string, hint: string, code = "UNSUPPORTED"): TransactionFailed =>
  new TransactionFailed({ step, operation: "", code, reason, hint })

const failed = (step: number, what: string): TransactionFailed =>
  refused(step, `a transaction cannot express ${what}`, "Nothing was sent.")

const thrownAt = (step: number, thrown: unknown): TransactionFailed => {
  if (thrown instanceof QueryError) return refused(step, thrown.reason, `${thrown.hint} Nothing was sent.`, thrown.code)
  if (thrown instanceof Unsendable) {
    return refused(step, `${thrown.where} cannot be sent: ${thrown.issue}`, takeItOut)
  }
  return failed(step, thrown instanceof Unsupported ? thrown.what : `this step: ${String(thrown)}`)
}

const one = (recorder: StepRecorder, step: StepFunction, index: number): Effect.Effect<Step, TransactionFailed> =>
  Effect.flatMap(FiberRef.get(caller), (context) =>
    Effect.tryPromise({
      try: async () =>
        compile(await (context === undefined ? recorder.record(step) : context.run(() => recorder.record(step)))),
      catch: (thrown) => thrownAt(index, thrown)
    })
  )

/** A step as it is sent, and what its table knows of it. */
export interface Compiled {
  readonly step: Step
  readonly planned?: PlannedStep
  readonly guards?: ReadonlyArray<Expected>
  readonly id?: string
}

export type TransactionStep = StepFunction | AnyStep<unknown>

const planned = (recorder: StepRecorder, from: PlannedStep, index: number): Effect.Effect<Compiled, DbError> =>
  Effect.gen(function* () {
    const { by, guards, id, lock, query } = yield* Effect.mapError(from.plan, (error) =>
      error._tag === "DecodeError" ? new DecodeError({ ...error, step: index }) : error
    )
    const step = yield* one(recorder, query, index)
    return {
      step: {
        ...step,
        ...(by === undefined ? {} : { by }),
        ...(guards === undefined ? {} : { expect: guards.map(({ filter }) => filter) }),
        ...(lock === undefined ? {} : { lock })
      },
      planned: from,
      ...(guards === undefined ? {} : { guards }),
      ...(id === undefined ? {} : { id })
    }
  })

const compiled = (recorder: StepRecorder, step: TransactionStep, index: number): Effect.Effect<Compiled, DbError> => {
  if (step instanceof PlannedStep) return planned(recorder, step, index)
  if (typeof step === "function") return Effect.map(one(recorder, step, index), (sent) => ({ step: sent }))
  return Effect.fail(failed(index, "what is neither a function of a client nor a table's step"))
}

/** Tables' steps are referred to by what they are until they have a place. */
const placed = (steps: ReadonlyArray<Compiled>): Effect.Effect<ReadonlyArray<Compiled>, TransactionFailed> =>
  Effect.suspend(() => {
    const places = new Map<number, number>()
    const twice = new Set<number>()
    for (const [index, { planned }] of steps.entries()) {
      if (planned === undefined) continue
      if (places.has(planned.number)) twice.add(planned.number)
      places.set(planned.number, index)
    }
    for (const [index, { step }] of steps.entries()) {
      for (const [target] of references(step)) {
        if (target >= 0) continue
        if (!places.has(target)) return Effect.fail(failed(index, "a reference to a step that is not in it"))
        if (twice.has(target)) return Effect.fail(failed(index, "a reference to a step that is in it twice"))
      }
    }
    const place = (target: number): number => places.get(target) ?? target
    return Effect.succeed(
      places.size === 0 ? steps : steps.map((one) => ({ ...one, step: withTargets(one.step, place) }))
    )
  })

/** Every step must come before those that refer to it, and must be able to tell a column. */
const withKept = (steps: ReadonlyArray<Compiled>): Effect.Effect<ReadonlyArray<Compiled>, TransactionFailed> =>
  Effect.suspend(() => {
    const keep = steps.map(() => new Set<string>())
    for (const [index, { step }] of steps.entries()) {
      for (const [target, column] of references(step)) {
        if (target >= index)
          return Effect.fail(failed(index, `a reference to step ${target}, which does not come before it`))
        if (steps[target]?.step.op === "rpc")
          return Effect.fail(failed(index, `a reference to step ${target}, a function call`))
        keep[target]?.add(column)
      }
    }
    return Effect.succeed(
      steps.map((one, index) => {
        const columns = [...(keep[index] ?? [])]
        const step = versioned(columns.length === 0 ? one.step : { ...one.step, keep: columns })
        return { ...one, step }
      })
    )
  })

const references = (step: Step): ReadonlyArray<readonly [number, string]> => {
  const found: Array<readonly [number, string]> = Object.values(step.refs ?? {})
    .flat()
    .map(([, target, column]) => [target, column])
  const look = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return
    if ("r" in node && Array.isArray(node.r)) found.push([Number(node.r[0]), String(node.r[1])])
    for (const inner of Object.values(node)) look(inner)
  }
  look(step.filter)
  look(step.expect)
  return found
}

export const compileAll = (steps: ReadonlyArray<TransactionStep>): Effect.Effect<ReadonlyArray<Compiled>, DbError> =>
  Effect.suspend(() => {
    const recorder = new StepRecorder()
    return Effect.forEach(steps, (step, index) => compiled(recorder, step, index)).pipe(
      Effect.flatMap(placed),
      Effect.flatMap(withKept)
    )
  })
