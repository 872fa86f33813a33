import { createServer } from "node:http"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { service } from "../../examples/http-service/service.js"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { QueryReport } from "../../src/internal/feed/wire.js"
import * as Page from "../../src/internal/http/page.js"
import { prometheusContentType } from "../../src/Metrics.js"
import { server as countingServer } from "../support/countingServer.js"
import { ids, SharedSupabase } from "../support/embedded.js"
import { shows } from "../support/reliability.js"
import { served } from "../support/served.js"

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

const ask = (path: string, init: RequestInit = {}): Effect.Effect<Answer, never, HttpServer.HttpServer> =>
  HttpServer.addressFormattedWith((address) =>
    Effect.promise(async (signal) => {
      const response = await fetch(`${address}${path}`, { signal, ...init })
      return { status: response.status, headers: response.headers, text: await response.text() }
    })
  )

/** A database that nobody asks. */
const local = Effect.map(countingServer, ({ port }) =>
  Config.SupabaseConfig.layerOf({
    url: `http://127.0.0.1:${port}`,
    anonKey: "anon-never-printed",
    serviceRoleKey: "service-never-printed"
  })
)

const Spec = Schema.parseJson(
  Schema.Struct({
    paths: Schema.Record({
      key: Schema.String,
      value: Schema.Record({
        key: Schema.String,
        value: Schema.Struct({ security: Schema.Array(Schema.Unknown), responses: Schema.Object })
      })
    }),
    components: Schema.Struct({
      securitySchemes: Schema.Struct({ adminToken: Schema.Struct({ scheme: Schema.String }) })
    })
  })
)

describe("the description of the API", () => {
  it.scopedLive("has every route, and says which ask for the token", () =>
    Effect.gen(function* () {
      const answer = yield* ask("/openapi.json")
      expect(answer.status).toBe(200)
      const { components, paths } = yield* Schema.decode(Spec)(answer.text)
      expect(components.securitySchemes.adminToken.scheme).toBe("bearer")
      expect(Object.keys(paths).sort()).toEqual([
        "/api/admin/database/events",
        "/api/admin/database/metrics",
        "/api/admin/database/reset-pool",
        "/api/health/database",
        "/api/health/live",
        "/api/health/ready",
        "/metrics"
      ])
      for (const [path, methods] of Object.entries(paths)) {
        for (const { responses, security } of Object.values(methods)) {
          const isAdmin = path.startsWith("/api/admin/")
          expect(security).toHaveLength(isAdmin ? 1 : 0)
          expect(Object.keys(responses).includes("401")).toBe(isAdmin)
        }
      }
      expect(Object.keys(paths["/api/health/database"]?.["head"]?.responses ?? {}).sort()).toEqual([
        "200",
        "429",
        "503"
      ])
    }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(local, (database) => served(database)))))
  )

  it.scopedLive("is a page at /docs that may load and send nothing", () =>
    Effect.gen(function* () {
      const { headers, status, text } = yield* ask("/docs")
      expect(status).toBe(200)
      expect(text).toContain("swagger")
      expect(headers.get("content-security-policy")).toContain("default-src 'none'")
      expect(headers.get("content-security-policy")).toContain("connect-src 'self'")
    }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(local, (database) => served(database)))))
  )
})

