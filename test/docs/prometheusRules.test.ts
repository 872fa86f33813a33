/** The rules that docs ship, by Prometheus's own tool: accepted, and right about a bad quarter of an hour. */
import { execFile, spawnSync } from "node:child_process"
import { readFile } from "node:fs/promises"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import * as Metrics from "../../src/Metrics.js"
import { root } from "../support/program.js"
import { samplesOf } from "../support/prometheus.js"

const folder = `${root}docs/prometheus/`

/** Debian: in the package `prometheus`. */
const hasPromtool = spawnSync("promtool", ["--version"]).status === 0

const promtool = (...args: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.async((resume) => {
    execFile("promtool", [...args], { cwd: folder }, (error, out, err) =>
      resume(Effect.succeed(`${error === null ? "ok" : "failed"} ${out}${err}`))
    )
  })

const rules = Effect.promise(() => readFile(`${folder}rules.yml`, "utf8"))

describe("docs/prometheus", () => {
  it.live.skipIf(!hasPromtool)("holds rules that promtool takes, and its tests of them", () =>
    Effect.gen(function* () {
      assert.match(yield* promtool("check", "rules", "rules.yml"), /^ok [\s\S]*SUCCESS: \d+ rules found/)
      assert.match(yield* promtool("test", "rules", "rules.test.yml"), /^ok [\s\S]*SUCCESS/)
    })
  )

  it.effect("tests each alert, where it fires", () =>
    Effect.gen(function* () {
      const alerts = [...(yield* rules).matchAll(/- alert: (\w+)/g)].map(([, name]) => name)
      const tests = yield* Effect.promise(() => readFile(`${folder}rules.test.yml`, "utf8"))
      const fired = [...tests.matchAll(/alertname: (\w+)\n\s+exp_alerts:\n\s+- exp_labels/g)].map(([, name]) => name)
      assert.sameMembers([...new Set(fired)], alerts)
    })
  )

  it.effect("asks for nothing that a pool does not show", () =>
    Effect.gen(function* () {
      yield* Db.read((client) => client.from("products").select())
      const shown = new Set(samplesOf(yield* Metrics.prometheus).map(({ name }) => name))
      const asked = [...(yield* rules).matchAll(/\b(?:db_client|supabase)_[a-z_]+/g)]
        .map(([name]) => name)
        .filter((name) => /_(?:count|max|total|bucket|requests|reachable|seconds)$/.test(name))
      assert.isAbove(asked.length, 8)
      for (const name of asked) assert.isTrue(shown.has(name) || shown.has(`${name}_count`), name)
    }).pipe(Effect.provide(Db.layerTest(() => Response.json([]))))
  )
})
