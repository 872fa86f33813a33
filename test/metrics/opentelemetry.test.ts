import * as OtelMetrics from "@effect/opentelemetry/Metrics"
import * as Resource from "@effect/opentelemetry/Resource"
import { describe, expect, it } from "@effect/vitest"
import { DataPointType, type MetricData, MetricReader } from "@opentelemetry/sdk-metrics"
import { Effect, Layer } from "effect"
import * as Db from "../../src/Db.js"
import * as Metrics from "../../src/Metrics.js"
import * as Pool from "../../src/Pool.js"
import { against, failureOf, json, layer, problem, serve } from "../support/httpServer.js"
import { typesOf, valuesOf } from "../support/prometheus.js"

/** Reads when it is asked. */
class Reader extends MetricReader {
  protected override onShutdown = (): Promise<void> => Promise.resolve()
  protected override onForceFlush = (): Promise<void> => Promise.resolve()
}

/** What an application adds to export Effect's metrics; nothing in it knows of this package. */
const exported = Effect.gen(function* () {
  const reader = new Reader()
  yield* Layer.build(OtelMetrics.layer(() => reader).pipe(Layer.provide(Resource.layer({ serviceName: "test" }))))
  const { resourceMetrics } = yield* Effect.promise(() => reader.collect())
  const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)
  return (name: string): MetricData | undefined => metrics.find(({ descriptor }) => descriptor.name === name)
}).pipe(Effect.scoped)

/** The points of one server's pools: other tests' servers are in the same registry. */
const pointsOf = (metric: MetricData | undefined, port: number, attributes: Record<string, string> = {}) =>
  (metric?.dataPoints ?? []).filter(
    (point) =>
      point.attributes["server.port"] === String(port) &&
      Object.entries(attributes).every(([key, value]) => point.attributes[key] === value)
  )

const values = (metric: MetricData | undefined, port: number, attributes: Record<string, string> = {}) =>
  pointsOf(metric, port, attributes).map(({ value }) => value)

const products = Db.read((client) => client.from("products").select("id").eq("secret", "s3cr3t"))

