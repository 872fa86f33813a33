/**
 * Runs the callers' functions against a client that sends nothing, and keeps what it would have sent.
 */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, FiberRef, Redacted } from "effect"
import { TransactionFailed } from "../../Errors.js"
import type { Outcome } from "../answer.js"
import { caller } from "../asyncContext.js"
import { LeanResponse } from "../leanResponse.js"
import * as PooledClient from "../pooledClient.js"
import { compile, type Recorded } from "./compile.js"
import { type Step, Unsupported } from "./step.js"

export type StepFunction = (client: SupabaseClient) => PromiseLike<Outcome>

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
class Recorder {
  private kept: Array<Kept> = []
  private readonly client: SupabaseClient = PooledClient.make(nowhere, nobody, nobody, (input, init) => {
    this.kept.push({
      url: String(input),
      method: init?.method ?? "GET",
      headers: new Headers(init?.headers),
      abortable: (init?.signal ?? null) !== null
    })
    // Node's own Response reads by way of `queueMicrotask`, which Jest's fake timers replace.
    return Promise.resolve(new LeanResponse(nowhere, 200, "OK", [], nothing))
  })

  async record(step: StepFunction): Promise<Recorded> {
    this.kept = []
    const query = step(this.client)
    if (!isBuilder(query)) throw new Unsupported("a step that does not return the builder itself")
    // What the builder holds, before JSON makes null of what it cannot say.
    const { body, isMaybeSingle } = query
    await query
    const [request, ...others] = this.kept
    if (request === undefined || others.length > 0) throw new Unsupported("other than exactly one request in a step")
    return {
      ...request,
      url: new URL(request.url),
      body: plain(body),
      ...(Array.isArray(body) ? { columns: columnsOf(body) } : {}),
      maybeSingle: isMaybeSingle === true
    }
  }
}

interface Builder extends PromiseLike<Outcome> {
  readonly body?: unknown
  readonly isMaybeSingle?: unknown
}

/** A promise of a builder's answer tells neither its rows nor whether it asked for one. */
const isBuilder = (query: PromiseLike<Outcome>): query is Builder => "url" in query && "headers" in query

/** As the builder collects them for its `columns` parameter: `undefined` names a column too. */
const columnsOf = (rows: ReadonlyArray<unknown>): ReadonlyArray<string> => [
  ...new Set(rows.flatMap((row) => (typeof row === "object" && row !== null ? Object.keys(row) : [])))
]

/** As JSON would have it, with bigints as the builder writes them; what JSON would silently make null is refused. */
const plain = (body: unknown): unknown => {
  if (body === undefined) return undefined
  const text = JSON.stringify(body, function (this: unknown, key, value: unknown) {
    if (typeof value === "number" && !Number.isFinite(value))
      throw new Unsupported(`the number ${value}, which JSON cannot say`)
    const given: unknown = typeof this === "object" && this !== null ? Reflect.get(this, key) : undefined
    if (given instanceof Date && value === null) throw new Unsupported("a Date that is none")
    return typeof value === "bigint" ? value.toString() : value
  })
  const parsed: unknown = JSON.parse(text)
  return parsed
}

const failed = (step: number, what: string): TransactionFailed =>
  new TransactionFailed({
    step,
    operation: "",
    code: "UNSUPPORTED",
    reason: `a transaction cannot express ${what}`,
    hint: "Nothing was sent."
  })

const one = (recorder: Recorder, step: StepFunction, index: number): Effect.Effect<Step, TransactionFailed> =>
  Effect.flatMap(FiberRef.get(caller), (context) =>
    Effect.tryPromise({
      try: async () =>
        compile(await (context === undefined ? recorder.record(step) : context.run(() => recorder.record(step)))),
      catch: (thrown) => failed(index, thrown instanceof Unsupported ? thrown.what : `this step: ${String(thrown)}`)
    })
  )

/** Every step must come before those that refer to it, and must be able to tell a column. */
const withKept = (steps: ReadonlyArray<Step>): Effect.Effect<ReadonlyArray<Step>, TransactionFailed> =>
  Effect.suspend(() => {
    const keep = steps.map(() => new Set<string>())
    for (const [index, step] of steps.entries()) {
      for (const [target, column] of references(step)) {
        if (target >= index)
          return Effect.fail(failed(index, `a reference to step ${target}, which does not come before it`))
        if (steps[target]?.op === "rpc")
          return Effect.fail(failed(index, `a reference to step ${target}, a function call`))
        keep[target]?.add(column)
      }
    }
    return Effect.succeed(
      steps.map((step, index) => {
        const columns = [...(keep[index] ?? [])]
        return columns.length === 0 ? step : { ...step, keep: columns }
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
  return found
}

export const compileAll = (steps: ReadonlyArray<StepFunction>): Effect.Effect<ReadonlyArray<Step>, TransactionFailed> =>
  Effect.suspend(() => {
    const recorder = new Recorder()
    return Effect.flatMap(
      Effect.forEach(steps, (step, index) => one(recorder, step, index)),
      withKept
    )
  })
