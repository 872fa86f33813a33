import { expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Db from "../../src/Db.js"
import * as Metrics from "../../src/Metrics.js"
import * as Transaction from "../../src/Transaction.js"
import { samplesOf } from "../support/prometheus.js"

const products = Db.table("products", Schema.Struct({ id: Schema.String, stock: Schema.Int }))

/** What the function of the database answers where a step was refused, as PostgREST passes it on. */
const refused = (code: string, message: string, details = "") =>
  Response.json(
    { code, message, details: JSON.stringify({ code, details, supabase_pool_step: 0 }), hint: null },
    { status: 400 }
  )

const guarded = products.updateStep("1", { stock: 0 }, { expect: { stock: Transaction.atLeast(1) } })

const rows = [
  ["GuardFailed", () => refused("SP001", "guard", "0"), guarded],
  ["RowNotFound", () => refused("P0002", "one row was asked for, and there is none"), products.getStep("1")],
  ["TransactionFailed", () => refused("23514", "check"), products.getStep("1")]
] as const

/** How many operations have ended with which error, in this process. */
const counted = Effect.map(Metrics.prometheus, (text) => {
  const counts: Record<string, number> = {}
  for (const { labels, name, value } of samplesOf(text)) {
    const type = labels["error_type"]
    if (name.endsWith("operation_duration_seconds_count") && type !== undefined)
      counts[type] = (counts[type] ?? 0) + value
  }
  return counts
})

it.effect.each(rows)("a transaction is counted under the name that its caller gets: %s", ([tag, answer, step]) =>
  Effect.gen(function* () {
    const before = yield* counted
    const error = yield* Effect.flip(Db.transaction([step]))
    expect(error._tag).toBe(tag)
    expect(yield* counted).toEqual({ ...before, [tag]: (before[tag] ?? 0) + 1 })
  }).pipe(Effect.provide(Db.layerTest(answer)))
)
