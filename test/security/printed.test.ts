/**
 * The check that reads what a run prints, run on a suite that prints keys. On this suite it is a reporter and a setup
 * file of `vitest.config.ts`.
 */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { shows } from "../support/reliability.js"

const root = fileURLToPath(new URL("../..", import.meta.url))

interface Ended {
  readonly failed: boolean
  readonly stdout: string
  readonly stderr: string
}

/** The tests of that suite whose names match. */
const run = (names: string): Effect.Effect<Ended> =>
  Effect.async((resume) => {
    const args = ["run", "--config", "test/support/printing/vitest.config.ts", "-t", names]
    const options = { cwd: root, env: { ...process.env, NO_COLOR: "1" }, timeout: 30_000 }
    execFile(process.execPath, [`${root}node_modules/vitest/vitest.mjs`, ...args], options, (error, stdout, stderr) =>
      resume(Effect.succeed({ failed: error !== null, stdout, stderr }))
    )
  })

const complaint = "A key or a token was printed in this run"

describe("a run that prints a key", () => {
  it.live("fails: by a test, by a program that a test started, by what a failed test was given", (context) =>
    Effect.gen(function* () {
      const { failed, stderr, stdout } = yield* run(".")
      const [, shown = ""] = stdout.split(complaint)
      expect(failed).toBe(true)
      for (const line of ["by console", "by stderr", "by a child"]) expect(shown).toContain(`${line}: <a secret>\n`)
      expect(shown).toMatch(/difference.*<a secret>/)
      expect(shown).not.toContain("never-printed")
      // Listened to by its test, so that it never came to the terminal.
      expect(stderr).toContain("a process that these tests started printed a key or a token")
      for (const line of ["to a test: <a secret>", "KEY=<a secret>"]) expect(stderr).toContain(line)
      expect(stderr).not.toContain("SUPABASE_ANON_KEY")
      shows(context, {
        kind: "promise",
        section: "Security",
        what: "all that the test suite prints, and all that the programs print that it starts, is searched for keys and tokens; one fails the run. By name excepted: `supabase-pool embedded` and `npm start`, which print them to whoever asked"
      })
    })
  )

  it.live("passes where the program was asked for it, and nothing else is printed", () =>
    Effect.gen(function* () {
      const { failed, stdout } = yield* run("quiet")
      expect(stdout).toContain("1 passed")
      expect(stdout).not.toContain(complaint)
      expect(failed).toBe(false)
    })
  )
})
