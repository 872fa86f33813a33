/** What only grows is shown as that, a total since the start or a rate, wherever somebody looks; and nothing else is. */
import { HttpServer } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, type Schema, SchemaAST } from "effect"
import { createElement } from "react"
import { renderToStaticMarkup } from "react-dom/server"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { frame, line } from "../../src/internal/cli/top/frame.js"
import { Told } from "../../src/internal/feed/client.js"
import * as format from "../../src/internal/feed/format.js"
import { HealthJson } from "../../src/internal/feed/health.js"
import { empty, next } from "../../src/internal/feed/view.js"
import { PoolSample, Sample, sinceStart } from "../../src/internal/feed/wire.js"
import { charts } from "../../src/internal/react/series.js"
import { Tiles } from "../../src/internal/react/tiles.js"
import { server as countingServer } from "../support/countingServer.js"
import { samplesOf, typesOf } from "../support/prometheus.js"
import { sample } from "../support/samples.js"
import { served } from "../support/served.js"

/** Every series of ours, by its name for Prometheus. */
const types: Readonly<Record<string, "COUNTER" | "GAUGE" | "HISTOGRAM">> = {
  db_client_operation_duration_seconds: "HISTOGRAM",
  db_client_connection_create_time_seconds: "HISTOGRAM",
  db_client_connection_wait_time_seconds: "HISTOGRAM",
  db_client_connection_use_time_seconds: "HISTOGRAM",
  db_client_connection_count: "GAUGE",
  db_client_connection_idle_max: "GAUGE",
  db_client_connection_idle_min: "GAUGE",
  db_client_connection_max: "GAUGE",
  db_client_connection_pending_requests: "GAUGE",
  supabase_pool_reachable: "GAUGE",
  supabase_pool_longest_held_seconds: "GAUGE",
  db_client_connection_timeouts_total: "COUNTER",
  supabase_pool_connections_created_total: "COUNTER",
  supabase_pool_connections_closed_total: "COUNTER",
  supabase_pool_connect_failures_total: "COUNTER",
  supabase_pool_rejections_total: "COUNTER",
  supabase_pool_leaks_total: "COUNTER",
  supabase_client_retries_total: "COUNTER"
}

/** The paths of the fields that say of themselves that they are counted since the start. */
const countersOf = (ast: SchemaAST.AST, path = ""): ReadonlyArray<string> => {
  if (Option.getOrUndefined(SchemaAST.getDescriptionAnnotation(ast)) === sinceStart) return [path]
  if (!SchemaAST.isTypeLiteral(ast)) return []
  return ast.propertySignatures.flatMap(({ name, type }) =>
    countersOf(type, path === "" ? String(name) : `${path}.${String(name)}`)
  )
}

const paths = (schema: Schema.Schema.Any): ReadonlyArray<string> => countersOf(schema.ast)

const ofPools = ["created", "closed", "acquired", "timeouts", "overloaded", "leaks", "connectFailures"] as const

/** A number that nothing else on the screen is. */
const counted = 7_654_321

const shownAs = new RegExp(`${format.number(counted)}|${counted}`)

/** One sample for each counter, which has that number. */
const counting: ReadonlyArray<readonly [name: string, sample: Sample]> = [
  ...ofPools.map((name) => [name, sample({ read: { [name]: counted } })] as const),
  ...(["total", "failed"] as const).map((name) => {
    const plain = sample()
    return [name, { ...plain, operations: { ...plain.operations, [name]: counted } }] as const
  })
]

const tilesOf = (of: Sample): ReadonlyArray<string> =>
  renderToStaticMarkup(createElement(Tiles, { sample: of })).split("<dt>")

const screenOf = (of: Sample): string =>
  frame(next(empty, Told.Sample({ sample: of }), 0), {
    columns: 200,
    rows: 30,
    colour: false,
    url: "http://127.0.0.1:3000",
    now: 0
  }).join("\n")

describe("a counter", () => {
  it.scopedLive("is a counter at /metrics, whose name ends in _total, and nothing else is one", () =>
    Effect.gen(function* () {
      const database = yield* countingServer
      const layer = served(
        Config.SupabaseConfig.layerOf({
          url: database.url,
          anonKey: "anon-never-printed",
          serviceRoleKey: "service-never-printed"
        })
      )
      const text = yield* Effect.gen(function* () {
        yield* Db.read((client) => client.from("products").select("id"))
        const url = yield* HttpServer.addressFormattedWith(Effect.succeed)
        return yield* Effect.promise((signal) => fetch(`${url}/metrics`, { signal }).then((answer) => answer.text()))
      }).pipe(Effect.provide(layer))
      const ours = [...typesOf(text)].filter(([name]) => /^(?:db_client|supabase)_/.test(name))
      expect(Object.fromEntries(ours)).toEqual(types)
      for (const [name, type] of ours) expect([name, type === "COUNTER"]).toEqual([name, name.endsWith("_total")])
      expect(samplesOf(text).filter(({ name, value }) => name.endsWith("_total") && !(value >= 0))).toEqual([])
    })
  )

  it("says in the event stream and in the health report that it is one", () => {
    expect([...paths(PoolSample)].sort()).toEqual([...ofPools].sort())
    expect(paths(Sample)).toEqual([
      ...paths(PoolSample).map((name) => `read.${name}`),
      ...paths(PoolSample).map((name) => `write.${name}`),
      "operations.total",
      "operations.failed"
    ])
    expect(paths(HealthJson)).toEqual([
      "database.pool.performance.totalRequests",
      "database.pool.performance.failedRequests",
      "database.pool.monitoring.connectionLeaks"
    ])
  })

  it.each(counting)("%s is no line of a chart of the dashboard, which has levels and rates", (_, changed) => {
    const values = (of: Sample) => charts.flatMap(({ lines }) => lines.map(({ value }) => value(of)))
    expect(values(changed)).toEqual(values(sample()))
  })

  it.each(counting)("%s is on a tile of the dashboard as a total since the start, or not at all", (_, changed) => {
    for (const tile of tilesOf(changed).filter((each) => shownAs.test(each))) expect(tile).toContain("since start")
  })

  it.each(counting)("%s is on the screen of top as a total since the start, or not at all", (_, changed) => {
    const facts = [screenOf(changed).split(/ · |\n/), line(changed).split("  ")].flat()
    for (const fact of facts.filter((each) => shownAs.test(each))) expect(fact).toContain("since start")
  })

  it("is shown: leaks, operations, what failed and what waited in vain", () => {
    const shown = counting.filter(([, changed]) => shownAs.test(tilesOf(changed).join("")))
    expect(shown.map(([name]) => name)).toEqual(["timeouts", "overloaded", "leaks", "total", "failed"])
    const onScreen = counting.filter(([, changed]) => shownAs.test(screenOf(changed)))
    expect(onScreen.map(([name]) => name)).toEqual(["leaks", "total"])
  })
})