describe("figures over HTTP", () => {
  const admitted = { headers: { authorization: "Bearer token-never-printed" } }
  const path = "/api/admin/database/metrics"
  const layer = served(SharedSupabase, { adminToken: "token-never-printed" })

  it.scopedLive("tell what was asked of the database, by query and without values, to who has the token", () =>
    Effect.gen(function* () {
      yield* Db.read((client) => client.from("products").select("title").eq("title", "a secret").limit(1))
      expect((yield* ask(path)).status).toBe(401)
      for (const window of ["", "?window=minute", "?window=hour", "?window=day"]) {
        const { headers, status, text } = yield* ask(`${path}${window}`, admitted)
        expect(status).toBe(200)
        expect(headers.get("cache-control")).toBe("no-store")
        expect(text).not.toContain("secret")
        const report = yield* Schema.decode(Schema.parseJson(QueryReport), { onExcessProperty: "error" })(text)
        expect(report.window).toBe(window === "" ? "minute" : window.replace("?window=", ""))
        expect(report.queries.map(({ count, name, operation }) => [operation, name, count])).toEqual([
          ["SELECT", "products", 1]
        ])
      }
      expect((yield* ask(`${path}?window=year`, admitted)).status).toBe(400)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("are there for Prometheus", () =>
    Effect.gen(function* () {
      const { headers, text } = yield* ask("/metrics")
      expect(headers.get("content-type")).toBe(prometheusContentType)
      expect(text).toContain("db_client_connection_count")
      expect(text).toContain('db_client_connection_pool_name="')
    }).pipe(Effect.provide(layer))
  )
})

const withState = (state: Page.State) =>
  Layer.unwrapScoped(
    Effect.map(local, (database) =>
      Layer.provide(served(database), Layer.succeed(Page.Dashboard, { state: Option.some(Effect.succeed(state)) }))
    )
  )

const bytes = (text: string) => new TextEncoder().encode(text)

const built: Page.State = {
  _tag: "Built",
  files: new Map([
    ["index.html", { body: bytes("<!doctype html>"), type: "text/html; charset=utf-8", encoded: new Map() }],
    ["supabase-pool/index-abc.js", { body: bytes("1"), type: "text/javascript; charset=utf-8", encoded: new Map() }],
    [
      "supabase-pool/big-abc.js",
      {
        body: bytes("2"),
        type: "text/javascript; charset=utf-8",
        encoded: new Map([
          ["br", brotliCompressSync("2")],
          ["gzip", gzipSync("2")]
        ])
      }
    ],
    ["supabase-pool/icon-abc.svg", { body: bytes("<svg/>"), type: "image/svg+xml", encoded: new Map() }]
  ])
}

describe("GET /", () => {
  it.scopedLive("is a page that only its own origin may fill, and is asked for again each time", (context) =>
    Effect.gen(function* () {
      const { headers, status, text } = yield* ask("/")
      expect({ status, text }).toEqual({ status: 200, text: "<!doctype html>" })
      expect(headers.get("content-type")).toBe("text/html; charset=utf-8")
      expect(headers.get("cache-control")).toBe("no-cache")
      const policy = headers.get("content-security-policy") ?? ""
      expect(policy).toContain("default-src 'none'")
      expect(policy).not.toMatch(/unsafe|https?:/)
      shows(context, {
        kind: "promise",
        section: "Security",
        what: "the dashboard has a content security policy that allows its own origin and nothing inline"
      })
    }).pipe(Effect.provide(withState(built)))
  )

  it.scopedLive("has files that are kept for ever, and none beside them", () =>
    Effect.gen(function* () {
      const { headers, status, text } = yield* ask("/supabase-pool/index-abc.js")
      expect({ status, text }).toEqual({ status: 200, text: "1" })
      expect(headers.get("content-type")).toBe("text/javascript; charset=utf-8")
      expect(headers.get("cache-control")).toContain("immutable")
      for (const path of [
        "/supabase-pool/index-abd.js",
        "/supabase-pool/..%2findex.html",
        "/supabase-pool/index.html"
      ]) {
        expect((yield* ask(path)).status).toBe(404)
      }
      expect((yield* ask("/", { method: "POST" })).status).toBe(405)
    }).pipe(Effect.provide(withState(built)))
  )

  it.scopedLive("is sent compressed to who takes it so, and says that this is what it depends on", () =>
    Effect.gen(function* () {
      const asked = (accepted: string) => ask("/supabase-pool/big-abc.js", { headers: { "accept-encoding": accepted } })
      const cases: ReadonlyArray<readonly [accepted: string, encoding: string | null]> = [
        ["gzip, deflate, br", "br"],
        ["gzip;q=0.5, br;q=0", "gzip"],
        ["GZIP", "gzip"],
        ["identity", null],
        ["gzip;q=0.0", null]
      ]
      for (const [accepted, encoding] of cases) {
        const { headers, text } = yield* asked(accepted)
        expect([text, headers.get("content-encoding"), headers.get("vary")]).toEqual(["2", encoding, "accept-encoding"])
      }
      expect((yield* ask("/supabase-pool/big-abc.js.gz")).status).toBe(404)
      expect((yield* ask("/supabase-pool/index-abc.js")).headers.get("vary")).toBe(null)
    }).pipe(Effect.provide(withState(built)))
  )

  it.scopedLive("has the icon that browsers ask every origin for", () =>
    Effect.gen(function* () {
      const { headers, status, text } = yield* ask("/favicon.ico")
      expect([status, text, headers.get("content-type")]).toEqual([200, "<svg/>", "image/svg+xml"])
    }).pipe(Effect.provide(withState(built)))
  )

  it.scopedLive("has no icon before it is built, which is no error", () =>
    Effect.gen(function* () {
      expect((yield* ask("/favicon.ico")).status).toBe(204)
    }).pipe(Effect.provide(withState({ _tag: "Missing" })))
  )

  it.scopedLive("says that it is being built, and asks again by itself", () =>
    Effect.gen(function* () {
      const { status, text } = yield* ask("/")
      expect(status).toBe(503)
      expect(text).toContain("being built")
      expect((yield* ask("/supabase-pool/waiting.js")).text).toContain("reload")
    }).pipe(Effect.provide(withState({ _tag: "Building" })))
  )

  it.scopedLive("says how to build it where it is missing; everything else answers", () =>
    Effect.gen(function* () {
      expect((yield* ask("/")).text).toContain("npm run build:dashboard")
      expect((yield* ask("/api/health/live")).status).toBe(200)
    }).pipe(Effect.provide(withState({ _tag: "Missing" })))
  )
})

describe("Http.routes in a user's own server (examples/http-service)", () => {
  const layer = service.pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provide(Db.layer),
    Layer.provide([
      Config.PoolConfig.layerOf({ enableHealthChecks: false }),
      Config.ServerConfig.layerOf({ adminToken: "token-never-printed" }),
      SharedSupabase
    ])
  )
  const Laptops = Schema.parseJson(Schema.Array(Schema.Struct({ title: Schema.String, price: Schema.Number })))

  it.scopedLive("leaves the service its own routes, and has all of the pool's", () =>
    Effect.gen(function* () {
      const laptops = yield* ask("/laptops?max=900")
      expect(laptops.status).toBe(200)
      const rows = yield* Schema.decode(Laptops)(laptops.text)
      expect(rows.length).toBeGreaterThan(0)
      expect(rows.every(({ price }) => price <= 900)).toBe(true)

      const body = JSON.stringify({ product: ids.product(7), buyer: ids.user(12), total: 10 })
      const json = { "content-type": "application/json" }
      expect((yield* ask("/orders", { method: "POST", body, headers: json })).status).toBe(201)
      expect((yield* ask("/orders", { method: "POST", body: "{}", headers: json })).status).toBe(400)

      expect((yield* ask("/api/health/database")).status).toBe(200)
      expect((yield* ask("/api/health/database", { method: "HEAD" })).status).toBe(200)
      expect((yield* ask("/api/health/ready")).status).toBe(200)
      expect((yield* ask("/openapi.json")).status).toBe(200)
      const reset = "/api/admin/database/reset-pool"
      expect((yield* ask(reset, { method: "POST" })).status).toBe(401)
      const headers = { authorization: "Bearer token-never-printed" }
      expect((yield* ask(reset, { method: "POST", headers })).status).toBe(200)
      expect((yield* ask(reset, { headers })).status).toBe(405)
      expect((yield* ask(reset)).status).toBe(401)
      expect((yield* ask("/nowhere")).status).toBe(404)
    }).pipe(Effect.provide(layer))
  )
})