describe("OpenTelemetry", () => {
  it.live("is given every instrument of its conventions for database clients, with type and unit", () =>
    against((response) => json(response, [{ id: 1 }]))(({ port }) =>
      Effect.gen(function* () {
        yield* products
        const metric = yield* exported
        const read = { "db.client.connection.pool.name": "read" }
        const expected = [
          ["db.client.operation.duration", DataPointType.HISTOGRAM, "s"],
          ["db.client.connection.count", DataPointType.SUM, "{connection}"],
          ["db.client.connection.idle.max", DataPointType.SUM, "{connection}"],
          ["db.client.connection.idle.min", DataPointType.SUM, "{connection}"],
          ["db.client.connection.max", DataPointType.SUM, "{connection}"],
          ["db.client.connection.pending_requests", DataPointType.SUM, "{request}"],
          ["db.client.connection.timeouts", DataPointType.SUM, "{timeout}"],
          ["db.client.connection.create_time", DataPointType.HISTOGRAM, "s"],
          ["db.client.connection.wait_time", DataPointType.HISTOGRAM, "s"],
          ["db.client.connection.use_time", DataPointType.HISTOGRAM, "s"]
        ] as const
        for (const [name, type, unit] of expected) {
          const data = metric(name)
          expect([name, data?.dataPointType, data?.descriptor.unit]).toEqual([name, type, unit])
          expect([name, pointsOf(data, port, read).length]).toEqual([name, name.endsWith(".count") ? 2 : 1])
        }
        const monotonic = (name: string) => {
          const data = metric(name)
          return data?.dataPointType === DataPointType.SUM && data.isMonotonic
        }
        expect(monotonic("db.client.connection.timeouts")).toBe(true)
        expect(monotonic("db.client.connection.count")).toBe(false)
        expect(values(metric("db.client.connection.max"), port, read)).toEqual([1])
        for (const name of ["create_time", "wait_time", "use_time"]) {
          const counts = values(metric(`db.client.connection.${name}`), port, read).map((value) =>
            typeof value === "object" && "count" in value ? value.count : 0
          )
          expect([name, counts]).toEqual([name, [1]])
        }
      })
    )
  )

  it.live("gets one observation per operation, by table, operation and error, retries and waiting included", () =>
    against(
      (response, _seen, nth) => {
        if (nth === 1) json(response, [])
        else if (nth === 2) problem(response, 400, "42703")
        else problem(response, 503, "PGRST002")
      },
      { maxRetries: 1, retryDelay: 1 }
    )(({ port }) =>
      Effect.gen(function* () {
        yield* products
        yield* failureOf(products)
        yield* failureOf(Db.write((client) => client.from("orders").insert({ id: 1 })))
        yield* failureOf(Db.rpc("sales", {}, { get: true }))
        const metric = yield* exported
        const seen = pointsOf(metric("db.client.operation.duration"), port).map(({ attributes, value }) => [
          attributes["db.client.connection.pool.name"],
          attributes["db.operation.name"],
          attributes["db.collection.name"] ?? attributes["db.stored_procedure.name"],
          attributes["error.type"],
          attributes["db.response.status_code"],
          typeof value === "object" && "count" in value ? value.count : 0
        ])
        expect(seen.filter(([, , , , , count]) => count !== 0)).toEqual(
          expect.arrayContaining([
            ["read", "SELECT", "products", undefined, undefined, 1],
            ["read", "SELECT", "products", "QueryError", "42703", 1],
            ["write", "INSERT", "orders", "QueryError", "PGRST002", 1],
            ["read", "CALL", "sales", "QueryError", "PGRST002", 1]
          ])
        )
        expect(JSON.stringify(seen)).not.toContain("s3cr3t")
        expect(values(metric("supabase.client.retries"), port)).toEqual([2])
      })
    )
  )

  it.live("sees connections as they are at the moment of reading, and none when the pool is closed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve((response) => json(response, []))
        const counts = Effect.map(exported, (metric) => ({
          used: values(metric("db.client.connection.count"), server.port, {
            "db.client.connection.pool.name": "read",
            "db.client.connection.state": "used"
          }),
          reachable: values(metric("supabase.pool.reachable"), server.port, {
            "db.client.connection.pool.name": "read"
          })
        }))
        yield* Effect.gen(function* () {
          const { use } = yield* Pool.ReadPool
          expect(yield* use(() => counts)).toEqual({ used: [1], reachable: [1] })
          expect((yield* counts).used).toEqual([0])
        }).pipe(Effect.provide(layer(server.url)))
        expect((yield* counts).used).toEqual([0])
      })
    )
  )

  it.live("adds up two pools of one server, and a counter keeps what a closed pool has counted", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve((response) => json(response, []))
        const read = { "db.client.connection.pool.name": "read" }
        const use = Effect.flatMap(Pool.ReadPool, (pool) => pool.use(() => Effect.void))
        const max = Effect.map(exported, (metric) => values(metric("db.client.connection.max"), server.port, read))
        yield* Effect.gen(function* () {
          yield* use
          yield* Effect.gen(function* () {
            yield* use
            expect(yield* max).toEqual([2])
          }).pipe(Effect.provide(Layer.fresh(layer(server.url))))
          expect(yield* max).toEqual([1])
        }).pipe(Effect.provide(layer(server.url)))
        const metric = yield* exported
        expect(values(metric("supabase.pool.connections.created"), server.port, read)).toEqual([2])
      })
    )
  )

  it.live("has the same figures as the text for Prometheus, under the translated names", () =>
    against((response) => json(response, []))(({ port }) =>
      Effect.gen(function* () {
        yield* products
        const text = yield* Metrics.prometheus
        const read = { server_port: String(port), db_client_connection_pool_name: "read" }
        const select = {
          ...read,
          db_system_name: "postgresql",
          db_collection_name: "products",
          db_operation_name: "SELECT"
        }
        expect(typesOf(text).get("db_client_operation_duration_seconds")).toBe("HISTOGRAM")
        expect(valuesOf(text, "db_client_operation_duration_seconds_count", select)).toEqual([1])
        expect(valuesOf(text, "db_client_operation_duration_seconds_bucket", { ...select, le: "+Inf" })).toEqual([1])
        expect(valuesOf(text, "db_client_connection_count", { ...read, db_client_connection_state: "idle" })).toEqual([
          1
        ])
        expect(typesOf(text).get("db_client_connection_count")).toBe("GAUGE")
        expect(valuesOf(text, "db_client_connection_timeouts_total", read)).toEqual([0])
        expect(valuesOf(text, "supabase_pool_reachable", read)).toEqual([1])
      })
    )
  )

  it.live("gets nothing when metrics are off", () =>
    against((response) => json(response, []), { enableMetrics: false })(({ port }) =>
      Effect.gen(function* () {
        yield* products
        const metric = yield* exported
        expect(pointsOf(metric("db.client.operation.duration"), port)).toEqual([])
        expect(pointsOf(metric("db.client.connection.count"), port)).toEqual([])
        expect(pointsOf(metric("db.client.connection.wait_time"), port)).toEqual([])
        expect((yield* Metrics.queryMetrics("day")).queries).toEqual([])
      })
    )
  )
})
