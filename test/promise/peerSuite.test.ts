/** How `npm run test:peer-suite` compares two runs of postgrest-js's suite, which is not there in CI. */
import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { compare, difference, type Outcome, reasonOf, textOf } from "../../scripts/peerSuite/outcome.js"
import { worldOf } from "../../scripts/peerSuite/world.js"
import { root } from "../support/program.js"

const outcome = (results: ReadonlyArray<string>, more: Partial<Outcome> = {}): Outcome => ({
  file: "a.test.ts",
  name: "selects",
  passed: true,
  requests: ["GET /rest/v1/t"],
  results,
  ...more
})

const run = (...all: ReadonlyArray<Outcome>) => new Map(all.map((one, at) => [String(at), one]))

describe("two runs of a suite", () => {
  it("are the same where each test saw the same results in the same order and held as much", () => {
    const stock = run(outcome(["a", "b"]), outcome(["c"]))
    expect(compare(stock, run(outcome(["a", "b"]), outcome(["c"]))).same.length).toBe(2)
    const others: ReadonlyArray<readonly [Outcome | undefined, readonly [string, string]]> = [
      [outcome(["b", "a"]), ["a", "b"]],
      [outcome(["a"]), ["b", "no further result"]],
      [outcome(["a", "b", "c"]), ["no further result", "c"]],
      [outcome(["a", "b"], { passed: false }), ["passed", "failed"]],
      [undefined, ["was run", "was not run"]]
    ]
    for (const [other, seen] of others) {
      const ours = other === undefined ? new Map<string, Outcome>() : run(other)
      const [differing, ...rest] = compare(run(outcome(["a", "b"])), ours).differing
      expect(rest).toEqual([])
      expect(differing === undefined ? undefined : difference(differing)).toEqual(seen)
    }
  })

  it("are excused by what shows that a difference is meant, and by nothing else", () => {
    const reason = (stock: string, ours: string, name = "selects") =>
      reasonOf({ stock: outcome([stock], { name }), ours: outcome([ours], { name }) })
    expect(reason("fetch failed", "INVALID_REQUEST: the request is for http://a, and")).toMatch(/another host/)
    expect(reason('{"message":""}', "the answer to HEAD has no words")).toMatch(/HEAD/)
    expect(reason('{"message":"why"}', "the answer to HEAD has no words")).toBeUndefined()
    expect(reason("[1]", "[2]")).toBeUndefined()
  })
})

describe("what a test saw, as text", () => {
  it("has the fields of an error that JSON leaves out, undefined, and no place in the code", () => {
    const error = Object.assign(new RangeError("too far"), { code: "22003" })
    expect(JSON.parse(textOf({ error, data: undefined, details: "why\n    at here (file.ts:1:2)\nthen" }))).toEqual({
      error: { class: "RangeError", name: "RangeError", message: "too far", code: "22003" },
      data: "undefined",
      details: "why\nthen"
    })
    expect(textOf(undefined)).toBe('"undefined"')
  })
})

describe("a checkout", () => {
  it("brings its SQL, without the extension that the embedded database lacks", async () => {
    const folder = await mkdtemp(join(tmpdir(), "peer-suite-test-"))
    onTestFinished(() => rm(folder, { recursive: true }))
    await mkdir(join(folder, "test/supabase/migrations"), { recursive: true })
    const sql =
      "create extension if not exists postgis schema extensions;\ncreate table t (at extensions.geometry(POINT, 4326));"
    await writeFile(join(folder, "test/supabase/migrations/0.sql"), sql)
    expect(await worldOf(folder)).toBeUndefined()
    await writeFile(join(folder, "test/supabase/seed.sql"), "insert into t values (null);")
    expect(await worldOf(folder)).toEqual({
      migrations: [expect.stringContaining("authenticator"), "\ncreate table t (at text);"],
      seed: "insert into t values (null);\n"
    })
  })

  it("that is none is named, and nothing is begun", async () => {
    const args = ["--import", "tsx", "scripts/peerSuite.ts", "nowhere"]
    const [code, said] = await new Promise<readonly [unknown, string]>((done) => {
      execFile(process.execPath, args, { cwd: root }, (error, _, stderr) => done([error?.code, stderr]))
    })
    expect([code, said.split("\n", 1)[0]]).toEqual([
      2,
      `${join(root, "nowhere")} has no suite of postgrest-js with its SQL.`
    ])
    expect(said).toContain("npm run test:peer-suite")
  })
})
