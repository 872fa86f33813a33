import { type ChildProcessByStdio, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import type { Readable } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { embedded } from "../support/embedded.js"
import { root } from "../support/program.js"

type Started = ChildProcessByStdio<null, Readable, Readable>

const { scripts } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"))

/** How a shell runs a line: as its child, which dash does, or in its own place, as bash does. */
type Shell = (line: string) => string

const asChild: Shell = (line) => `${line} "$@"; exit $?`

const inItsPlace: Shell = (line) => `exec ${line} "$@"`

/** As `npm start` does, by the very line that it runs, with nothing in its environment but what is given. */
const start = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>, shell: Shell = asChild) =>
  Effect.acquireRelease(
    Effect.sync((): Started => {
      const options = { cwd: root, env: { PATH: process.env["PATH"] ?? "", ...env } }
      return spawn("/bin/sh", ["-c", shell(scripts.start), "npm start", ...args], {
        ...options,
        stdio: ["ignore", "pipe", "pipe"]
      })
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** All that comes, as far as it has come. */
const heard = (stream: Readable): { text: string } => {
  const all = { text: "" }
  stream.setEncoding("utf8").on("data", (chunk) => {
    all.text += chunk
  })
  return all
}

const until = (child: Started, holds: () => boolean): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const look = (): void => {
      if (holds()) resume(Effect.void)
    }
    child.stdout.on("data", look)
    child.once("close", look)
    look()
  }).pipe(Effect.timeout("60 seconds"), Effect.orDie)

const serving = {
  PORT: "0",
  SUPABASE_URL: embedded.url,
  SUPABASE_ANON_KEY: embedded.anonKey,
  SUPABASE_SERVICE_ROLE_KEY: embedded.serviceRoleKey
}

describe("npm start", () => {
  it.scopedLive(
    "serves what it says on standard output, logs on standard error, and ends with 0 when it is asked to",
    () =>
      Effect.gen(function* () {
        const child = yield* start([], serving, inItsPlace)
        const [out, err] = [heard(child.stdout), heard(child.stderr)]
        yield* until(child, () => out.text.includes("admin token"))
        const health = /^health +(\S+)$/m.exec(out.text)?.[1] ?? ""
        const answer = yield* Effect.promise(() => fetch(health))
        assert.strictEqual(answer.status, 200)
        yield* Effect.promise(() => answer.body?.cancel() ?? Promise.resolve())
        const described = new URL("/openapi.json", health)
        const { paths } = yield* Effect.promise(async () => (await fetch(described)).json())
        for (const path of Object.keys(paths)) assert.include(out.text, `${described.origin}${path}`)
        assert.include(out.text, described.href)
        const closed = once(child, "close")
        child.kill("SIGTERM")
        assert.deepStrictEqual(yield* Effect.promise(() => closed), [0, null])
        assert.match(err.text, /shutting down/)
        for (const line of out.text.trim().split("\n")) assert.match(line, /^(\w+|admin token) +\S/)
        assert.notMatch(out.text, /level=|shutting down/)
      }),
    90_000
  )

  it.scopedLive(
    "ends as well where npm told the shell in between alone, which ends without it",
    () =>
      Effect.gen(function* () {
        const child = yield* start([], serving)
        const [out, err] = [heard(child.stdout), heard(child.stderr)]
        yield* until(child, () => out.text.includes("admin token"))
        // Its pipes are the server's, too: they are closed when that has ended.
        const closed = once(child, "close")
        child.kill("SIGTERM")
        assert.deepStrictEqual(yield* Effect.promise(() => closed), [null, "SIGTERM"])
        assert.match(err.text, /shutting down/)
      }),
    90_000
  )

  it.scopedLive("names an option that it does not know, and starts nothing", () =>
    Effect.gen(function* () {
      const child = yield* start(["--prot", "3001"], {})
      const [out, err] = [heard(child.stdout), heard(child.stderr)]
      const [code] = yield* Effect.promise(() => once(child, "close"))
      assert.strictEqual(code, 1)
      assert.match(err.text, /'--prot'\s+Nothing was started\. Usage: supabase-pool serve \[--load number\]/)
      assert.strictEqual(out.text, "")
    })
  )
})
