import { spawn } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { root } from "../support/program.js"

interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** One of our own programs that ends before it begins: the lightest of those that take arguments. */
const matrix = (...args: ReadonlyArray<string>): Effect.Effect<Outcome> =>
  Effect.async<Outcome>((resume) => {
    const child = spawn(process.execPath, ["--import", "tsx", "scripts/matrix.ts", ...args], { cwd: root })
    let out = ""
    let err = ""
    child.stdout.on("data", (chunk) => {
      out += chunk
    })
    child.stderr.on("data", (chunk) => {
      err += chunk
    })
    child.once("close", (code) => resume(Effect.succeed({ code, out, err })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

describe("arguments of our own programs", () => {
  it.live("--help prints the help and ends with 0, wherever it stands", () =>
    Effect.gen(function* () {
      const { code, err, out } = yield* matrix("--unknown", "-h")
      assert.strictEqual(code, 0)
      assert.match(out, /^npm run test:matrix/)
      assert.strictEqual(err, "")
    })
  )

  it.live("what cannot be is named above the help, and ends with 2", () =>
    Effect.gen(function* () {
      const wrong = [
        { args: ["--onyl", "22"], named: /^Unknown option '--onyl'/ },
        { args: ["--only"], named: /^Option '--only <value>' argument missing/ },
        { args: ["--only", "abc"], named: /^--only: "abc" is no version\. Write 22 or 22\.12\.0\./ },
        { args: ["22"], named: /^"22" belongs to no option\./ }
      ]
      for (const { args, named } of wrong) {
        const { code, err, out } = yield* matrix(...args)
        assert.strictEqual(code, 2, err)
        assert.match(err, named)
        assert.include(err, "npm run test:matrix")
        assert.strictEqual(out, "")
      }
    })
  )
})
