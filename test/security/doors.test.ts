/** Who may come in by the server's doors: the token is asked for first, by whatever name and from wherever somebody comes. */
import { createServer, get } from "node:http"
import { connect } from "node:net"
import { HttpLayerRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, TestClock } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Http from "../../src/Http.js"
import { guarded } from "../../src/internal/http/hosts.js"
import { secret } from "../support/secrets.js"

const token = secret("admin-token")

const services = (server: Config.ServerOptionsInput = { adminToken: token }) =>
  Layer.mergeAll(Health.layer, Http.Readiness.layer).pipe(
    Layer.provideMerge(Db.layerTest(() => Response.json([]), { enableHealthChecks: false })),
    Layer.provideMerge(Config.PoolConfig.layerOf({ enableHealthChecks: false })),
    Layer.provideMerge(Config.ServerConfig.layerOf(server)),
    Layer.provideMerge(NodeHttpServer.layerContext)
  )

const served = Layer.provideMerge(Http.layer, services()).pipe(
  Layer.provideMerge(NodeHttpServer.layer(() => Http.graceful(createServer()), { port: 0, host: "127.0.0.1" }))
)

interface Question {
  readonly path: string
  readonly method?: string
  readonly from?: string
  readonly headers?: Record<string, string>
}

/** Asks the app itself, so that a request can come from anywhere. */
const asking = Effect.map(
  Http.app,
  (app) =>
    ({ from = "192.0.2.1", headers = {}, method = "GET", path }: Question) =>
      Effect.map(
        Effect.scoped(
          Effect.provideService(
            app,
            HttpServerRequest.HttpServerRequest,
            HttpServerRequest.fromWeb(new Request(`http://localhost${path}`, { method, headers })).modify({
              remoteAddress: from
            })
          )
        ),
        (response) => HttpServerResponse.toWeb(response)
      )
)

/** Writes a request as it stands, and gives what comes back. */
const saying = Effect.map(HttpServer.HttpServer, ({ address }) => {
  const port = address._tag === "TcpAddress" ? address.port : 0
  const say = (request: string) =>
    Effect.async<string>((resume) => {
      let text = ""
      connect(port, "127.0.0.1")
        .on("data", (data) => {
          text += data
        })
        .on("close", () => resume(Effect.succeed(text)))
        .end(request)
    })
  return { port, say }
})

const bearer = (given: string): Record<string, string> => ({ authorization: `Bearer ${given}` })

const admin = "/api/admin/database"

/** Every admin route, as it has to be asked and as it cannot be. */
const routes: ReadonlyArray<Question> = [
  { path: `${admin}/reset-pool`, method: "POST" },
  { path: `${admin}/metrics` },
  { path: `${admin}/metrics?window=year` },
  { path: `${admin}/metrics?window=minute&window=hour` },
  { path: `${admin}/metrics?window=year`, method: "HEAD" },
  { path: `${admin}/events` },
  { path: `${admin}/events?history=perhaps` },
  { path: `${admin}/events?history=perhaps`, headers: { "last-event-id": "x" } },
  ...["reset-pool", "metrics", "events"].flatMap((name) =>
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].map((method) => ({ path: `${admin}/${name}`, method }))
  )
]

