import { createServer } from "node:http"
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema, Stream } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Demo from "../../src/internal/server/demo.js"
import * as Pool from "../../src/Pool.js"
import { SharedSupabase } from "../support/embedded.js"
import { runProgram } from "../support/program.js"

const adminToken = "demo-token-never-printed"

const services = (database: Layer.Layer<Config.SupabaseConfig, Config.ConfigInvalid>) =>
  Db.layer.pipe(
    Layer.provideMerge(database),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provideMerge(
      Config.PoolConfig.layerOf({ minConnections: 1, maxConnections: 8, maxRetries: 0, leakDetectionTimeout: 2_000 })
    ),
    Layer.provideMerge(Config.ServerConfig.layerOf({ adminToken }))
  )

/** The demo before an app that has one answer to everything. */
const Served = (database: Layer.Layer<Config.SupabaseConfig, Config.ConfigInvalid> = SharedSupabase) =>
  Layer.scopedDiscard(
    Effect.flatMap(Demo.before(HttpServerResponse.text("the app")), (app) => HttpServer.serveEffect(app))
  ).pipe(Layer.provideMerge(services(database)))

const ask = (path: string, init: RequestInit = {}) =>
  HttpServer.addressFormattedWith((address) =>
    Effect.promise(async (signal) => {
      const response = await fetch(`${address}${path}`, { signal, ...init })
      return { status: response.status, headers: response.headers, text: await response.text() }
    })
  )

const Found = Schema.parseJson(
  Schema.Array(Schema.Struct({ title: Schema.String, price: Schema.Number, stock: Schema.Int }))
)

const found = (query: string) =>
  Effect.flatMap(ask(`/demo/search?query=${encodeURIComponent(query)}`), ({ text }) => Schema.decode(Found)(text))

const leak = (token?: string) =>
  ask("/demo/leak", {
    method: "POST",
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })
  })

const reads = Effect.flatMap(Pool.ReadPool, (pool) => pool.metrics)

/** So many leaks that the pool has ended, from now on. */
const reclaimed = (count: number) =>
  Effect.flatMap(Pool.ReadPool, ({ events }) =>
    events.pipe(
      Stream.filter(({ type }) => type === "reclaimed"),
      Stream.take(count),
      Stream.runCount,
      Effect.timeout("15 seconds"),
      Effect.forkScoped
    )
  )

/** A port that nobody listens on. */
const away = Config.SupabaseConfig.layerOf({
  url: "http://127.0.0.1:1",
  anonKey: "anon-never-printed",
  serviceRoleKey: "service-never-printed"
})

describe("the demo", () => {
  it.scopedLive("finds at most ten products, the cheapest first, and laptops where nothing is said", () =>
    Effect.gen(function* () {
      const answer = yield* ask("/demo/search")
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers.get("cache-control"), "no-store")
      const laptops = yield* Schema.decode(Found)(answer.text)
      assert.strictEqual(laptops.length, 10)
      for (const { title } of laptops) assert.match(title, /laptop/i)
      const prices = laptops.map(({ price }) => price)
      assert.deepStrictEqual(
        prices,
        [...prices].sort((a, b) => a - b)
      )
    }).pipe(Effect.provide(Served()))
  )

  it.scopedLive("takes a text for a text: what SQL has for patterns means nothing", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* found("laptop")).length, 10)
      for (const pattern of ["lapt_p", "lap%p"]) assert.deepStrictEqual(yield* found(pattern), [])
    }).pipe(Effect.provide(Served()))
  )

  it.scopedLive("leaves everything else to the app", () =>
    Effect.gen(function* () {
      for (const path of ["/", "/demo", "/demo/leak", "/api/health/live"])
        assert.strictEqual((yield* ask(path)).text, "the app", path)
    }).pipe(Effect.provide(Served()))
  )

  it.scopedLive("answers 503 where the database is away, and goes on", () =>
    Effect.gen(function* () {
      const answer = yield* ask("/demo/search")
      assert.strictEqual(answer.status, 503)
      assert.match(answer.text, /Nothing was sent/)
      assert.strictEqual((yield* ask("/")).text, "the app")
    }).pipe(Effect.provide(Served(away)))
  )

  it.scopedLive("forgets a connection for the administrator only, and the pool takes it back", () =>
    Effect.gen(function* () {
      for (const token of [undefined, "another token"]) assert.strictEqual((yield* leak(token)).status, 401)
      assert.strictEqual((yield* reads).active, 0)
      const ended = yield* reclaimed(1)
      const answer = yield* leak(adminToken)
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(yield* Fiber.join(ended), 1)
      const { active, leaks } = yield* reads
      assert.deepStrictEqual({ active, leaks }, { active: 0, leaks: 1 })
    }).pipe(Effect.provide(Served()))
  )
})

describe("examples/leak", () => {
  const example = (name: "leak" | "load", ...args: ReadonlyArray<string>) =>
    HttpServer.addressFormattedWith((address) =>
      runProgram(`examples/leak/${name}.ts`, {}, [
        name === "leak" ? `${address}/#token=${adminToken}` : address,
        ...args
      ])
    )

  it.scopedLive(
    "leak.ts forgets as many connections as it was told, and the pool takes all of them back",
    () =>
      Effect.gen(function* () {
        const ended = yield* reclaimed(2)
        const { failed, output } = yield* example("leak", "2")
        assert.isFalse(failed, output)
        assert.match(output, /^1: a connection was forgotten; the pool takes it back after 2 s\n2: .* after 2 s\n$/)
        assert.strictEqual(yield* Fiber.join(ended), 2)
        assert.strictEqual((yield* reads).leaks, 2)
      }).pipe(Effect.provide(Served())),
    60_000
  )

  it.scopedLive(
    "leak.ts without the dashboard's address says which it needs, and fails",
    () =>
      Effect.gen(function* () {
        const { failed, output } = yield* runProgram("examples/leak/leak.ts")
        assert.isTrue(failed)
        assert.match(output, /^Give the address that the server printed as "dashboard"/)
      }),
    60_000
  )

  it.live(
    "load.ts refuses a number that is none, by its name, and fails",
    () =>
      Effect.gen(function* () {
        const { failed, output } = yield* runProgram("examples/leak/load.ts", {}, ["http://127.0.0.1:1", "soon"])
        assert.isTrue(failed)
        assert.match(output, /^seconds: "soon" cannot be\. Give a whole number from 1 to 86400\.\n$/)
      }),
    60_000
  )

  it.scopedLive(
    "load.ts searches for as long as it was told, and counts the answers",
    () =>
      Effect.gen(function* () {
        const { failed, output } = yield* example("load", "1", "2")
        assert.isFalse(failed, output)
        assert.match(output, /^[1-9]\d* searches answered, 0 refused, in 1 s\n$/)
        assert.isAtLeast((yield* reads).acquired, 1)
      }).pipe(Effect.provide(Served())),
    60_000
  )
})
