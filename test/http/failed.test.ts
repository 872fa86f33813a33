/** What a user's own server answers when an operation fails. */
import { createServer } from "node:http"
import { HttpLayerRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Schedule } from "effect"
import type * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Http from "../../src/Http.js"
import * as Pool from "../../src/Pool.js"
import { shows } from "../support/reliability.js"

const ask = (path: string) =>
  HttpServer.addressFormattedWith((address) =>
    Effect.promise(async (signal) => {
      const response = await fetch(`${address}${path}`, { signal })
      return { status: response.status, retryAfter: response.headers.get("retry-after"), text: await response.text() }
    })
  )

const served = (handler: () => Effect.Effect<Response>, options: Config.PoolOptionsInput) =>
  HttpLayerRouter.serve(
    HttpLayerRouter.add(
      "GET",
      "/rows",
      Db.read((client) => client.from("rows").select("*")).pipe(
        Effect.map((rows) => HttpServerResponse.unsafeJson(rows)),
        Effect.catchAll((error) => Effect.succeed(Http.failed(error)))
      )
    ),
    { disableLogger: true, disableListenLog: true }
  ).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provideMerge(
      Db.layerTest(handler, {
        enableHealthChecks: false,
        minConnections: 1,
        maxConnections: 2,
        maxRetries: 0,
        ...options
      })
    )
  )

const pending = (count: number) =>
  Effect.flatMap(Pool.ReadPool, (pool) =>
    Effect.repeat(pool.metrics, {
      until: (metrics) => metrics.pending === count && metrics.active === 1,
      schedule: Schedule.spaced("5 millis")
    })
  )

describe("a user's server that gives errors to Http.failed", () => {
  it.live("answers 429 with Retry-After to whom the queue has no place for, and serves the others", (context) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<Response>()
      yield* Effect.gen(function* () {
        const first = yield* Effect.fork(ask("/rows"))
        yield* pending(0)
        const second = yield* Effect.fork(ask("/rows"))
        yield* pending(1)
        const third = yield* ask("/rows")
        expect(third).toEqual({
          status: 429,
          retryAfter: "1",
          text: '{"error":"Too many requests. Nothing was done."}'
        })
        yield* Deferred.succeed(gate, Response.json([]))
        expect([yield* Fiber.join(first), yield* Fiber.join(second)].map(({ status }) => status)).toEqual([200, 200])
        shows(context, {
          kind: "promise",
          section: "Overload",
          what: "over HTTP, with `Http.failed`: 429 with `Retry-After` to whom the queue has no place for, 200 to those who wait"
        })
      }).pipe(
        Effect.provide(
          served(() => Effect.map(Deferred.await(gate), (response) => response.clone()), {
            maxPending: 1
          })
        )
      )
    })
  )

  it.live("answers 429 to who is beyond the rate limit, with the rest of the window in Retry-After", (context) =>
    Effect.gen(function* () {
      expect((yield* ask("/rows")).status).toBe(200)
      const { retryAfter, status } = yield* ask("/rows")
      expect(status).toBe(429)
      expect(Number(retryAfter)).toBeGreaterThan(3_500)
      expect(Number(retryAfter)).toBeLessThanOrEqual(3_600)
      shows(context, {
        kind: "promise",
        section: "Overload",
        what: "over HTTP, with `Http.failed`: 429 to who is beyond the rate limit, with the rest of the window in `Retry-After`"
      })
    }).pipe(
      Effect.provide(served(() => Effect.sync(() => Response.json([])), { rateLimit: 1, rateLimitWindow: "1 hour" }))
    )
  )

  const query = (status: number, code: string, more: { readonly answeredBy?: "PostgREST" } = {}) =>
    new Db.QueryError({ code, reason: "secret_table", details: "secret_table", hint: "", status, ...more })

  const raised = (status: number, code: string) => query(status, code, { answeredBy: "PostgREST" })

  const answers: ReadonlyArray<readonly [status: number, retryAfter: string | undefined, error: Db.DbError]> = [
    [503, "1", new Db.PoolClosed({ pool: "read", sent: false })],
    [502, undefined, new Db.PoolClosed({ pool: "write", sent: true })],
    [404, undefined, new Db.RowNotFound({ table: "secret_table", details: "secret_table" })],
    [409, undefined, new Db.GuardFailed({ step: 0, operation: "", id: "", column: "secret_table", guard: "" })],
    [503, "1", query(503, "PGRST001")],
    [502, undefined, query(502, "")],
    [403, undefined, query(403, "42501")],
    [409, undefined, query(409, "23505")],
    [400, undefined, query(400, "22P02")],
    [500, undefined, query(404, "42P01")],
    [400, undefined, query(400, "P0001")],
    [402, undefined, query(402, "PT402")],
    [422, undefined, raised(422, "mine")],
    [413, undefined, query(413, "")],
    [414, undefined, query(414, "")],
    [416, undefined, query(416, "PGRST103")],
    [401, undefined, query(401, "PGRST301")],
    [401, undefined, query(401, "PGRST302")],
    [503, "1", query(408, "")],
    [502, undefined, raised(400, "")],
    [
      409,
      undefined,
      new Db.TransactionFailed({
        step: -1,
        operation: "secret_table",
        code: "RESULT_GONE",
        reason: "",
        hint: "",
        executed: true
      })
    ],
    [429, "2", new Db.RateLimited({ key: "secret_table", retryAfter: Duration.millis(1_001) })]
  ]

  it.effect("asks for another token where the token is what is wrong", () =>
    Effect.sync(() => {
      const { headers } = Http.failed(query(401, "PGRST303"))
      expect(headers["www-authenticate"]).toBe('Bearer error="invalid_token"')
    })
  )

  for (const [status, retryAfter, error] of answers) {
    const code = "code" in error ? ` ${error.code}` : ""
    it.effect(`answers ${status} to ${error._tag}${code}, without the database's words`, () =>
      Effect.sync(() => {
        const response = Http.failed(error)
        expect([response.status, response.headers["retry-after"]]).toEqual([status, retryAfter])
        expect(JSON.stringify(response)).not.toContain("secret_table")
        expect(response.headers["cache-control"]).toBe("no-store")
      })
    )
  }
})
