import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Schema, TestClock } from "effect"
import * as Db from "../../src/Db.js"
import { Queries } from "../../src/internal/metrics/queries.js"
import * as Metrics from "../../src/Metrics.js"
import { failureOf } from "../support/httpServer.js"
import { samplesOf } from "../support/prometheus.js"

const bad = { code: "42703", message: "no such column", details: null, hint: null }

/** Nothing that happens by itself, so that hours of virtual time are short. */
const quiet = { keepaliveInterval: 0, maxLifetime: 0, leakDetectionTimeout: 0 }

/** Answers after as many ms as the header-less request asks for in its `limit`; a table named `bad` is refused. */
const database = Db.layerTest((request) => {
  const { pathname, searchParams } = new URL(request.url)
  const answer = pathname.endsWith("/bad") ? Response.json(bad, { status: 400 }) : Response.json([])
  return Effect.delay(Effect.succeed(answer), Number(searchParams.get("limit") ?? 0))
}, quiet)

/** An operation that takes so long, in virtual time. */
const taking = (millis: number, table = "products", value = "a") =>
  Effect.gen(function* () {
    const running = yield* Effect.fork(
      Effect.exit(Db.read((client) => client.from(table).select("id").eq("name", value).limit(millis)))
    )
    yield* TestClock.adjust(millis)
    yield* Fiber.join(running)
  })

const sentFor = (path: string) => ({ method: "GET", path, requests: 1 })

const good = { errorType: "", statusCode: "", isError: false, isFailure: false }

