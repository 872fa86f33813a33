/**
 * The last line of a test run, for a reader that counts: `N passed, N failed`, and what was skipped, if anything was.
 *
 * A file that could not be loaded and an error outside of any test count as one failure each. In CI a skipped test
 * fails the run, so that a machine that lacks something cannot look like one where all is well.
 */
import process from "node:process"
import type { SerializedError } from "vitest"
import type { Reporter, TestModule } from "vitest/node"

const isCi = process.env["CI"] !== undefined && process.env["CI"] !== "false" && process.env["CI"] !== ""

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state))
    const count = (state: (typeof states)[number]) => states.filter((other) => other === state).length
    const outside = modules.filter((module) => module.errors().length > 0).length + unhandled.length
    const skipped = count("skipped")
    if (isCi && skipped > 0) {
      process.exitCode = 1
      process.stdout.write(`CI: ${skipped} skipped, and a skip is a failure here\n`)
    } else if (skipped > 0) {
      process.stdout.write(`${skipped} skipped\n`)
    }
    process.stdout.write(`${count("passed")} passed, ${count("failed") + outside} failed\n`)
  }
}
