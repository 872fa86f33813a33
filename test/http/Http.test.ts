import { createServer } from "node:http"
import { HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Logger, Ref, Schema, Scope } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Http from "../../src/Http.js"
import { HealthJson } from "../../src/internal/feed/health.js"
import * as Pool from "../../src/Pool.js"
import { type CountingServer, server as countingServer } from "../support/countingServer.js"
import { SharedSupabase } from "../support/embedded.js"

const token = "admin-token-never-printed"

interface Options extends Config.PoolOptionsInput {
  readonly adminToken?: string
}

/** Everything that `Http.layer` needs, on a free port, over that database. */
const served = (database: Layer.Layer<Config.SupabaseConfig, Config.ConfigInvalid>, options: Options = {}) => {
  const { adminToken, ...pool } = options
  return Http.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(Health.layer, Http.Readiness.layer)),
    Layer.provideMerge(Db.layer),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provideMerge(Config.PoolConfig.layerOf({ enableHealthChecks: false, ...pool })),
    Layer.provideMerge(Config.ServerConfig.layerOf(adminToken === undefined ? {} : { adminToken })),
    Layer.provideMerge(database)
  )
}

const at = (port: number) =>
  Config.SupabaseConfig.layerOf({
    url: `http://127.0.0.1:${port}`,
    anonKey: "anon-never-printed",
    serviceRoleKey: "service-never-printed"
  })

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: unknown
}

const parse = Schema.decodeUnknownSync(Schema.parseJson())

const ask = (path: string, init: RequestInit = {}): Effect.Effect<Answer, never, HttpServer.HttpServer> =>
  HttpServer.addressFormattedWith((address) =>
    Effect.promise(async (signal) => {
      const response = await fetch(`${address}${path}`, { signal, ...init })
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, json: text === "" ? undefined : parse(text) }
    })
  )

const health = "/api/health/database"

const statusOf = (answer: Answer): string =>
  Schema.decodeUnknownSync(Schema.Struct({ status: Schema.String }))(answer.json).status

/** From the guide, "Response Example". */
const guide = {
  status: "healthy",
  timestamp: "2025-09-18T10:30:00.000Z",
  responseTime: 45,
  database: {
    connection: { status: "connected", responseTime: 23, poolStatus: "8/20 active" },
    pool: {
      health: "healthy",
      connections: { total: 20, active: 8, idle: 12, pending: 0 },
      performance: { totalRequests: 15420, failedRequests: 12, averageResponseTime: 156, errorRate: 0.0008 },
      monitoring: { connectionLeaks: 0, lastHealthCheck: "2025-09-18T10:29:45.000Z", uptimeSeconds: 86400 }
    }
  }
}

/** `database.pool.health: string`, for each field, in order. */
const shape = (value: unknown, path = ""): ReadonlyArray<string> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, member]) => shape(member, path === "" ? key : `${path}.${key}`))
    : [`${path}: ${typeof value}`]

