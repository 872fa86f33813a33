import { readFile } from "node:fs/promises"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Db from "../../src/Db.js"
import * as Metrics from "../../src/Metrics.js"
import { against, failureOf, json, problem } from "../support/httpServer.js"
import { root } from "../support/program.js"
import { samplesOf } from "../support/prometheus.js"

const Dashboard = Schema.parseJson(
  Schema.Struct({
    title: Schema.NonEmptyString,
    schemaVersion: Schema.Int,
    panels: Schema.NonEmptyArray(
      Schema.Struct({
        id: Schema.Int,
        title: Schema.NonEmptyString,
        type: Schema.String,
        gridPos: Schema.Struct({ x: Schema.Int, y: Schema.Int, w: Schema.Int, h: Schema.Int }),
        targets: Schema.NonEmptyArray(Schema.Struct({ refId: Schema.String, expr: Schema.NonEmptyString }))
      })
    )
  })
)

const fileOf = (path: string) => Effect.promise(() => readFile(`${root}${path}`, "utf8"))

const dashboard = Effect.flatMap(fileOf("docs/grafana-dashboard.json"), Schema.decode(Dashboard))

/** What a pool that has read, written, failed and retried shows. */
const shown = against((response, _seen, nth) => (nth === 2 ? problem(response, 400, "42703") : json(response, [])), {
  maxRetries: 1,
  // It has instruments of its own.
  adaptive: true
})(() =>
  Effect.gen(function* () {
    yield* Db.read((client) => client.from("products").select())
    yield* failureOf(Db.write((client) => client.from("products").insert({})))
    return samplesOf(yield* Metrics.prometheus)
  })
)

describe("docs", () => {
  it.live("the Grafana dashboard asks for nothing that the exposition does not have", () =>
    Effect.gen(function* () {
      const samples = yield* shown
      const names = new Set(samples.map(({ name }) => name))
      const labels = new Set(["instance", "le", ...samples.flatMap((sample) => Object.keys(sample.labels))])
      const { panels } = yield* dashboard
      const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
      const metrics = expressions.flatMap((expr) => [...expr.matchAll(/([a-z_]+)\{/g)].map(([, name]) => name))
      expect(metrics.length).toBeGreaterThanOrEqual(expressions.length)
      for (const name of metrics) expect(names).toContain(name)
      const asked = expressions.flatMap((expr) => [
        ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(",").map((one) => one.trim())),
        ...[...expr.matchAll(/[{,]\s*([a-z_]+)(?:=|!)/g)].map(([, label = ""]) => label)
      ])
      for (const label of asked) expect(labels).toContain(label)
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    })
  )

  it.live("the Grafana dashboard draws what is counted as a rate or an increase, never as a level", () =>
    Effect.gen(function* () {
      const { panels } = yield* dashboard
      const counted = panels
        .flatMap(({ targets }) => targets.map(({ expr }) => expr))
        .flatMap((expr) =>
          [...expr.matchAll(/(\w*\(?)[a-z_]+_(?:total|bucket|count)\{/g)].map(([all, by]) => ({ all, by }))
        )
        .filter(({ all }) => !all.endsWith("connection_count{"))
      expect(counted.length).toBeGreaterThan(10)
      for (const { all, by } of counted)
        expect([all, by]).toEqual([all, expect.stringMatching(/^(?:rate|increase)\($/)])
    })
  )

  it.live("every instrument of the table is in the exposition", () =>
    Effect.gen(function* () {
      const names = [...new Set((yield* shown).map(({ name }) => name))]
      const rows = (yield* fileOf("docs/observability.md"))
        .split("\n")
        .filter((line) => /^\| `[a-z]+\.[a-z_.]+`/.test(line))
      const instruments = rows.flatMap((row) => {
        const [first = "", ...more] = [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(
          ([, name]) => name ?? ""
        )
        const stem = first.slice(0, first.lastIndexOf("."))
        return [
          first,
          ...more.map((name) => (/^\.(idle|max)/.test(name) ? `db.client.connection${name}` : stem + name))
        ]
      })
      expect(instruments.length).toBeGreaterThan(15)
      for (const instrument of instruments) {
        const prefix = instrument.replaceAll(".", "_")
        expect(names.some((name) => name.startsWith(prefix)) ? instrument : `${instrument} is missing`).toBe(instrument)
      }
    })
  )
})
