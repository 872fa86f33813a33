import { execFile } from "node:child_process"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { stripVTControlCharacters } from "node:util"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Console, Effect, FiberId } from "effect"
import * as fc from "effect/FastCheck"
import { variables } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { run as command, report } from "../../src/internal/cli/command.js"
import { connection, expectedVersion, line } from "../../src/internal/cli/findings.js"
import * as Numbers from "../../src/internal/cli/numbers.js"
import { embedded } from "../support/embedded.js"
import { program } from "../support/program.js"
import { oldMigrationFile } from "../support/scratch.js"

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the real program with nothing in its environment but what is given. */
const run = (args: ReadonlyArray<string>, env: Record<string, string> = {}): Effect.Effect<Outcome> =>
  Effect.async((resume) => {
    const options = { env: { PATH: String(process.env["PATH"]), ...env }, timeout: 30_000 }
    const child = execFile(process.execPath, [program("src/bin.ts"), ...args], options, (error, stdout, stderr) => {
      resume(
        Effect.succeed({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, stdout, stderr })
      )
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** The same in this process, for what ends before anything is opened: whether it failed, and what it said. */
const here = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const console = yield* Console.consoleWith(Effect.succeed)
    const said: Array<string> = []
    const listen = (...words: ReadonlyArray<unknown>) => Effect.sync(() => said.push(words.join(" ")))
    const exit = yield* Effect.exit(command(args)).pipe(
      Effect.withConsole({ ...console, log: listen, error: listen }),
      Effect.provide(NodeContext.layer)
    )
    return { failed: exit._tag === "Failure", text: stripVTControlCharacters(said.join("\n")) }
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
  Effect.map(connection("https://x.supabase.co").pipe(Effect.provide(installed(version))), (findings) =>
    findings.find(({ name }) => name === "transaction function")
  )

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

  it.live("says that nobody answers, and what could not be checked for it", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["check"], {
        SUPABASE_URL: "http://127.0.0.1:1",
        SUPABASE_ANON_KEY: "some-anon-key",
        SUPABASE_SERVICE_ROLE_KEY: "some-service-key"
      })
      assert.strictEqual(code, 1)
      assert.include(stdout, "wrong database: nothing answers at http://127.0.0.1:1")
      assert.include(stdout, "Nothing was sent.")
      for (const name of ["anon key", "service-role key", "transaction function"]) {
        assert.include(stdout, `-     ${name}: not checked because nothing answers`)
      }
      assert.notInclude(stdout, "ok    database")
    })
  )

  it.effect("says of a database that answers which one it is", () =>
    Effect.gen(function* () {
      const found = yield* Effect.provide(connection("https://x.supabase.co"), installed(expectedVersion))
      assert.strictEqual(found.map(line)[0], "ok    database: https://x.supabase.co")
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
      assert.match(stdout, /DB_POOL_MAX_CONNECTIONS.*many/)
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

describe("supabase-pool migration, where an earlier version is,", () => {
  it.scoped("writes what is missing beside it, and says how to apply it", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const old = join(dir, oldMigrationFile)
      yield* Effect.promise(() => writeFile(old, "-- the old one, with a change of ours"))
      const first = yield* here("migration", "--dir", dir)
      assert.isFalse(first.failed)
      assert.include(first.text, `replaces what ${oldMigrationFile} made`)
      assert.include(first.text, "`supabase db push`")
      const names = yield* Effect.promise(() => readdir(dir))
      assert.lengthOf(names, 2)
      const [mine = ""] = names.filter((name) => name !== oldMigrationFile)
      assert.match(mine, /^\d{14}_supabase_pool[.]sql$/)
      assert.isAbove(Number(mine.slice(0, 14)), Number(oldMigrationFile.slice(0, 14)))
      assert.include(yield* Effect.promise(() => readFile(old, "utf8")), "a change of ours")
      assert.include((yield* here("migration", "--dir", dir)).text, "is the same")
      assert.lengthOf(yield* Effect.promise(() => readdir(dir)), 2)
    })
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

  it.effect("lists every variable in its help, with its default", () =>
    Effect.gen(function* () {
      const { text } = yield* here("--help")
      for (const { name } of variables) assert.include(text, name)
      assert.include(text, "default: 30000 ms")
    })
  )

  it.effect("names itself in the usage of a command, and the defaults", () =>
    Effect.gen(function* () {
      const embeddedHelp = yield* here("embedded", "--help")
      assert.isFalse(embeddedHelp.failed)
      assert.include(embeddedHelp.text, "$ supabase-pool embedded [--port integer]")
      assert.include(embeddedHelp.text, "default: 54321")
      const { text } = yield* here("load", "-h")
      assert.include(text, "default: 10")
      assert.include(text, "a missed target does not change it")
    })
  )

  it.effect("refuses a number that cannot be before it opens anything, and says what can", () =>
    Effect.gen(function* () {
      const wrong = [
        ["load", "--rate=-5", "--static"],
        ["load", "--rate=0", "--static"],
        ["load", "--rate=1e12", "--static"],
        ["load", "--duration=0", "--static"],
        ["load", "--rate=90000", "--duration=86400", "--static"],
        ["embedded", "--port=99999"],
        ["embedded", "--port=-1"],
        ["load", "--static", "--postgres"],
        ["embedded", "--port", "abc"],
        ["embedded", "--seed", "seed.json"],
        ["serve", "--load=-3"],
        ["serve", "--load", "many"]
      ]
      for (const args of wrong) {
        const { failed, text } = yield* here(...args)
        assert.isTrue(failed, args.join(" "))
        assert.include(
          text,
          args
            .slice(1)
            .join(" ")
            .replace("=", " ")
            .replace(/ --(static|duration).*/, "")
        )
        assert.include(text, "Nothing was started.")
        assert.include(text, "Give ")
      }
    })
  )

  it.effect("names an argument that it does not know, and shows what the command takes", () =>
    Effect.gen(function* () {
      const unknown = [
        { args: ["serve", "--prot", "3000"], named: "'--prot'", usage: "Usage: supabase-pool serve [--load number]" },
        { args: ["embedded", "--port"], named: "'--port'", usage: "Usage: supabase-pool embedded [--port integer]" },
        { args: ["check", "twice"], named: "'twice'", usage: "Usage: supabase-pool check [--json]" },
        {
          args: ["load", "--preset", "huge"],
          named: "--preset huge is not valid: a preset is one of development, production, highLoad",
          usage: "Usage: supabase-pool load [--preset development | production | highLoad]"
        },
        { args: ["fly"], named: "'serve', 'check'", usage: "`supabase-pool --help`" }
      ]
      for (const { args, named, usage } of unknown) {
        const { failed, text } = yield* here(...args)
        assert.isTrue(failed, args.join(" "))
        assert.include(text, named)
        assert.include(text, `Nothing was started. ${usage}`)
      }
    })
  )

  it.effect(
    "says what is wrong with a folder, an address or half a pair of keys, and leaves no trace of the stack",
    () =>
      Effect.gen(function* () {
        const folder = yield* here("migration", "--dir", "package.json/x")
        assert.match(folder.text, /^The migration cannot be written to package\.json\/x: .*ENOTDIR.* --dir\.$/)
        const address = yield* here("top", "--url", "ftp://x#token=some-token", "--once")
        assert.include(address.text, "--url ftp://x is not valid")
        assert.notInclude(address.text, "some-token")
        const keys = yield* here("embedded", "--port=0").pipe(
          Effect.withConfigProvider(
            ConfigProvider.fromMap(
              new Map([
                ["SUPABASE_ANON_KEY", "some-key"],
                ["SUPABASE_SERVICE_ROLE_KEY", " "]
              ])
            )
          )
        )
        assert.match(
          keys.text,
          /^SUPABASE_ANON_KEY is set and SUPABASE_SERVICE_ROLE_KEY is not\. Nothing was started\./
        )
        assert.isTrue(folder.failed && address.failed && keys.failed)
      })
  )

  for (const name of ["serve", "load"]) {
    it.effect(`${name} prints what is wrong in the configuration, by name, and no stack`, () =>
      Effect.gen(function* () {
        const wrong = ConfigProvider.fromMap(
          new Map([
            ["DB_POOL_MAX_CONNECTIONS", "0"],
            ["SUPABASE_URL", "nope"]
          ])
        )
        const { failed, text } = yield* Effect.withConfigProvider(here(name), wrong)
        assert.isTrue(failed)
        const [first = "", ...lines] = text.split("\n")
        assert.strictEqual(first, "4 mistakes in the configuration; nothing was opened:")
        assert.deepStrictEqual(
          lines.map((line) => /^ {2}(\w+): .* — ./.exec(line)?.[1]),
          ["DB_POOL_MAX_CONNECTIONS", "SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY"]
        )
      })
    )
  }

  it("takes exactly the numbers within the bounds", () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        const isPort = Number.isInteger(value) && value >= 0 && value <= 65_535
        assert.strictEqual(Numbers.port.holds(value), isPort)
        assert.isTrue(!Numbers.perSecond.holds(value) || (value > 0 && Number.isFinite(value)))
        assert.isTrue(!Numbers.seconds.holds(value) || value >= 1)
      })
    )
    for (const { example, holds } of [Numbers.port, Numbers.perSecond, Numbers.seconds]) assert.isTrue(holds(example))
  })

  it.effect("is never silent about a failure, whatever failed", () => {
    const failures = fc.oneof(
      fc.anything(),
      fc.string().map((message) => new Error(message)),
      fc.constant(new Error("")),
      fc.string().map((_tag) => ({ _tag }))
    )
    const causes = fc.oneof(
      failures.map((error) => Cause.fail(error)),
      failures.map((defect) => Cause.die(defect)),
      fc.constant(Cause.empty),
      failures.map((error) => Cause.parallel(Cause.interrupt(FiberId.none), Cause.fail(error)))
    )
    return Effect.gen(function* () {
      const console = yield* Console.consoleWith(Effect.succeed)
      for (const cause of fc.sample(causes, 200)) {
        const said: Array<string> = []
        yield* report(cause, []).pipe(
          Effect.withConsole({ ...console, error: (...args) => Effect.sync(() => said.push(args.join(" "))) })
        )
        assert.notStrictEqual(said.join("").trim(), "", String(Cause.pretty(cause)))
      }
    })
  })

  it.live("ends with 1 for a command that it does not have", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* run(["fly"])).code, 1)
    })
  )
})
