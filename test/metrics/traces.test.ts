/** Spans of Effect's tracer beside OpenTelemetry's instrumentation of undici: real packages, a real server. */
import { readFile } from "node:fs/promises"
import * as Resource from "@effect/opentelemetry/Resource"
import * as Tracer from "@effect/opentelemetry/Tracer"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@effect/vitest"
import { context, createContextKey } from "@opentelemetry/api"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-node"
import { Effect, Layer } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import { type Answer, json, layer, serve } from "../support/httpServer.js"
import { idOf, namesOf, parentOf, type Traced, traced, traceparentOf, withoutQuery } from "../support/openTelemetry.js"
import { root } from "../support/program.js"

let app: Traced

beforeAll(() => {
  app = traced(withoutQuery)
})
afterEach(() => app.forget())
afterAll(() => app.stop())

const value = "ann@example.com"

const ofEffect = Tracer.layerGlobal.pipe(Layer.provide(Resource.layer({ serviceName: "test" })))

const rows: Answer = (response) => void setTimeout(() => json(response, [{ id: 1 }]), 3)

const read = Db.read((client) => client.from("products").select("id").eq("email", value))

const find = (spans: ReadonlyArray<ReadableSpan>, name: string): ReadonlyArray<ReadableSpan> =>
  spans.filter((span) => span.name === name)

it.effect("is an application as docs/observability.md has it", () =>
  Effect.gen(function* () {
    const page = yield* Effect.promise(() => readFile(`${root}docs/observability.md`, "utf8"))
    const [, hook = ""] = /startSpanHook: (.*)\n/.exec(page) ?? []
    const [, ours] = /startSpanHook: (.*)\n/.exec(
      yield* Effect.promise(() => readFile(`${root}test/support/openTelemetry.ts`, "utf8"))
    ) ?? [""]
    expect(hook).not.toBe("")
    expect(hook).toBe(ours)
    expect(page).toContain("dataCollection: { urlQueryParams: false }")
  })
)

describe("Effect's tracer with OpenTelemetry's instrumentation of undici", () => {
  it.live(
    "makes of each operation a span of its caller, and of each request one of its operation, under contention",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const server = yield* serve(rows)
          const request = (n: number) =>
            Effect.all([read, read], { concurrency: 2 }).pipe(Effect.withSpan(`request ${n}`))
          yield* Effect.all(
            Array.from({ length: 10 }, (_, n) => request(n)),
            { concurrency: "unbounded" }
          ).pipe(Effect.provide([layer(server.url), ofEffect]))
          const spans = app.spans()
          const requests = find(spans, "GET")
          const operations = find(spans, "Db.read")
          expect([requests.length, operations.length]).toEqual([20, 20])
          expect(new Set(requests.map(parentOf))).toEqual(new Set(operations.map(idOf)))
          for (let n = 0; n < 10; n += 1) {
            const [caller] = find(spans, `request ${n}`)
            expect(operations.filter((span) => parentOf(span) === idOf(caller)).length).toBe(2)
          }
          // Node joins what it is sent twice.
          expect(server.seen.map(({ headers }) => headers["traceparent"]).sort()).toEqual(
            requests.map((span) => traceparentOf(span.spanContext())).sort()
          )
          // None of it is in an attribute, an event or a status.
          expect(
            JSON.stringify(spans.map(({ attributes, events, status }) => [attributes, events, status]))
          ).not.toContain(value)
        })
      )
  )

  it.live("makes nothing of what the pool asks for itself: connects, pings and checks of health", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve(rows)
        const often = { keepaliveInterval: 20, healthCheckInterval: 20, enableHealthChecks: true }
        const checks = Health.layer.pipe(
          Layer.provideMerge(layer(server.url, often)),
          Layer.provide(Layer.orDie(Config.PoolConfig.layerOf(often)))
        )
        yield* Effect.gen(function* () {
          yield* Effect.withSpan(
            Effect.zipRight(
              read,
              Effect.flatMap(Health.Health, ({ check }) => check)
            ),
            "request"
          )
          yield* server.until(() => server.pings.length > 2 && server.seen.length > 4)
        }).pipe(Effect.provide([checks, ofEffect]))
        expect(namesOf(app.spans())).toEqual(["GET", "Db.read", "request"])
        const own = [...server.pings, ...server.seen.slice(1)]
        expect(own.map(({ headers }) => headers["traceparent"])).toEqual(own.map(() => undefined))
        expect(new Set(server.seen.slice(1).map(({ headers }) => headers["x-supabase-pool"]))).toEqual(
          new Set(["health"])
        )
      })
    )
  )

  it.live("sends no traceparent of zeros where the caller has tracing suppressed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve(rows)
        const program = read.pipe(Effect.withSpan("request"), Effect.provide([layer(server.url), ofEffect]))
        const none = context.active().setValue(createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING"), true)
        yield* Effect.promise(() => context.with(none, () => Effect.runPromise(program)))
        expect(server.seen.map(({ headers }) => headers["traceparent"])).toEqual([undefined])
        expect(app.spans()).toEqual([])
      })
    )
  )
})
