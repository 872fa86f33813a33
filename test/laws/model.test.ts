import { describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc, TestContext } from "effect"
import { histories, live } from "../support/poolModel.js"

describe("the pool and its model", () => {
  it("agree on who holds, who waits and in which order, and nothing is lost, whatever happens", async () => {
    await fc.assert(
      fc.asyncProperty(histories, (history) =>
        Effect.runPromise(Effect.provide(live(history), TestContext.TestContext))
      ),
      { numRuns: 300 }
    )
  }, 120_000)
})
