/**
 * One embedded database for the whole test run. Tests get at it with `test/support/embedded.ts`.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Effect, Exit, Schema, Scope } from "effect"
import type { TestProject } from "vitest/node"
import type { SharedEmbedded } from "./embedded.js"

const Ready = Schema.parseJson(
  Schema.Struct({
    url: Schema.String,
    anonKey: Schema.String,
    serviceRoleKey: Schema.String,
    jwtSecret: Schema.String,
    countsUrl: Schema.String
  })
)

const child = Effect.acquireRelease(
  Effect.sync(() => {
    const program = fileURLToPath(new URL("./embeddedChild.ts", import.meta.url))
    const running = spawn(process.execPath, ["--import", "tsx", program], { stdio: ["pipe", "pipe", "pipe"] })
    // Not inherited: `scripts/secrets.ts` reads what goes through this process only.
    running.stderr.on("data", (chunk: Buffer) => process.stderr.write(chunk))
    return running
  }),
  (running) =>
    Effect.async<void>((resume) => {
      if (running.exitCode !== null || running.signalCode !== null) return resume(Effect.void)
      running.once("exit", () => resume(Effect.void))
      running.stdin?.end()
    })
)

const firstLine = (running: ChildProcess): Effect.Effect<string> =>
  Effect.async((resume) => {
    running.once("exit", (code) =>
      resume(Effect.die(new Error(`The embedded database of the test run ended before it was ready (code ${code}).`)))
    )
    if (running.stdout !== null) {
      createInterface({ input: running.stdout }).once("line", (line) => resume(Effect.succeed(line)))
    }
  })

const start: Effect.Effect<SharedEmbedded, unknown, Scope.Scope> = child.pipe(
  Effect.flatMap(firstLine),
  Effect.flatMap(Schema.decode(Ready)),
  Effect.timeout("2 minutes")
)

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const scope = Effect.runSync(Scope.make())
  project.provide("embedded", await Effect.runPromise(Scope.extend(start, scope)))
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
