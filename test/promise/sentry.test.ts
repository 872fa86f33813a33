/** What Sentry's SDK for Node makes of the Promise API, as it is without being told anything. */
import * as Sentry from "@sentry/node"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createDatabase } from "../../src/promise.js"
import { type Asked, asked } from "../support/asked.js"

type Transaction = Parameters<NonNullable<Parameters<typeof Sentry.init>[0]>["beforeSendTransaction"] & {}>[0]

const sent: Array<Transaction> = []
const keys = { anonKey: "anon-key-never-printed", serviceRoleKey: "service-key-never-printed" }
const value = "ann@example.com"

let server: Asked

beforeAll(async () => {
  Sentry.init({
    dsn: "https://public@sentry.invalid/1",
    tracesSampleRate: 1,
    traceLifecycle: "static",
    // As docs/observability.md has it: the values of filters are in the query.
    dataCollection: { urlQueryParams: false },
    beforeSendTransaction: (transaction) => {
      // The server is in this process, and is traced as well.
      if (transaction.contexts?.trace?.op !== "http.server") sent.push(transaction)
      return null
    }
  })
  server = await asked((_question, response) => {
    setTimeout(() => response.writeHead(200, { "content-type": "application/json" }).end('[{"id":1}]'), 3)
  })
})

afterAll(async () => {
  await server.close()
  await Sentry.close(100)
})

describe("Sentry", () => {
  it("has one transaction for each caller, with its requests in it, and none of the pool's own", async () => {
    const db = createDatabase({
      url: server.url,
      ...keys,
      minConnections: 1,
      maxConnections: 2,
      keepaliveInterval: 20,
      healthCheckInterval: 20
    })
    const ask = (n: number) => db.executeWithPool((client) => client.from(`things${n}`).select("id").eq("email", value))
    const request = (n: number) =>
      Sentry.withIsolationScope(() => Sentry.startSpan({ name: `request ${n}` }, () => Promise.all([ask(n), ask(n)])))
    await Promise.all(Array.from({ length: 10 }, (_, n) => request(n)))
    await new Promise((done) => setTimeout(done, 100))
    await db.checkDatabaseHealth()
    await db.close()
    await Sentry.flush(100)
    expect(sent.map(({ transaction }) => transaction).sort()).toEqual(
      Array.from({ length: 10 }, (_, n) => `request ${n}`)
    )
    for (const { contexts, spans = [], transaction = "" } of sent) {
      const n = transaction.replace(/\D+/, "")
      const asked = `GET ${server.url}/rest/v1/things${n}`
      expect(spans.map(({ description }) => description)).toEqual([asked, asked])
      expect(spans.map((span) => span.parent_span_id)).toEqual(spans.map(() => contexts?.trace?.span_id))
    }
    expect(
      JSON.stringify(sent.map(({ breadcrumbs, contexts, request, spans }) => [breadcrumbs, contexts, request, spans]))
    ).not.toContain(value)
  })
})
