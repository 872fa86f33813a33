/**
 * What the package says by itself while everything goes wrong: a server that repeats in each answer what it was sent,
 * and values of rows, is asked in every way; then all that was said is read.
 */
import { inspect } from "node:util"
import { HttpServer } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Layer, Logger, LogLevel, Option, Redacted, Schema, Stream, type Tracer } from "effect"
import * as Alerts from "../../src/Alerts.js"
import * as Audit from "../../src/Audit.js"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Metrics from "../../src/Metrics.js"
import * as Pool from "../../src/Pool.js"
import { createDatabase } from "../../src/promise.js"
import { type Answer, json, serve } from "../support/httpServer.js"
import { shows } from "../support/reliability.js"
import { linesWithSecrets, secret, shown } from "../support/secrets.js"
import { served } from "../support/served.js"

const keys = { anonKey: secret("anon"), serviceRoleKey: secret("service") }
const token = secret("token")
const adminToken = secret("admin")

/** A value of a row or a filter. */
const value = "ann@example.com"

/** Repeats what it was sent in every part of its answer; what is wrong, the table's name says. */
const repeating: Answer = (response, { headers, url }) => {
  const carried = `apikey ${headers["apikey"]}, ${headers.authorization}`
  const [, table = ""] = /\/rest\/v1\/(?:rpc\/)?(\w+)/.exec(url) ?? []
  if (table === "broken") return void response.destroy()
  if (table === "page") return void response.writeHead(502).end(`<html>${carried}`)
  if (table === "rows") return json(response, [{ id: value, n: value }])
  if (table === "garbage") return void response.writeHead(200).end(carried)
  const status = Number(/\d+/.exec(table)?.[0] ?? 500)
  json(
    response,
    {
      code: table === "single" ? "PGRST116" : "23505",
      message: carried,
      details: `Key (email)=(${value})`,
      hint: carried
    },
    status,
    { "x-repeated": carried, "retry-after": "0" }
  )
}

const Row = Schema.Struct({ id: Schema.String, n: Schema.Number })
const rows = Db.table("a409", Row)

type Operation = Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>

const operations: ReadonlyArray<Operation> = [
  "a409",
  "a401",
  "a500",
  "a503",
  "a429",
  "broken",
  "page",
  "garbage",
  "single"
]
  .flatMap((table): ReadonlyArray<Operation> => {
    const read = Db.read((client) => client.from(table).select("*").eq("email", value))
    return [
      read,
      Db.read((client) => client.from(table).select("*").eq("email", value).single()),
      Db.read((client) => client.from(table).select("*").throwOnError()),
      Db.write((client) => client.from(table).insert({ email: value })),
      Db.response((client) => client.from(table).select("*", { head: true })),
      Db.rpc(table, { email: value }),
      Db.rpc(table, { email: value }, { get: true }),
      Db.transaction([(client) => client.from(table).insert({ email: value })]),
      Db.read((client) => client.from(table).select("*"), { as: "service" })
    ]
  })
  .concat([
    rows.get(value),
    Db.table("rows", Row).list(),
    rows.list({ where: { id: value } }),
    rows.create({ id: value, n: 1 }),
    Db.read((client) => client.from("a").insert({ email: value })),
    Db.read((client) => client.from("../../auth/v1/admin").select("*"))
  ])

/** Everything that is logged, in the two forms in which programs log. */
const logging = (said: Array<string>) =>
  Layer.merge(
    Logger.replace(
      Logger.defaultLogger,
      Logger.make((options) => {
        said.push(Logger.logfmtLogger.log(options), JSON.stringify(Logger.structuredLogger.log(options)))
      })
    ),
    Logger.minimumLogLevel(LogLevel.All)
  )

/** Everything that is told to a tracer. */
const tracing = (said: Array<string>, native: Tracer.Tracer): Tracer.Tracer => ({
  ...native,
  span: (...args) => {
    const span = native.span(...args)
    const end = span.end.bind(span)
    span.end = (time, exit) => {
      end(time, exit)
      // The caller's own span ends with the error that the caller has.
      if (span.name === "caller") return
      said.push(span.name, shown([...span.attributes]))
      if (exit._tag === "Failure") said.push(Cause.pretty(exit.cause, { renderErrorCause: true }))
    }
    return span
  },
  context: (f, fiber) => native.context(f, fiber)
})

const ask = (path: string, headers: Record<string, string> = {}) =>
  HttpServer.addressFormattedWith((address) =>
    Effect.promise(async () => {
      const response = await fetch(`${address}${path}`, { headers })
      return `${JSON.stringify([...response.headers])} ${await response.text()}`
    })
  )

const admin = { authorization: `Bearer ${adminToken}` }

/** Does all of it, each as nobody and as a user, and gives the errors. */
const everything = (said: Array<string>) =>
  Effect.gen(function* () {
    const native = yield* Effect.tracer
    const events: Array<Audit.ConnectionEvent> = []
    const listening = yield* Effect.fork(
      Stream.runForEach(Audit.events, (event) => Effect.sync(() => events.push(event)))
    )
    yield* Audit.log(Stream.provideContext(Audit.events, yield* Effect.context<Pool.ReadPool | Pool.WritePool>()))
    yield* Effect.yieldNow()
    const errors = yield* Effect.forEach(operations, (operation) =>
      Effect.all([
        Effect.option(Effect.flip(operation)),
        Effect.option(Effect.flip(Db.withAccessToken(token)(operation)))
      ])
    ).pipe(Effect.withSpan("caller"), Effect.withTracer(tracing(said, native)))
    said.push(shown(yield* Health.check))
    for (const pool of [yield* Pool.ReadPool, yield* Pool.WritePool]) {
      yield* pool.reset
      said.push(shown(yield* pool.metrics))
    }
    said.push(yield* Metrics.prometheus, shown(yield* Metrics.queryMetrics("minute")))
    for (const path of ["/api/health/database", "/api/health/ready", "/metrics", "/", "/openapi.json", "/nowhere"])
      said.push(yield* ask(path))
    for (const path of ["metrics?window=minute", "metrics", "nowhere"])
      said.push(yield* ask(`/api/admin/database/${path}`, admin))
    said.push(yield* ask("/api/admin/database/metrics", { authorization: `Bearer ${secret("wrong")}` }))
    yield* Fiber.interrupt(listening)
    said.push(shown(events))
    return { errors: errors.flat().flatMap(Option.toArray), events }
  })

describe("while every operation fails at a server that repeats what it was sent", () => {
  it.scopedLive(
    "no error, log line, span, metric, event, report or answer has a key or a token; and a value of a row is in errors only",
    (context) =>
      Effect.gen(function* () {
        const said: Array<string> = []
        const server = yield* serve(repeating)
        const { errors, events } = yield* everything(said).pipe(
          Effect.provide(
            served(
              Config.SupabaseConfig.layerOf({ url: server.url, ...keys }),
              { adminToken, maxRetries: 1, retryDelay: 1, minConnections: 1, maxConnections: 4 },
              Alerts.layer({ sinks: [Alerts.log], interval: "10 millis" })
            ).pipe(Layer.provideMerge(logging(said)))
          )
        )
        expect(new Set(errors.map(({ _tag }) => _tag)).size).toBeGreaterThanOrEqual(6)
        expect(new Set(events.map(({ type }) => type)).size).toBeGreaterThanOrEqual(3)
        for (const error of errors) expect(linesWithSecrets(shown(error) + error.message)).toEqual([])
        expect(said.length).toBeGreaterThan(300)
        expect(linesWithSecrets(said.join("\n"))).toEqual([])
        expect(said.filter((text) => text.includes(value))).toEqual([])
        // So the server did repeat them, and did give away a value.
        expect(errors.filter(({ message }) => message.includes("<redacted>")).length).toBeGreaterThan(20)
        const withDetails = errors.flatMap((error) => ("code" in error && error.code === "23505" ? [error] : []))
        expect(
          withDetails.filter((error) => "details" in error && error.details.includes(value)).length
        ).toBeGreaterThan(20)
        for (const error of withDetails) {
          expect(
            [error.message, JSON.stringify(error), inspect(error), Cause.pretty(Cause.fail(error))].join()
          ).not.toContain(value)
        }
        shows(context, {
          kind: "promise",
          section: "Security",
          what: "a server that repeats key and token in every answer: no error, log line (debug level), span, metric, event, health report or HTTP answer has one of them; a value of a row is in errors only, not in spans, logs, metrics or events"
        })
      })
  )

  it.scopedLive("no error of the promises has a key or a token", () =>
    Effect.gen(function* () {
      const server = yield* serve(repeating)
      const database = yield* Effect.acquireRelease(
        Effect.sync(() => createDatabase({ url: server.url, ...keys, minConnections: 1, maxRetries: 0 })),
        (it) => Effect.promise(() => it.close())
      )
      const rejected = yield* Effect.promise(() =>
        database
          .executeWithPool(async (client) => (await client.from("a409").select("*").throwOnError()).data)
          .catch(String)
      )
      expect(rejected).toContain("<redacted>")
      expect(linesWithSecrets(shown(rejected))).toEqual([])
    })
  )

  it.effect("a token that is given redacted is redacted in what is said of it", () =>
    Effect.gen(function* () {
      const given = Redacted.make(`${token}\n`)
      const error = yield* Effect.flip(Db.withAccessToken(given)(rows.list())).pipe(
        Effect.provide(Db.layerTest(() => Response.json([])))
      )
      expect(error).toMatchObject({ code: "INVALID_TOKEN" })
      expect(linesWithSecrets(shown(error))).toEqual([])
    })
  )
})
