/**
 * Reads all that a test run prints, its reporters' own words included, and fails it when there is a key or a token in it.
 * What the processes print that a test starts and listens to is read by `test/support/watchChildren.ts`.
 */
import process from "node:process"
import { stripVTControlCharacters } from "node:util"
import type { Reporter, Vitest } from "vitest/node"
import { exactSecrets, linesWithSecrets } from "../test/support/secrets.js"

export default class Secrets implements Reporter {
  private text = ""
  private vitest: Vitest | undefined

  /** Before other reporters put themselves between, so that what they write comes by here, too. */
  constructor() {
    // At the very end: the summary, with what failed tests say, comes after all that a reporter is told of.
    process.once("exit", () => this.look())
    for (const stream of [process.stdout, process.stderr]) {
      const write: unknown = Reflect.get(stream, "write")
      Reflect.set(stream, "write", (...given: ReadonlyArray<unknown>): unknown => {
        this.text += String(given[0])
        return typeof write === "function" ? Reflect.apply(write, stream, given) : false
      })
    }
  }

  onInit(vitest: Vitest): void {
    this.vitest = vitest
  }

  private look(): void {
    const exact = exactSecrets(this.vitest?.getRootProject().getProvidedContext().embedded)
    const found = linesWithSecrets(stripVTControlCharacters(this.text), exact)
    if (found.length === 0) return
    process.exitCode = 1
    process.stdout.write(`A key or a token was printed in this run, here without it:\n${found.join("\n")}\n`)
  }
}