describe("query analytics", () => {
  it.effect("tell the queries apart by shape, count and time them, and say what they were, without a value", () =>
    Effect.gen(function* () {
      for (const millis of [10, 20, 30, 40]) yield* taking(millis, "products", `s3cr3t-${millis}`)
      yield* taking(5, "bad")
      const metrics = yield* Metrics.queryMetrics("minute")
      expect(metrics.total).toMatchObject({ count: 5, errors: 1, failed: 0, mean: 21, max: 40 })
      expect(metrics.queries).toMatchObject([
        {
          query: "SELECT id FROM products WHERE name = ? LIMIT ?",
          operation: "SELECT",
          name: "products",
          pool: "read",
          count: 4,
          errors: 0,
          mean: 25,
          max: 40
        },
        { query: "SELECT id FROM bad WHERE name = ? LIMIT ?", count: 1, errors: 1, failed: 0 }
      ])
      expect(metrics.queries[0]?.p99).toBeGreaterThan(28)
      expect(JSON.stringify(metrics)).not.toContain("s3cr3t")
      expect(yield* Metrics.latency("minute")).toEqual(metrics.total)
    }).pipe(Effect.provide(database))
  )

  it.effect("stand in the order of the time that they took altogether, not of how often they came", () =>
    Effect.gen(function* () {
      for (const millis of [10, 10, 10]) yield* taking(millis, "often")
      yield* taking(100, "long")
      const { queries } = yield* Metrics.queryMetrics("minute")
      expect(queries.map(({ name }) => name)).toEqual(["long", "often"])
    }).pipe(Effect.provide(database))
  )

  it("are told apart by the conditions in `or`, and an operation of several requests from one of its first alone", () => {
    const queries = new Queries("http://shapes.test", { slowAfter: 500, maxShapes: 50 })
    const either = sentFor("/rest/v1/t?or=(a.eq.1,b.eq.2)")
    const one = sentFor("/rest/v1/t?id=eq.1")
    for (const sent of [either, sentFor("/rest/v1/t?or=(c.gt.1)"), either, one, { ...one, requests: 2 }]) {
      queries.record(0, 1, "read", sent, good)
    }
    const counts = queries.all.map(({ shape, windows }) => [shape.text, windows.sum("minute", 0).count])
    expect(counts.filter(([, count]) => count !== 0)).toEqual([
      ["SELECT * FROM t WHERE or(a.eq,b.eq)", 2],
      ["SELECT * FROM t WHERE or(c.gt)", 1],
      ["SELECT * FROM t WHERE id = ?", 1],
      ["SELECT * FROM t WHERE id = ? and more", 1]
    ])
  })

  it.effect("slide: a minute forgets what the hour still knows", () =>
    Effect.gen(function* () {
      yield* taking(10)
      yield* TestClock.adjust("2 minutes")
      yield* taking(10)
      const counts = (window: Metrics.Window) => Effect.map(Metrics.queryMetrics(window), ({ total }) => total.count)
      expect([yield* counts("minute"), yield* counts("hour"), yield* counts("day")]).toEqual([1, 2, 2])
    }).pipe(Effect.provide(database))
  )

  it.effect("say how much of the window they cover", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_000)
      const covered = Effect.map(
        Effect.zipRight(TestClock.adjust("10 seconds"), Metrics.queryMetrics("day")),
        (metrics) => metrics.covered
      ).pipe(Effect.provide(database))
      expect(yield* covered).toBe(10_000)
    })
  )

  it.effect("keep the slow ones, with time and shape, and the error where there was one", () =>
    Effect.gen(function* () {
      yield* taking(499)
      yield* taking(700)
      yield* taking(900, "bad")
      const { slow } = yield* Metrics.queryMetrics("hour")
      expect(slow).toEqual([
        { query: "SELECT id FROM bad WHERE name = ? LIMIT ?", duration: 900, at: 2_099, error: "QueryError" },
        { query: "SELECT id FROM products WHERE name = ? LIMIT ?", duration: 700, at: 1_199, error: "" }
      ])
    }).pipe(Effect.provide(database))
  )

  it.effect("go by the settings that they are given", () =>
    Effect.gen(function* () {
      yield* taking(20, "a")
      yield* taking(30, "b")
      yield* taking(40, "c")
      const { queries, slow } = yield* Metrics.queryMetrics("hour")
      expect(slow.length).toBe(2)
      expect(queries.map(({ count, query }) => [query, count])).toEqual([
        ["(other)", 2],
        ["SELECT id FROM a WHERE name = ? LIMIT ?", 1]
      ])
    }).pipe(
      Effect.provide(
        Layer.provide(database, Layer.succeed(Metrics.Settings, { slowAfter: Duration.millis(30), maxShapes: 1 }))
      )
    )
  )

  it.effect("name an operation of several requests after its first, and one that got no connection after nothing", () =>
    Effect.gen(function* () {
      yield* Db.read((client) =>
        Effect.promise(async () => {
          await client.from("shops").select("id")
          await client.from("products").select("id")
        })
      )
      yield* Effect.interrupt.pipe(Effect.exit)
      const { queries } = yield* Metrics.queryMetrics("hour")
      expect(queries.map(({ query }) => query)).toEqual(["SELECT id FROM shops and more"])
    }).pipe(Effect.provide(database))
  )

  it.effect("count an interrupted operation as one that came and not as an error", () =>
    Effect.gen(function* () {
      const running = yield* Effect.fork(Db.read((client) => client.from("products").select("id").limit(60_000)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(running)
      expect(yield* Metrics.latency("hour")).toMatchObject({ count: 1, errors: 0, failed: 0, max: 1_000 })
    }).pipe(Effect.provide(database))
  )

  it.effect("count a wait that was in vain", () =>
    Effect.gen(function* () {
      const holder = yield* Effect.fork(Db.read(() => Effect.never))
      yield* TestClock.adjust(0)
      const waiting = yield* Effect.fork(failureOf(Db.read((client) => client.from("products").select())))
      yield* TestClock.adjust("30 seconds")
      expect((yield* Fiber.join(waiting))._tag).toBe("AcquireTimeout")
      yield* Fiber.interrupt(holder)
      const { queries } = yield* Metrics.queryMetrics("hour")
      expect(queries).toContainEqual(
        expect.objectContaining({
          query: "(nothing was sent: left while waiting, or refused)",
          errors: 1,
          failed: 1,
          max: 30_000
        })
      )
    }).pipe(
      Effect.provide(Db.layerTest(() => Response.json([]), { minConnections: 1, maxConnections: 2, maxRetries: 0 }))
    )
  )
})

describe("operations that never got a connection", () => {
  const Product = Schema.Struct({ id: Schema.Int })

  const ways: ReadonlyArray<
    readonly [Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>, ReadonlyArray<string | undefined>]
  > = [
    [Db.table("shelves", Product).list(), ["SELECT", "shelves"]],
    [Db.table("shelves", Product).create({ id: 1 }), ["INSERT", "shelves"]],
    [Db.table("shelves", Product).remove(1), ["DELETE", "shelves"]],
    [Db.rpc("stocktaking"), ["CALL", "stocktaking"]],
    [Db.transaction([(client) => client.from("shelves").insert({ id: 1 })]), ["CALL", "supabase_pool_transaction"]],
    [Db.read((client) => client.from("shelves").select()), ["(not sent)", undefined]]
  ]

  it.effect("are counted under their table and operation, and none under no name", () =>
    Effect.gen(function* () {
      const held = [yield* Effect.fork(Db.read(() => Effect.never)), yield* Effect.fork(Db.write(() => Effect.never))]
      yield* TestClock.adjust(0)
      const waiting = yield* Effect.fork(Effect.forEach(ways, ([ask]) => failureOf(ask), { concurrency: "unbounded" }))
      yield* TestClock.adjust("30 seconds")
      expect((yield* Fiber.join(waiting)).map((error) => error._tag)).toEqual(ways.map(() => "AcquireTimeout"))
      yield* Effect.forEach(held, (fiber) => Fiber.interrupt(fiber))
      const counted = samplesOf(yield* Metrics.prometheus)
        .filter(({ name }) => name === "db_client_operation_duration_seconds_count")
        .map(({ labels }) => labels)
        .filter((labels) => labels["error_type"] === "AcquireTimeout")
        .map((labels) => [
          labels["db_operation_name"],
          labels["db_collection_name"] ?? labels["db_stored_procedure_name"]
        ])
      expect(counted).toEqual(expect.arrayContaining(ways.map(([, names]) => names)))
      expect(counted.filter(([operation]) => operation === undefined)).toEqual([])
    }).pipe(
      Effect.provide(
        Db.layerTest(() => Response.json([]), {
          minConnections: 1,
          maxConnections: 2,
          maxRetries: 0
        })
      )
    )
  )
})

