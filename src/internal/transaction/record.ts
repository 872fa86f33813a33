/**
 * Runs the callers' functions against a client that sends nothing, and keeps what it would have sent.
 */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Redacted } from "effect"
import { TransactionFailed } from "../../Errors.js"
import type { Outcome } from "../answer.js"
import * as PooledClient from "../pooledClient.js"
import { compile, type Recorded } from "./compile.js"
import { type Step, Unsupported } from "./step.js"

export type StepFunction = (client: SupabaseClient) => PromiseLike<Outcome>

interface Kept {
  readonly url: string
  readonly method: string
  readonly headers: Headers
}

const nobody = Redacted.make("nobody")

/** Where nothing is sent. */
const nowhere = "http://recorded.invalid"

const record = async (step: StepFunction): Promise<Recorded> => {
  const kept: Array<Kept> = []
  const client = PooledClient.make(nowhere, nobody, nobody, (input, init) => {
    kept.push({ url: String(input), method: init?.method ?? "GET", headers: new Headers(init?.headers) })
    return Promise.resolve(new Response("[]", { status: 200 }))
  })
  const query = step(client)
  // What the builder holds, before JSON makes null of what it cannot say.
  const body: unknown = Reflect.get(query, "body")
  const maybeSingle = Reflect.get(query, "isMaybeSingle") === true
  await query
  const [request, ...others] = kept
  if (request === undefined || others.length > 0) throw new Unsupported("other than exactly one request in a step")
  return { ...request, url: new URL(request.url), body: plain(body), maybeSingle }
}

/** As JSON would have it, with bigints as the builder writes them; numbers that JSON cannot say are refused. */
const plain = (body: unknown): unknown => {
  if (body === undefined) return undefined
  const text = JSON.stringify(body, (_, value: unknown) => {
    if (typeof value === "number" && !Number.isFinite(value))
      throw new Unsupported(`the number ${value}, which JSON cannot say`)
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

const one = (step: StepFunction, index: number): Effect.Effect<Step, TransactionFailed> =>
  Effect.tryPromise({
    try: async () => compile(await record(step)),
    catch: (thrown) => failed(index, thrown instanceof Unsupported ? thrown.what : `this step: ${String(thrown)}`)
  })

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
  const found: Array<readonly [number, string]> = (step.refs ?? []).map(([, target, column]) => [target, column])
  const look = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return
    if ("r" in node && Array.isArray(node.r)) found.push([Number(node.r[0]), String(node.r[1])])
    for (const inner of Object.values(node)) look(inner)
  }
  look(step.filter)
  return found
}

export const compileAll = (steps: ReadonlyArray<StepFunction>): Effect.Effect<ReadonlyArray<Step>, TransactionFailed> =>
  Effect.flatMap(Effect.forEach(steps, one), withKept)
