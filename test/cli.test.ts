import { execFile } from "node:child_process"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Db from "../src/Db.js"
import { connection, expectedVersion } from "../src/internal/cli/findings.js"
import { embedded } from "./support/embedded.js"

const bin = fileURLToPath(new URL("../src/bin.ts", import.meta.url))

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the real program with nothing in its environment but what is given. */
const run = (args: ReadonlyArray<string>, env: Record<string, string> = {}): Effect.Effect<Outcome> =>
  Effect.async((resume) => {
    const options = { env: { PATH: String(process.env["PATH"]), ...env }, timeout: 30_000 }
    const child = execFile(process.execPath, ["--import", "tsx", bin, ...args], options, (error, stdout, stderr) => {
      resume(
        Effect.succeed({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, stdout, stderr })
      )
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "supabase-pool-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

/** A database whose transaction function has this version, or none. */
const installed = (version: number | undefined) =>
  Db.layerTest((request) => {
    if (new URL(request.url).pathname.endsWith("supabase_pool_ping")) return Response.json(true)
    return version === undefined
      ? Response.json({ code: "PGRST202", message: "no such function", details: null, hint: null }, { status: 404 })
      : Response.json(version)
  })

const verdict = (version: number | undefined) =>
  Effect.map(connection.pipe(Effect.provide(installed(version))), (findings) => findings[2])

describe("supabase-pool check", () => {
  it.effect("tells that the transaction function is installed", () =>
    Effect.gen(function* () {
      const found = yield* verdict(expectedVersion)
      assert.deepStrictEqual([found?.ok, found?.detail], [true, `version ${expectedVersion}`])
    })
  )

  it.effect("tells that the migration is missing, and which to apply", () =>
    Effect.gen(function* () {
      const found = yield* verdict(undefined)
      assert.deepStrictEqual([found?.ok, found?.detail], [false, "is not installed"])
      assert.include(found?.remedy, "supabase_pool.sql")
    })
  )

  it.effect("tells that the migration is old", () =>
    Effect.gen(function* () {
      const found = yield* verdict(expectedVersion - 1)
      assert.isFalse(found?.ok)
      assert.include(found?.detail, "is old")
    })
  )

  it.live("ends with 0 when all is well, and says so as JSON", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["check", "--json"], {
        SUPABASE_URL: embedded.url,
        SUPABASE_ANON_KEY: embedded.anonKey,
        SUPABASE_SERVICE_ROLE_KEY: embedded.serviceRoleKey
      })
      assert.strictEqual(code, 0)
      assert.isTrue(JSON.parse(stdout).ok)
    })
  )

  it.live("ends with 1 and names every mistake in the environment, but no key", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* run(["check"], {
        SUPABASE_URL: "ftp://x",
        SUPABASE_ANON_KEY: "the-secret\n-anon-key",
        DB_POOL_MAX_CONNECTIONS: "many"
      })
      assert.strictEqual(code, 1)
      for (const name of ["SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "DB_POOL_MAX_CONNECTIONS"]) {
        assert.include(stdout, name)
      }
      assert.notInclude(stdout + stderr, "the-secret")
    })
  )
})

describe("supabase-pool migration", () => {
  it.live("writes the SQL, again without harm, and never over a file that differs", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const dir = join(yield* folder, "migrations")
        assert.strictEqual((yield* run(["migration", "--dir", dir])).code, 0)
        const [name = ""] = yield* Effect.promise(() => readdir(dir))
        const path = join(dir, name)
        assert.include(yield* Effect.promise(() => readFile(path, "utf8")), "supabase_pool_transaction")
        assert.strictEqual((yield* run(["migration", "--dir", dir])).code, 0)
        yield* Effect.promise(() => writeFile(path, "-- mine"))
        const refused = yield* run(["migration", "--dir", dir])
        assert.strictEqual(refused.code, 1)
        assert.include(refused.stderr, "--force")
        assert.strictEqual(yield* Effect.promise(() => readFile(path, "utf8")), "-- mine")
      })
    )
  )
})

describe("supabase-pool", () => {
  it.live("shows its commands without colours where there is no terminal", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["--help"])
      assert.strictEqual(code, 0)
      for (const name of ["serve", "check", "migration", "embedded"]) assert.include(stdout, name)
      assert.notInclude(stdout, "\u001b")
    })
  )

  it.live("ends with 1 for a command that it does not have", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* run(["fly"])).code, 1)
    })
  )
})
