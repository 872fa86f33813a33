/** The server of a load test: the environment's project, or its own server in another process, on loopback. */
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { extname } from "node:path"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { Data, Effect, Redacted, type Scope } from "effect"
import type { SupabaseOptions } from "../../Config.js"

export class ServerEnded extends Data.TaggedError("ServerEnded")<{ readonly what: string }> {
  override get message(): string {
    return `The ${this.what} ended before it was ready. Nothing was sent. Its own output is above.`
  }
}

export interface Server {
  readonly what: string
  readonly supabase: SupabaseOptions
}

type Child = ChildProcessByStdio<Writable, Readable, null>

/** `.ts` in the source, `.js` in the package. */
const script = (name: string): string =>
  fileURLToPath(new URL(`${name}${extname(fileURLToPath(import.meta.url))}`, import.meta.url))

const running = (name: string, args: ReadonlyArray<string>): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      // The child gets this process's Node options (a loader, for example).
      spawn(process.execPath, [...process.execArgv, script(name), ...args], { stdio: ["pipe", "pipe", "inherit"] })
    ),
    (child) =>
      Effect.async<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.stdin.end()
        child.kill("SIGTERM")
      })
  )

/** Reads the lines that the server prints when it is ready. */
const ready = (what: string, child: Child): Effect.Effect<SupabaseOptions, ServerEnded> =>
  Effect.async((resume) => {
    const values = new Map<string, string>()
    child.once("exit", () => resume(Effect.fail(new ServerEnded({ what }))))
    createInterface({ input: child.stdout }).on("line", (line) => {
      const at = line.indexOf("=")
      values.set(line.slice(0, at), line.slice(at + 1))
      const url = values.get("SUPABASE_URL")
      const anonKey = values.get("SUPABASE_ANON_KEY")
      const serviceRoleKey = values.get("SUPABASE_SERVICE_ROLE_KEY")
      if (url === undefined || anonKey === undefined || serviceRoleKey === undefined) return
      resume(Effect.succeed({ url, anonKey: Redacted.make(anonKey), serviceRoleKey: Redacted.make(serviceRoleKey) }))
    })
  })

const started = (what: string, name: string, args: ReadonlyArray<string>) =>
  Effect.flatMap(running(name, args), (child) =>
    Effect.map(ready(what, child), (supabase): Server => ({ what: `${what} at ${supabase.url}`, supabase }))
  )

export const embedded: Effect.Effect<Server, ServerEnded, Scope.Scope> = started(
  "embedded Supabase (PostgreSQL in a process of its own, one session)",
  "../../bin",
  ["embedded", "--port", "0"]
)

export const postgres: Effect.Effect<Server, ServerEnded, Scope.Scope> = started(
  "Supabase's API over a real PostgreSQL server",
  "../../bin",
  ["embedded", "--port", "0", "--postgres"]
)

export const fixed: Effect.Effect<Server, ServerEnded, Scope.Scope> = started(
  "static server (answers at once: this shows the pool and no database)",
  "./staticServer",
  []
)
