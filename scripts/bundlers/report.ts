import { execFile } from "node:child_process"
import { promisify } from "node:util"

export interface Outcome {
  readonly code: number
  readonly output: string
}

/** With nothing of this process's environment but what programs need to be found. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  cwd: string,
  env: Readonly<Record<string, string>> = {}
): Promise<Outcome> => {
  const { HOME = "", PATH = "" } = process.env
  const options = { cwd, timeout: 300_000, maxBuffer: 1 << 26, env: { HOME, PATH, ...env } }
  return promisify(execFile)(command, args, options).then(
    ({ stderr, stdout }): Outcome => ({ code: 0, output: stdout + stderr }),
    (error): Outcome => ({
      code: typeof error.code === "number" ? error.code : -1,
      output: `${error.stdout ?? ""}${error.stderr ?? ""}${error.stdout === undefined ? error.message : ""}`
    })
  )
}

/** What was tried, a line each, and of what went wrong all that was printed. */
export class Report {
  private passed = 0
  private readonly mistakes: Array<string> = []

  expect(what: string, holds: boolean, found = ""): boolean {
    process.stdout.write(`${holds ? "ok   " : "wrong"} ${what}\n`)
    if (holds) this.passed += 1
    else this.mistakes.push(`${what}\n${found}`)
    return holds
  }

  end(): number {
    for (const mistake of this.mistakes) process.stderr.write(`\n${mistake}\n`)
    process.stdout.write(`\n${this.passed} passed, ${this.mistakes.length} failed\n`)
    return this.mistakes.length === 0 ? 0 : 1
  }
}