describe("the memory of query analytics", () => {
  it("does not grow with the number of shapes that come", () => {
    const queries = new Queries("http://shapes.test", { slowAfter: 500, maxShapes: 50 })
    for (let n = 0; n < 20_000; n += 1) {
      queries.record(n, 1, n % 2 === 0 ? "read" : "write", sentFor(`/rest/v1/table${n}?id=eq.${n}`), good)
    }
    expect(queries.all.length).toBe(52)
    const counted = queries.all.map(({ windows }) => windows.sum("day", 20_000).count)
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(20_000)
  })

  const days = (n: number): number => n * 86_500_000

  const named = (queries: Queries, now: number) =>
    queries.all
      .map(({ shape, windows }) => [shape.text, windows.sum("day", now).count] as const)
      .filter(([, count]) => count !== 0)

  it("makes room for a new shape where an old one was not seen for a day, and not before", () => {
    const queries = new Queries("http://shapes.test", { slowAfter: 500, maxShapes: 2 })
    queries.record(0, 1, "read", sentFor("/rest/v1/old"), good)
    queries.record(days(0.9), 1, "read", sentFor("/rest/v1/used"), good)
    queries.record(days(0.95), 1, "read", sentFor("/rest/v1/new"), good)
    expect(named(queries, days(0.95)).map(([text]) => text)).toEqual([
      "SELECT * FROM old",
      "SELECT * FROM used",
      "(other)"
    ])
    queries.record(days(1.1), 1, "read", sentFor("/rest/v1/new"), good)
    expect(named(queries, days(1.1)).slice(0, 2)).toEqual([
      ["SELECT * FROM used", 1],
      ["SELECT * FROM new", 1]
    ])
  })

  it("loses no operation of a shape that has made room and comes again", () => {
    const queries = new Queries("http://shapes.test", { slowAfter: 500, maxShapes: 1 })
    queries.record(0, 1, "read", sentFor("/rest/v1/old"), good)
    queries.record(days(1.1), 1, "read", sentFor("/rest/v1/new"), good)
    queries.record(days(1.1), 1, "read", sentFor("/rest/v1/old"), good)
    expect(named(queries, days(1.1))).toEqual([
      ["SELECT * FROM new", 1],
      ["(other)", 1]
    ])
  })

  it("does not grow with the ways in which one shape is written", () => {
    const queries = new Queries("http://shapes.test", { slowAfter: 500, maxShapes: 10 })
    const columns = Array.from({ length: 200 }, (_, n) => `c${n}`).join(",")
    for (let n = 0; n < 3_000; n += 1) {
      queries.record(0, 1, "read", sentFor(`/rest/v1/t?select=${columns},more${n}`), good)
    }
    expect(queries.all.length).toBe(3)
    const { read }: { readonly read: Map<number, unknown> } = Reflect.get(queries, "known")
    expect(read.size).toBeLessThanOrEqual(1_000)
  })

  it("gives a bounded number of time series to tables, operations and errors, whatever comes", () => {
    const queries = new Queries("http://series.test", { slowAfter: 500, maxShapes: 1_000 })
    const failed = (n: number) => ({ errorType: "QueryError", statusCode: `E${n}`, isError: true, isFailure: false })
    for (let n = 0; n < 900; n += 1) {
      queries.record(0, 1, "read", sentFor(`/rest/v1/table${n}`), good)
      queries.record(0, 1, "read", sentFor("/rest/v1/table0"), failed(n))
    }
    const series = queries.all.map((entry) => entry.series)
    expect(new Set(series).size).toBeLessThanOrEqual(203)
    const codes = series[0]?.codes ?? []
    expect(codes.length).toBeLessThanOrEqual(31)
  })
})
