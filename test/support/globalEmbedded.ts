/**
 * One embedded database for the whole test run. Tests get at it with `test/support/embedded.ts`. The programs that they
 * start are made before it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { Effect, Exit, Schema, Scope } from "effect"
import type { TestProject } from "vitest/node"
import type { SharedEmbedded } from "./embedded.js"
import { made, makePrograms } from "./programs.js"

declare module "vitest" {
  interface ProvidedContext {
    readonly programs: string
  }
}

const Ready = Schema.parseJson(
  Schema.Struct({
    url: Schema.String,
    anonKey: Schema.String,
    serviceRoleKey: Schema.String,
    jwtSecret: Schema.String,
    countsUrl: Schema.String
  })
)

const child = (program: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const running = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "pipe"] })
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

const start = (program: string): Effect.Effect<SharedEmbedded, unknown, Scope.Scope> =>
  child(program).pipe(Effect.flatMap(firstLine), Effect.flatMap(Schema.decode(Ready)), Effect.timeout("2 minutes"))

const programs = Effect.acquireRelease(Effect.promise(makePrograms), ({ remove }) => Effect.promise(remove))

/** Vitest asks for it for each project of the configuration; what the root provides all have. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (!project.isRootProject()) return undefined
  const scope = Effect.runSync(Scope.make())
  const { folder } = await Effect.runPromise(Scope.extend(programs, scope))
  project.provide("programs", folder)
  const database = start(made(folder, "test/support/embeddedChild.ts"))
  project.provide("embedded", await Effect.runPromise(Scope.extend(database, scope)))
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
