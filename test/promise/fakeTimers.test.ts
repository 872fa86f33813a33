/** A spec's fake timers are its own: through the Promise API a query ends, whatever stands still. */
import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { createDatabase } from "../../src/promise.js"
import { serve, type TestServer } from "../support/httpServer.js"

type FakeTimer = "setTimeout" | "setInterval" | "setImmediate" | "queueMicrotask" | "performance" | "hrtime" | "Date"
const everything: Array<FakeTimer> = [
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "performance",
  "hrtime",
  "Date"
]

const databaseAt = ({ url }: TestServer) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      createDatabase({
        url,
        anonKey: "an-anon-key-for-this-test",
        serviceRoleKey: "a-service-key-for-this-test",
        minConnections: 1,
        maxConnections: 4,
        retryDelay: 1,
        enableHealthChecks: false
      })
    ),
    (database) => Effect.promise(() => database.close())
  )

type Database = Effect.Effect.Success<ReturnType<typeof databaseAt>>

const ways: ReadonlyArray<readonly [name: string, ask: (database: Database) => Promise<unknown>]> = [
  ["a read", ({ executeWithPool }) => executeWithPool((client) => client.from("items").select("*"))],
  ["a write", ({ executeWithPool }) => executeWithPool((client) => client.from("items").insert({ id: 1 }), "write")],
  ["a transaction", ({ db }) => db.transaction([(client) => client.from("items").insert({ id: 1 })])],
  [
    "fifty at once",
    ({ executeWithPool }) =>
      Promise.all(Array.from({ length: 50 }, () => executeWithPool((client) => client.from("items").select("*"))))
  ]
]

describe("with fake timers", () => {
  afterEach(() => vi.useRealTimers())

  for (const warm of [true, false]) {
    for (const [name, ask] of ways) {
      it.scopedLive(`${name} ends on a pool that is ${warm ? "warm" : "cold"}, after a retry`, () =>
        Effect.gen(function* () {
          const server = yield* serve((response, { method, url }, nth) => {
            const status = nth % 5 === 1 && method === "GET" ? 503 : 200
            const body = url.includes("/rpc/") ? { results: [[]], replayed: false } : []
            response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
          })
          const database = yield* databaseAt(server)
          if (warm) yield* Effect.promise(() => database.executeWithPool((client) => client.from("items").select("*")))
          vi.useFakeTimers({ toFake: everything })
          yield* Effect.promise(() => ask(database))
          expect(server.seen.length).toBeGreaterThan(warm ? 2 : 0)
          vi.useRealTimers()
        })
      )
    }
  }
})
