/** What stands for `src/internal/transaction/run.ts` in the Promise entry: loaded with the first transaction. */
import * as Effect from "effect/Effect"
import type * as Real from "../../src/internal/transaction/run.js"

export const run: typeof Real.run = (...given) =>
  Effect.flatMap(
    Effect.promise(() => import("../../src/internal/transaction/run.js")),
    (real) => real.run(...given)
  )