describe("an admin route", () => {
  it.scoped("asks for the token before it looks at anything else of a request", () =>
    Effect.gen(function* () {
      const ask = yield* asking
      for (const [n, each] of routes.entries()) {
        const route = { ...each, from: `192.0.2.${n}` }
        const name = `${route.method ?? "GET"} ${route.path}`
        const none = yield* ask(route)
        expect([name, none.status, none.headers.get("www-authenticate")]).toEqual([name, 401, "Bearer"])
        const wrong = yield* ask({ ...route, headers: { ...route.headers, ...bearer("wrong") } })
        expect([name, wrong.status]).toEqual([name, 401])
        expect(wrong.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"')
      }
      const bad = yield* ask({ path: `${admin}/metrics?window=year`, headers: bearer(token) })
      expect(bad.status).toBe(400)
      const otherwise = yield* ask({ path: `${admin}/reset-pool`, method: "PUT", headers: bearer(token) })
      expect([otherwise.status, otherwise.headers.get("allow")]).toEqual([405, "POST"])
    }).pipe(Effect.provide(services()))
  )

  it.scoped("is not there without a token in the configuration, whatever is asked", () =>
    Effect.gen(function* () {
      const ask = yield* asking
      for (const route of routes) {
        const answer = yield* ask(route)
        expect([answer.status, answer.headers.get("allow")]).toEqual([404, null])
      }
    }).pipe(Effect.provide(services({})))
  )

  it.scoped("answers 429 to who has guessed too often, whatever is asked, and says when to come back", () =>
    Effect.gen(function* () {
      const ask = yield* asking
      for (let n = 0; n < 10; n += 1) yield* ask({ path: `${admin}/metrics`, headers: bearer(`guess-${n}`) })
      for (const route of routes) {
        const locked = yield* ask({ ...route, headers: { ...route.headers, ...bearer(token) } })
        expect(locked.status).toBe(429)
        expect(Number(locked.headers.get("retry-after"))).toBeGreaterThan(0)
      }
    }).pipe(Effect.provide(services()))
  )
})

describe("who guesses at the admin token", () => {
  const path = `${admin}/metrics`
  const guess = (ask: Effect.Effect.Success<typeof asking>, from: string, times: number, headers = {}) =>
    Effect.repeatN(ask({ path, from, headers: { ...headers, ...bearer("wrong") } }), times - 1)
  const statusOf = (ask: Effect.Effect.Success<typeof asking>, from: string, headers = {}) =>
    Effect.map(ask({ path, from, headers: { ...headers, ...bearer(token) } }), ({ status }) => status)

  const loopback = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.8.8.8"]

  it.scoped("from elsewhere does not lock out the administrator of the machine, by a proxy on it neither", () =>
    Effect.gen(function* () {
      const ask = yield* asking
      for (let n = 0; n < 30; n += 1) yield* guess(ask, `192.0.2.${n}`, 10)
      const byProxy = { "x-forwarded-for": "192.0.2.200" }
      yield* guess(ask, "127.0.0.1", 10, byProxy)
      expect(yield* statusOf(ask, "127.0.0.1", byProxy)).toBe(429)
      for (const here of loopback) expect(yield* statusOf(ask, here)).toBe(200)
    }).pipe(Effect.provide(services()))
  )

  for (const name of [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-server",
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "fastly-client-ip",
    "cf-ray",
    "cf-connecting-ip"
  ]) {
    it.scoped(`is known to come by a proxy of the machine by ${name}`, () =>
      Effect.gen(function* () {
        const ask = yield* asking
        yield* guess(ask, "127.0.0.1", 10, { [name]: "x" })
        expect(yield* statusOf(ask, "127.0.0.1", { [name]: "y" })).toBe(429)
        // At once: the guesses were not the machine's own.
        expect(yield* statusOf(ask, "127.0.0.1")).toBe(200)
      }).pipe(Effect.provide(services()))
    )
  }

  it.scopedLive("is known to come by nginx as it is without any setting, since that speaks HTTP/1.0", () =>
    Effect.gen(function* () {
      const { say } = yield* saying
      const question = (given: string, version: string) =>
        say(
          `GET ${path} HTTP/${version}\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ${given}\r\n\r\n`
        )
      yield* Effect.repeatN(question("wrong", "1.0"), 9)
      expect(yield* question(token, "1.0")).toMatch(/^HTTP\/1\.1 429 /)
      expect(yield* question(token, "1.1")).toMatch(/^HTTP\/1\.1 200 /)
    }).pipe(Effect.provide(served))
  )

  it.scoped(
    "by a proxy that leaves no trace locks nobody out of the machine, but all wait a second, right or wrong",
    () =>
      Effect.gen(function* () {
        const ask = yield* asking
        yield* guess(ask, "127.0.0.1", 10)
        for (const [given, status] of [
          [token, 200],
          ["wrong", 401],
          [token, 200]
        ] as const) {
          for (const from of loopback) {
            const asked = yield* Effect.fork(ask({ path, from, headers: bearer(given) }))
            yield* TestClock.adjust("999 millis")
            expect(yield* Fiber.poll(asked)).toEqual(Option.none())
            yield* TestClock.adjust("1 millis")
            expect((yield* Fiber.join(asked)).status).toBe(status)
          }
        }
        // From elsewhere nobody waits for it, and once the wrong ones are forgiven nobody does.
        expect(yield* statusOf(ask, "192.0.2.1")).toBe(200)
        yield* TestClock.adjust("2 minutes")
        for (const from of loopback) expect(yield* statusOf(ask, from)).toBe(200)
      }).pipe(Effect.provide(services()))
  )

  it.scoped("has ten tries for all addresses of an IPv6 network, and for an IPv4 address however it is written", () =>
    Effect.gen(function* () {
      const ask = yield* asking
      for (let n = 0; n < 10; n += 1) yield* guess(ask, `2001:db8:1:2:${n}::${n}`, 1)
      expect(yield* statusOf(ask, "2001:db8:1:2:ffff::1")).toBe(429)
      expect(yield* statusOf(ask, "2001:db8:1:3::1")).toBe(200)
      yield* guess(ask, "192.0.2.7", 5)
      yield* guess(ask, "::ffff:192.0.2.7", 5)
      expect(yield* statusOf(ask, "::ffff:c000:207")).toBe(429)
      expect(yield* statusOf(ask, "192.0.2.8")).toBe(200)
    }).pipe(Effect.provide(services()))
  )

  it.scoped("has no more than a hundred tries with however many addresses", () =>
    Effect.gen(function* () {
      const ask = yield* asking
      for (let n = 0; n < 100; n += 1) yield* guess(ask, `2001:db8:${n.toString(16)}::1`, 1)
      expect(yield* statusOf(ask, "198.51.100.1")).toBe(429)
      expect(yield* statusOf(ask, "127.0.0.1")).toBe(200)
    }).pipe(Effect.provide(services()))
  )
})

describe("a server on loopback", () => {
  const answer = (hostname: string, options: Partial<Config.ServerOptions>, host: string | undefined, target = "/") =>
    Effect.map(
      Effect.provideService(
        guarded(
          { _tag: "TcpAddress", hostname, port: 3000 },
          { allowedHosts: [], host: "127.0.0.1", ...options }
        )(Effect.succeed(HttpServerResponse.empty({ status: 204 }))),
        HttpServerRequest.HttpServerRequest,
        HttpServerRequest.fromWeb(
          Object.defineProperty(new Request("http://x/", host === undefined ? {} : { headers: { host } }), "url", {
            value: target
          })
        )
      ),
      ({ status }) => status === 204
    )

  const own = [
    "localhost",
    "LOCALHOST:3000",
    "localhost.",
    "a.localhost:3000",
    "127.0.0.1:3000",
    "127.0.0.9",
    "[::1]:3000"
  ]
  const foreign = [
    undefined,
    "",
    "evil.com",
    "evil.com:3000",
    "localhost.evil.com",
    "127.0.0.1.evil.com",
    "notlocalhost",
    "evil.com#localhost",
    "evil.com/localhost",
    "localhost@evil.com",
    "evil.com@localhost",
    "192.168.0.7:3000",
    "[2001:db8::1]",
    "0.0.0.0:3000",
    "localhost, evil.com",
    "localhost\\evil.com",
    "localhost:3000:80",
    "[::1"
  ]

  it.effect("answers to the names of loopback and to no other", () =>
    Effect.gen(function* () {
      for (const hostname of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
        for (const host of own) expect([host, yield* answer(hostname, {}, host)]).toEqual([host, true])
        for (const host of foreign) expect([host, yield* answer(hostname, {}, host)]).toEqual([host, false])
      }
    })
  )

  it.effect("goes by the name in the request line too, where there is one", () =>
    Effect.gen(function* () {
      expect(yield* answer("127.0.0.1", {}, "localhost", "http://evil.com/")).toBe(false)
      expect(yield* answer("127.0.0.1", {}, "localhost", "HTTP://evil.com?x")).toBe(false)
      expect(yield* answer("127.0.0.1", {}, "evil.com", "http://localhost/")).toBe(false)
      expect(yield* answer("127.0.0.1", {}, "localhost", "http://localhost:3000/")).toBe(true)
    })
  )

  it.effect("answers to the names that are allowed, below a star to all of them, and to HOST", () =>
    Effect.gen(function* () {
      const allowedHosts = ["pool.example.com", "*.internal"]
      const options = { allowedHosts, host: "Pool-Host" }
      for (const host of ["pool.example.com", "POOL.example.com:443", "a.b.internal", "pool-host:3000", "localhost"]) {
        expect(yield* answer("127.0.0.1", options, host)).toBe(true)
      }
      for (const host of ["example.com", "evil.pool.example.com", "internal", "evilinternal", "evil.com"]) {
        expect(yield* answer("127.0.0.1", options, host)).toBe(false)
      }
      expect(yield* answer("127.0.0.1", { allowedHosts: ["*"] }, "evil.com")).toBe(true)
    })
  )

  it.effect("is what it is: elsewhere every name is answered to, unless some are allowed, and then addresses too", () =>
    Effect.gen(function* () {
      expect(yield* answer("0.0.0.0", {}, "anything.com")).toBe(true)
      const options = { allowedHosts: ["pool.example.com"] }
      expect(yield* answer("0.0.0.0", options, "evil.com")).toBe(false)
      for (const host of ["pool.example.com", "10.1.2.3:3000", "[2001:db8::1]:3000", "localhost"]) {
        expect(yield* answer("::", options, host)).toBe(true)
      }
    })
  )

  it.scopedLive("is one that somebody mounts the routes in, too", () =>
    Effect.gen(function* () {
      const statuses = (host: string) =>
        HttpServer.addressFormattedWith((address) =>
          Effect.async<number>((resume) => {
            get(`${address}/api/health/live`, { headers: { host } }, (response) => {
              response.resume()
              resume(Effect.succeed(response.statusCode ?? 0))
            })
          })
        )
      expect(yield* statuses("localhost")).toBe(200)
      expect(yield* statuses("rebound.example")).toBe(421)
    }).pipe(
      Effect.provide(
        Layer.provideMerge(HttpLayerRouter.serve(Http.routes), services()).pipe(
          Layer.provideMerge(NodeHttpServer.layer(() => Http.graceful(createServer()), { port: 0, host: "127.0.0.1" }))
        )
      )
    )
  )

  it.scopedLive("says so over its socket with 421, and what to do", () =>
    Effect.gen(function* () {
      const { port, say } = yield* saying
      const live = "/api/health/live"
      for (const head of [
        `GET ${live} HTTP/1.1\r\nHost: rebound.example`,
        `GET http://rebound.example${live} HTTP/1.1\r\nHost: localhost`,
        `GET ${live} HTTP/1.0`
      ]) {
        const answered = yield* say(`${head}\r\nConnection: close\r\n\r\n`)
        expect(answered).toMatch(/^HTTP\/1\.1 421 /)
        expect(answered).toContain("DB_POOL_ALLOWED_HOSTS")
      }
      expect(yield* say(`GET ${live} HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`)).toMatch(
        / 200 /
      )
    }).pipe(Effect.provide(served))
  )

  const twoNames = Effect.gen(function* () {
    const { say } = yield* saying
    for (const second of ["Host: localhost", "hOST: localhost", "Host: other.example", "Host:"]) {
      const head = `GET /api/health/live HTTP/1.1\r\nHost: localhost\r\n${second}`
      const answered = yield* say(`${head}\r\nConnection: close\r\n\r\n`)
      expect(answered).toMatch(/^HTTP\/1\.1 400 /)
      expect(answered).toContain("several Host headers")
    }
  })

  it.scopedLive("refuses a request with two Host headers, of which another may have looked at the other one", () =>
    Effect.provide(twoNames, served)
  )

  it.scopedLive("refuses them where every name is answered to, too", () =>
    Effect.provide(
      twoNames,
      Layer.provideMerge(Http.layer, services({ adminToken: token, allowedHosts: ["*"] })).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => Http.graceful(createServer()), { port: 0, host: "0.0.0.0" }))
      )
    )
  )

  it.effect("takes several Host headers that are joined by commas for what they are", () =>
    Effect.gen(function* () {
      expect(yield* answer("0.0.0.0", {}, "localhost, localhost")).toBe(false)
      expect(yield* answer("127.0.0.1", { allowedHosts: ["*"] }, "localhost, evil.com")).toBe(false)
    })
  )
})