describe("over the embedded database", () => {
  type Services = Layer.Layer.Success<ReturnType<typeof served>>
  const scope = Effect.runSync(Scope.make())
  let context: Context.Context<Services> | undefined
  const run = <A, E>(effect: Effect.Effect<A, E, Services>): Effect.Effect<A, E> =>
    Effect.suspend(() => (context === undefined ? Effect.dieMessage("not started") : Effect.provide(effect, context)))

  beforeAll(async () => {
    context = await Effect.runPromise(Layer.buildWithScope(served(SharedSupabase), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  it.live("the health route answers the guide's JSON, field for field and in the guide's order", () =>
    Effect.gen(function* () {
      yield* Db.read((client) => client.from("products").select("id").limit(1))
      const { json, status } = yield* ask(health)
      expect(status).toBe(200)
      expect(shape(json)).toEqual(shape(guide))
      const body = yield* Schema.decodeUnknown(HealthJson, { onExcessProperty: "error" })(json)
      expect(Schema.is(HealthJson)(guide)).toBe(true)
      expect(body.status).toBe("healthy")
      expect(body.database.connection.status).toBe("connected")
      expect(body.database.connection.poolStatus).toBe("0/20 active")
      expect(body.database.pool.performance.totalRequests).toBe(1)
      expect(new Date(body.timestamp).toISOString()).toBe(body.timestamp)
    }).pipe(run)
  )

  it.live("the headers say what the JSON says", () =>
    Effect.gen(function* () {
      const { headers, json } = yield* ask(health)
      const { database, responseTime, status } = yield* Schema.decodeUnknown(HealthJson)(json)
      expect(headers.get("x-pool-health")).toBe(status)
      expect(headers.get("x-active-connections")).toBe(String(database.pool.connections.active))
      expect(headers.get("x-total-connections")).toBe(String(database.pool.connections.total))
      expect(headers.get("x-health-check-time")).toBe(String(responseTime))
      expect(headers.get("content-type")).toContain("application/json")
    }).pipe(run)
  )

  it.live("HEAD has the status and the headers of GET and no body", () =>
    Effect.gen(function* () {
      const { headers, status, text } = yield* ask(health, { method: "HEAD" })
      expect({ status, text }).toEqual({ status: 200, text: "" })
      expect(headers.get("x-pool-health")).toBe("healthy")
      for (const name of ["x-active-connections", "x-total-connections", "x-health-check-time"]) {
        expect(headers.get(name)).toMatch(/^\d+$/)
      }
    }).pipe(run)
  )

  it.live("no answer may be stored", () =>
    Effect.gen(function* () {
      for (const path of [health, "/api/health/live", "/api/health/ready", "/nowhere"]) {
        expect((yield* ask(path)).headers.get("cache-control")).toBe("no-store")
      }
      expect((yield* ask(health, { method: "HEAD" })).headers.get("cache-control")).toBe("no-store")
    }).pipe(run)
  )

  it.live("an unknown route answers 404 in JSON", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("/api/health/databases?x=1")
      expect({ status, json }).toEqual({ status: 404, json: { error: "Not found." } })
    }).pipe(run)
  )

  it.live("a known route asked by another method says which it answers", () =>
    Effect.gen(function* () {
      const posted = yield* ask(`${health}?x=1`, { method: "POST", body: "{}" })
      expect({ status: posted.status, json: posted.json }).toEqual({
        status: 405,
        json: { error: "This route answers GET, HEAD." }
      })
      expect(posted.headers.get("allow")).toBe("GET, HEAD")
      // Who is no administrator is not told.
      expect((yield* ask("/api/admin/database/reset-pool")).headers.get("allow")).toBe(null)
    }).pipe(run)
  )

  it.live("ready is 503 while starting and while draining, and live is 200 throughout", () =>
    Effect.gen(function* () {
      const phase = yield* Http.Readiness
      for (const [set, status] of [
        ["starting", 503],
        ["ready", 200],
        ["draining", 503]
      ] as const) {
        yield* Ref.set(phase, set)
        const answer = yield* ask("/api/health/ready")
        expect({ status: answer.status, json: answer.json }).toEqual({ status, json: { status: set } })
        const live = yield* ask("/api/health/live")
        expect({ status: live.status, json: live.json }).toEqual({ status: 200, json: { status: "alive" } })
      }
    }).pipe(run)
  )

  it.live("without a token in the configuration there are no admin routes", () =>
    Effect.gen(function* () {
      const reset = { method: "POST", headers: { authorization: `Bearer ${token}` } }
      expect((yield* ask("/api/admin/database/reset-pool", reset)).status).toBe(404)
    }).pipe(run)
  )
})

const reset = (authorization?: string) =>
  ask("/api/admin/database/reset-pool", {
    method: "POST",
    ...(authorization === undefined ? {} : { headers: { authorization } })
  })

const open = (database: CountingServer, sockets: number) =>
  database.until(`${sockets} sockets are open`, () => database.open === sockets)

describe("the reset of the pools", () => {
  const withDatabase = <A, E, R>(f: (database: CountingServer) => Effect.Effect<A, E, R>) =>
    Effect.scoped(
      Effect.flatMap(countingServer, (database) =>
        Effect.provide(
          f(database),
          served(at(database.port), { adminToken: token, minConnections: 5, maxConnections: 10 })
        )
      )
    )

  it.live("needs the token", () =>
    withDatabase((database) =>
      Effect.gen(function* () {
        yield* open(database, 10)
        for (const wrong of [undefined, "Bearer", "Bearer wrong", `Basic ${token}`, `Bearer ${token}x`]) {
          const { headers, status, text } = yield* reset(wrong)
          const isGuess = /^Bearer ./.test(wrong ?? "")
          expect(status).toBe(401)
          expect(headers.get("www-authenticate")).toBe(isGuess ? 'Bearer error="invalid_token"' : "Bearer")
          expect(text).toContain(isGuess ? "not the admin token" : "is missing. Send it as `Authorization: Bearer")
          expect(text).not.toContain(token)
          expect(text).not.toContain("wrong")
        }
        expect(database.opened).toBe(10)
        expect((yield* reset(`bearer ${token}`)).status).toBe(200)
      })
    )
  )

  it.live("replaces every idle socket, as the server counts them", () =>
    withDatabase((database) =>
      Effect.gen(function* () {
        yield* open(database, 10)
        expect((yield* reset(`Bearer ${token}`)).json).toEqual({ reset: 10 })
        yield* database.until("ten more were opened", () => database.opened === 20 && database.open === 10)
      })
    )
  )

  it.live("fails no operation, and replaces the busy connections when they come back", () =>
    withDatabase((database) =>
      Effect.gen(function* () {
        yield* open(database, 10)
        database.mode = "hold"
        const read = Db.read((client) => client.from("rows").select("id"))
        const write = Db.write((client) => client.from("rows").insert({ id: 1 }).select("id"))
        const working = yield* Effect.fork(Effect.all([read, read, write, read, write], { concurrency: 5 }))
        yield* database.until("five requests came", () => database.held.length === 5)
        expect((yield* reset(`Bearer ${token}`)).json).toEqual({ reset: 10 })
        database.mode = "answer"
        database.release()
        expect(yield* working).toEqual([[], [], [], [], []])
        yield* database.until("ten more were opened", () => database.opened === 20 && database.open === 10)
        const pools = [yield* Pool.ReadPool, yield* Pool.WritePool]
        const failures = yield* Effect.forEach(pools, (pool) => Effect.map(pool.metrics, (_) => _.connectFailures))
        expect(failures).toEqual([0, 0])
      })
    )
  )
})

describe("without a database", () => {
  it.live("health is 503 and unhealthy, and becomes healthy by itself when the database appears", () =>
    Effect.gen(function* () {
      const database = yield* countingServer
      yield* database.stop
      yield* Effect.gen(function* () {
        yield* Ref.set(yield* Http.Readiness, "ready")
        const down = yield* ask(health)
        expect(down.status).toBe(503)
        const body = yield* Schema.decodeUnknown(HealthJson, { onExcessProperty: "error" })(down.json)
        expect(shape(body)).toEqual(shape(guide))
        expect(body.status).toBe("unhealthy")
        expect(body.database.connection.status).toBe("disconnected")
        expect(body.database.pool.connections.total).toBe(0)
        expect(down.headers.get("x-pool-health")).toBe("unhealthy")
        const head = yield* ask(health, { method: "HEAD" })
        expect({ status: head.status, text: head.text }).toEqual({ status: 503, text: "" })
        const ready = yield* ask("/api/health/ready")
        expect({ status: ready.status, json: ready.json }).toEqual({ status: 503, json: { status: "unhealthy" } })
        expect((yield* ask("/api/health/live")).status).toBe(200)

        yield* database.start
        yield* database.until("somebody connected", () => database.open > 0)
        const up = yield* ask(health).pipe(
          Effect.delay("20 millis"),
          Effect.repeat({ until: ({ status }) => status === 200 }),
          Effect.timeout("10 seconds")
        )
        expect(statusOf(up)).toBe("healthy")
        expect((yield* ask("/api/health/ready")).status).toBe(200)
      }).pipe(Effect.provide(served(at(database.port))))
    }).pipe(Effect.scoped)
  )
})

describe("the log", () => {
  it.live("has requests at debug level only, without their query", () => {
    const lines: Array<string> = []
    const capture = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ logLevel, message }) => {
        lines.push(`${logLevel.label} ${String(message)}`)
      })
    )
    const requests = Effect.gen(function* () {
      yield* ask("/api/health/live?secret=1")
      return lines.filter((line) => line.includes("/api/health/live"))
    })
    return Effect.gen(function* () {
      const database = yield* countingServer
      const level = (name: "info" | "debug") =>
        Layer.unwrapEffect(Effect.map(Config.ServerConfig, ({ logLevel }) => Logger.minimumLogLevel(logLevel))).pipe(
          Layer.provide(Config.ServerConfig.layerOf({ logLevel: name })),
          Layer.provideMerge(capture)
        )
      expect(yield* Effect.provide(requests, Layer.provideMerge(served(at(database.port)), level("info")))).toEqual([])
      expect(yield* Effect.provide(requests, Layer.provideMerge(served(at(database.port)), level("debug")))).toEqual([
        "DEBUG GET /api/health/live 200"
      ])
    }).pipe(Effect.scoped)
  })
})
