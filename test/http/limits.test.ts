/** 429 over HTTP: who asks too often, and who guesses at the admin token. */
import { createServer } from "node:http"
import { HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Http from "../../src/Http.js"
import * as Pool from "../../src/Pool.js"
import { shows } from "../support/reliability.js"

const token = "a-long-token-never-printed"

const served = (options: Config.PoolOptionsInput = {}) =>
  Http.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(Health.layer, Http.Readiness.layer)),
    Layer.provideMerge(Db.layerTest(() => Response.json([]), { enableHealthChecks: false, ...options })),
    Layer.provide(Config.PoolConfig.layerOf({ enableHealthChecks: false })),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provideMerge(Config.ServerConfig.layerOf({ adminToken: token }))
  )

const ask = (path: string, init: RequestInit = {}) =>
  HttpServer.addressFormattedWith((address) =>
    Effect.promise(async (signal) => {
      const response = await fetch(`${address}${path}`, { signal, ...init })
      return { status: response.status, headers: response.headers, text: await response.text() }
    })
  )

/** By a proxy: the machine itself is not locked out. */
const reset = (given: string) =>
  ask("/api/admin/database/reset-pool", {
    method: "POST",
    headers: { authorization: `Bearer ${given}`, "x-forwarded-for": "192.0.2.1" }
  })

describe("the rate limit over HTTP", () => {
  it.live("answers 429 with Retry-After before a connection is asked for", () =>
    Effect.gen(function* () {
      expect((yield* ask("/api/health/database")).status).toBe(200)
      expect((yield* ask("/api/health/database", { method: "HEAD" })).status).toBe(200)
      const { acquired } = yield* Effect.flatMap(Pool.ReadPool, (pool) => pool.metrics)
      const refused = yield* ask("/api/health/database")
      expect(refused.status).toBe(429)
      const wait = Number(refused.headers.get("retry-after"))
      expect(wait).toBeGreaterThan(3_500)
      expect(wait).toBeLessThanOrEqual(3_600)
      expect(refused.text).toContain("Nothing was sent. Try again in")
      const head = yield* ask("/api/health/database", { method: "HEAD" })
      expect([head.status, head.text]).toEqual([429, ""])
      expect((yield* Effect.flatMap(Pool.ReadPool, (pool) => pool.metrics)).acquired).toBe(acquired)
    }).pipe(Effect.provide(served({ rateLimit: 2, rateLimitWindow: "1 hour" })))
  )

  it.live("spares liveness and readiness, which decide whether a process is killed or fed", () =>
    Effect.gen(function* () {
      for (let n = 0; n < 5; n += 1) {
        expect((yield* ask("/api/health/live")).status).toBe(200)
        expect((yield* ask("/api/health/ready")).status).not.toBe(429)
      }
    }).pipe(Effect.provide(served({ rateLimit: 1, rateLimitWindow: "1 hour" })))
  )
})

describe("guessing at the admin token", () => {
  it.live("is over after ten wrong ones: 429 with Retry-After, for the right one too", (context) =>
    Effect.gen(function* () {
      expect((yield* reset(token)).status).toBe(200)
      for (let n = 0; n < 10; n += 1) expect((yield* reset(`guess-${n}`)).status).toBe(401)
      const locked = yield* reset("guess-11")
      expect(locked.status).toBe(429)
      expect(Number(locked.headers.get("retry-after"))).toBeGreaterThan(50)
      expect((yield* reset(token)).status).toBe(429)
      expect(locked.text).not.toContain("guess-11")
      shows(context, {
        kind: "promise",
        section: "Security",
        what: "ten wrong admin tokens from an address elsewhere, then 429 with `Retry-After`, for the right one too"
      })
    }).pipe(Effect.provide(served()))
  )

  it.live("is not what a request without a token does, nor one with the right token", () =>
    Effect.gen(function* () {
      const path = "/api/admin/database/reset-pool"
      for (let n = 0; n < 20; n += 1) expect((yield* ask(path, { method: "POST" })).status).toBe(401)
      for (let n = 0; n < 20; n += 1) expect((yield* reset(token)).status).toBe(200)
    }).pipe(Effect.provide(served()))
  )
})
