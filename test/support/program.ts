import { execFile } from "node:child_process"
import { rm, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { inject } from "vitest"
import { made } from "./programs.js"

export const root: string = fileURLToPath(new URL("../..", import.meta.url))

/** The file to start for one of `programs.ts`, by the path of its source. */
export const program = (source: string): string => made(inject("programs"), source)

interface Outcome {
  readonly failed: boolean
  readonly output: string
}

/** Runs Node to its end with these arguments; it ends with the fiber that waits for it. */
const runNode = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): Effect.Effect<Outcome> =>
  Effect.async((resume) => {
    const child = execFile(
      process.execPath,
      [...args],
      { timeout: 60_000, cwd: root, env: { ...process.env, ...env } },
      (error, out, err) => resume(Effect.succeed({ failed: error !== null, output: out + err }))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Runs one of `programs.ts` to its end. */
export const runProgram = (
  source: string,
  env: Readonly<Record<string, string>> = {},
  args: ReadonlyArray<string> = []
): Effect.Effect<Outcome> => runNode([program(source), ...args], env)

/** A program that a page shows, as its reader would run it. Beside the sources, so that the package's own name resolves as the compiler's paths say. */
export const runCode = (
  code: string,
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<Outcome, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const path = `${root}examples/.shown-${crypto.randomUUID()}.ts`
      await writeFile(path, code)
      return path
    }),
    (path) => Effect.promise(() => rm(path))
  ).pipe(Effect.flatMap((path) => runNode(["--import", "tsx", path], env)))
