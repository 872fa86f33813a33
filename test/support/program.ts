import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

export const root: string = fileURLToPath(new URL("../..", import.meta.url))

export interface Outcome {
  readonly failed: boolean
  readonly output: string
}

/** Runs a TypeScript file to its end, as a reader of the documentation would; ends with the fiber that waits for it. */
export const runProgram = (path: string): Effect.Effect<Outcome> =>
  Effect.async((resume) => {
    const child = execFile(
      process.execPath,
      ["--import", "tsx", path],
      { timeout: 60_000, cwd: root },
      (error, out, err) => resume(Effect.succeed({ failed: error !== null, output: out + err }))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })
