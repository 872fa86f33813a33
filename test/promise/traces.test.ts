/** A span for each operation of the Promise API, by the application's OpenTelemetry: real packages, a real server. */
import { trace } from "@opentelemetry/api"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-node"
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest"
import type { PrivateDatabase } from "../../src/promise.js"
import { type Answer, type Asked, asked, reply } from "../support/asked.js"
import { idOf, namesOf, parentOf, type Traced, traced, traceparentOf, withoutQuery } from "../support/openTelemetry.js"
import { type Options, smallDatabase } from "../support/smallDatabase.js"

const keys = { anonKey: "anon-key-never-printed", serviceRoleKey: "service-key-never-printed" }
const value = "ann@example.com"

let app: Traced
const closers: Array<() => Promise<unknown>> = []

beforeAll(async () => {
  app = traced(withoutQuery)
  // What makes spans is loaded when the first database is made.
  const { close, url } = await asked(() => two)
  const db = smallDatabase({ url, ...keys })
  await vi.waitUntil(
    async () => {
      await within("first", () => db.executeWithPool((client) => client.from("things").select()))
      return operations(app.spans()).length > 0
    },
    { timeout: 10_000 }
  )
  await db.close()
  await close()
  app.forget()
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  app.forget()
})
afterAll(() => app.stop())

const server = async (answer: Answer): Promise<Asked> => {
  const made = await asked(answer)
  closers.push(made.close)
  return made
}

const database = (url: string, options: Options = {}): PrivateDatabase => {
  const made = smallDatabase({ url, ...keys }, options)
  closers.push(() => made.close())
  return made
}

const two = [{ id: 1 }, { id: 2 }]

/** Within a span of the application. */
const within = <A>(name: string, f: () => Promise<A>): Promise<A> =>
  trace.getTracer("app").startActiveSpan(name, async (span) => {
    try {
      return await f()
    } finally {
      span.end()
    }
  })

/** Those of our own, with what they say. */
const operations = (spans: ReadonlyArray<ReadableSpan>): ReadonlyArray<ReadableSpan> =>
  spans.filter(({ attributes }) => attributes["db.system.name"] !== undefined)

describe("the Promise API in an application with OpenTelemetry", () => {
  const ways: ReadonlyArray<readonly [string, string, (db: PrivateDatabase, url: string) => Promise<unknown>]> = [
    [
      "executeWithPool",
      "SELECT things",
      (db) => db.executeWithPool((client) => client.from("things").select("id").eq("email", value))
    ],
    [
      "executeWithPool as a user",
      "SELECT things",
      (db) => db.withAccessToken("user-token-never-printed").executeWithPool((client) => client.from("things").select())
    ],
    ["pooledFetch", "SELECT things", (db, url) => db.pooledFetch(`${url}/rest/v1/things?email=eq.${value}`)],
    ["a table", "SELECT things", (db) => db.table("things").list({ where: { email: value } })],
    ["rpc", "CALL f", (db) => db.rpc("f", { email: value }, { get: true })],
    [
      "a stream",
      "SELECT things",
      (db) => db.stream((client) => client.from("things").select("id").eq("email", value)).next()
    ]
  ]

  it.each(ways)("makes one span of %s, with its rows, its wait and its connection", async (_, name, ask) => {
    const { seen, url } = await server((_question, response) => {
      response.setHeader("content-range", "0-1/2")
      return two
    })
    const db = database(url)
    await within("GET /route", () => ask(db, url))
    const spans = app.spans()
    const [operation, ...others] = operations(spans)
    const outer = spans.find((span) => span.name === "GET /route")
    const request = spans.find((span) => span.name === "GET" || span.name === "POST")
    expect([operation?.name, others.length]).toEqual([name, 0])
    expect([parentOf(operation), parentOf(request)]).toEqual([idOf(outer), idOf(operation)])
    expect(operation?.attributes).toMatchObject({
      "db.client.connection.pool.name": "read",
      "db.response.returned_rows": 2,
      "supabase.connection.id": expect.stringMatching(/^read-\d+$/),
      "supabase.connection.wait_time": expect.any(Number)
    })
    expect(seen.map(({ headers }) => headers["traceparent"])).toEqual(
      request === undefined ? [] : [traceparentOf(request.spanContext())]
    )
    expect(JSON.stringify(spans.map(({ attributes, events, status }) => [attributes, events, status]))).not.toContain(
      value
    )
  })

  it("says how often it was repeated, and what it failed with, without the database's words", async () => {
    const { url } = await server((_question, response) => {
      reply(response, { code: "PGRST001", message: `of ${value}`, details: null, hint: null }, 503)
      return undefined
    })
    const db = database(url, { maxRetries: 2 })
    await within("GET /route", () => db.executeWithPool((client) => client.from("things").select()))
    const [operation] = operations(app.spans())
    expect(operation?.attributes).toMatchObject({
      "http.request.resend_count": 2,
      "error.type": "QueryError",
      "db.response.status_code": "PGRST001"
    })
    expect(operation?.status).toEqual({ code: 2, message: "QueryError PGRST001" })
  })

  it("is right about the parent under contention, and of nobody who is in no span", async () => {
    const { url } = await server((_question, response) => {
      setTimeout(() => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(two)), 3)
    })
    const db = database(url, { maxConnections: 2 })
    const ask = () => db.executeWithPool((client) => client.from("things").select())
    const requests = Array.from({ length: 20 }, (_, n) => within(`request ${n}`, () => Promise.all([ask(), ask()])))
    await Promise.all([...requests, ask(), ask()])
    const spans = app.spans()
    for (let n = 0; n < 20; n += 1) {
      const outer = spans.find((span) => span.name === `request ${n}`)
      const inner = operations(spans).filter((span) => parentOf(span) === idOf(outer))
      expect(inner.map((span) => spans.filter((request) => parentOf(request) === idOf(span)).length)).toEqual([1, 1])
    }
    expect(operations(spans).length).toBe(40)
    // The instrumentation has its own opinion of who is in no span.
    expect(namesOf(spans.filter((span) => parentOf(span) === undefined && !span.name.startsWith("request")))).toEqual([
      "GET",
      "GET"
    ])
  })
})
