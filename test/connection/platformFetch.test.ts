/** `transport: "fetch"`: the platform's `fetch` carries what sockets would, and whatever replaces it sees each request. */
import { AsyncLocalStorage } from "node:async_hooks"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import * as Db from "../../src/Db.js"
import { createDatabase } from "../../src/promise.js"
import { secret } from "../support/secrets.js"

const keys = { anonKey: secret("anon"), serviceRoleKey: secret("service") }
const options = {
  ...keys,
  url: "http://127.0.0.1:9",
  transport: "fetch",
  minConnections: 1,
  maxConnections: 4,
  maxRetries: 0,
  enableHealthChecks: false
} as const

/** In place of the platform's, until the scope closes. */
const replaced = (fetch: typeof globalThis.fetch): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        const before = globalThis.fetch
        globalThis.fetch = fetch
        return before
      }),
      (before) =>
        Effect.sync(() => {
          globalThis.fetch = before
        })
    )
  )

const asRequest = (input: RequestInfo | URL, init?: RequestInit): Request => new Request(input, init)

const read = Db.read((client) => client.from("notes").select("id"))
const write = Db.write((client) => client.from("notes").insert({ id: 1 }))

describe("the platform's fetch in place of sockets", () => {
  it.live("one that is replaced after the pools were built sees reads and writes, each with its key", () =>
    Effect.gen(function* () {
      const seen: Array<{ readonly method: string; readonly path: string; readonly key: string | null; body: string }> =
        []
      yield* Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* replaced(async (input, init) => {
              const request = asRequest(input, init)
              const { method, url } = request
              const { pathname, search } = new URL(url)
              const key = request.headers.get("apikey")
              seen.push({ method, path: pathname + search, key, body: await request.text() })
              return Response.json([{ id: 1 }])
            })
            expect(yield* read).toEqual([{ id: 1 }])
            yield* write
          })
        )
        expect((yield* Effect.flip(read))._tag).toBe("ConnectionFailed")
      }).pipe(Effect.provide(Db.layerOf(options)))
      expect(seen).toEqual([
        { method: "GET", path: "/rest/v1/notes?select=id", key: keys.anonKey, body: "" },
        { method: "POST", path: "/rest/v1/notes", key: keys.serviceRoleKey, body: '{"id":1}' }
      ])
    })
  )

  const failures: ReadonlyArray<readonly [what: string, thrown: unknown, failure: string, perhaps: boolean]> = [
    ["nobody listens", new TypeError("fetch failed", { cause: errorOf("ECONNREFUSED") }), "refused", false],
    ["no such host", new TypeError("fetch failed", { cause: errorOf("ENOTFOUND") }), "dns", false],
    ["a connection that breaks", new TypeError("fetch failed", { cause: errorOf("ECONNRESET") }), "closed", true],
    ["a network error without a reason", new TypeError("Failed to fetch"), "closed", true],
    ["undici's own code", new TypeError("fetch failed", { cause: errorOf("UND_ERR_SOCKET") }), "closed", true],
    ["a text", "it broke", "closed", true]
  ]

  it.live.each(failures)("%s is a ConnectionFailed", ([, thrown, failure, perhaps]) =>
    Effect.gen(function* () {
      yield* replaced(() => Promise.reject(thrown))
      expect(yield* Effect.flip(read)).toMatchObject({ _tag: "ConnectionFailed", failure, mayHaveExecuted: false })
      expect(yield* Effect.flip(write)).toMatchObject({ _tag: "ConnectionFailed", failure, mayHaveExecuted: perhaps })
    }).pipe(Effect.scoped, Effect.provide(Db.layerOf(options)))
  )

  it.live("a timeout and an interruption abort the request, and redirects are not followed", () =>
    Effect.gen(function* () {
      const aborted: Array<string> = []
      // A signal that follows another does so as long as its request is held (Node 20).
      const begun: Array<Request> = []
      yield* replaced(
        (input, init) =>
          new Promise((_, reject) => {
            const request = asRequest(input, init)
            const { redirect, signal } = request
            begun.push(request)
            signal.addEventListener("abort", () => {
              aborted.push(redirect)
              reject(signal.reason)
            })
          })
      )
      expect(yield* Effect.flip(write)).toMatchObject({ _tag: "RequestTimeout", mayHaveExecuted: true })
      const reading = yield* Effect.fork(read)
      yield* Effect.repeat(Effect.sleep("1 millis"), { until: () => begun.length === 2, times: 1_000 })
      yield* Fiber.interrupt(reading)
      // The request is taken back in a fiber of its own.
      yield* Effect.repeat(Effect.sleep("1 millis"), { until: () => aborted.length === 2, times: 1_000 })
      expect(aborted).toEqual(["manual", "manual"])
    }).pipe(Effect.scoped, Effect.provide(Db.layerOf({ ...options, requestTimeout: 200 })))
  )

  it.live("no more are under way than there are connections", () =>
    Effect.gen(function* () {
      let underWay = 0
      let most = 0
      yield* replaced(async () => {
        underWay += 1
        most = Math.max(most, underWay)
        await new Promise((resolve) => setTimeout(resolve, 5))
        underWay -= 1
        return Response.json([])
      })
      yield* Effect.all(
        Array.from({ length: 20 }, () => read),
        { concurrency: "unbounded" }
      )
      expect(most).toBe(2)
    }).pipe(Effect.scoped, Effect.provide(Db.layerOf(options)))
  )

  it.live("by the Promise API it is called in its caller's async context", () =>
    Effect.gen(function* () {
      const store = new AsyncLocalStorage<number>()
      yield* replaced(async () => Response.json([{ id: store.getStore() }]))
      const { close, executeWithPool } = createDatabase(options)
      const ids = yield* Effect.promise(() =>
        Promise.all(
          [1, 2, 3, 4, 5].map((id) =>
            store.run(id, () => executeWithPool((client) => client.from("notes").select("id"), "read"))
          )
        )
      )
      expect(ids.map(({ data }) => data)).toEqual([1, 2, 3, 4, 5].map((id) => [{ id }]))
      yield* Effect.promise(() => close())
    }).pipe(Effect.scoped)
  )
})

function errorOf(code: string): Error {
  return Object.assign(new Error(code), { code })
}
