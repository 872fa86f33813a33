/**
 * Random histories against the model. A failure prints its seed and the shrunk history; `MODEL_SEED=… npx vitest run
 * test/laws/model.test.ts` lives it again, and `MODEL_RUNS=100000` looks further than CI does.
 */
import { describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import { histories, live } from "../support/poolModel.js"
import { eachShows, withSuite } from "../support/reliability.js"

const seed = Number(process.env["MODEL_SEED"] ?? Date.now() % 2 ** 31)
const numRuns = Number(process.env["MODEL_RUNS"] ?? 2_000)

eachShows(
  "Laws of the pool",
  (task) => `${numRuns.toLocaleString("en")} random histories (seed printed, shrunk): ${withSuite(task)}`
)

describe("the pool and its model", () => {
  it("agree on who holds, who waits and in which order, and nothing is lost, whatever happens", async () => {
    process.stdout.write(`pool model: ${numRuns} histories from seed ${seed}\n`)
    await fc.assert(
      fc.asyncProperty(histories, (history) => Effect.runPromise(live(history))),
      { numRuns, seed }
    )
  }, 120_000)
})
