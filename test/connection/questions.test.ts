/** Questions that are too long, answers that are cut, and what cannot be sent: over a server that does as PostgREST does. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, FastCheck as fc, Schema } from "effect"
import * as Db from "../../src/Db.js"
import { unsendableRequest } from "../../src/internal/connection/sendable.js"
import { keyOf, shapeOf } from "../../src/internal/metrics/shape.js"
import { serve } from "../support/httpServer.js"

const options = {
  anonKey: "an-anon-key-for-this-test",
  serviceRoleKey: "a-service-key-for-this-test",
  minConnections: 1,
  maxConnections: 4,
  retryDelay: 1,
  enableHealthChecks: false
}

const Item = Schema.Struct({ id: Schema.String })
const items = Db.table("items", Item)
const numbered = (n: number): ReadonlyArray<string> =>
  Array.from({ length: n }, (_, i) => `item-${String(i).padStart(5, "0")}`)

const keysOf = (url: string): ReadonlyArray<string> => {
  const id = new URL(url, "http://x").searchParams.get("id") ?? ""
  return id.startsWith("eq.") ? [id.slice(3)] : [...id.matchAll(/"([^"]+)"/g)].map(([, key = ""]) => key)
}

const json = { "content-type": "application/json" }

describe("an answer that the server cuts", () => {
  for (const maxRows of [1, 3, 50, 1_000]) {
    it.scopedLive(
      `at ${maxRows} rows loses none: getMany, gets that share a request, a list with a limit, a stream`,
      () =>
        Effect.gen(function* () {
          const all = numbered(120)
          const { url } = yield* serve((response, { url }) => {
            const { searchParams } = new URL(url, "http://x")
            const offset = Number(searchParams.get("offset") ?? 0)
            const limit = Number(searchParams.get("limit") ?? maxRows)
            const chosen = searchParams.has("id")
              ? keysOf(url).filter((id) => all.includes(id))
              : all.slice(offset, offset + limit)
            response.writeHead(200, json).end(JSON.stringify(chosen.slice(0, maxRows).map((id) => ({ id }))))
          })
          yield* Effect.gen(function* () {
            const asked = [...all, "nowhere"]
            expect((yield* items.getMany(asked)).map(({ id }) => id)).toEqual(all)
            const each = yield* Effect.forEach(asked.slice(-20), (id) => Effect.either(items.get(id)), {
              concurrency: "unbounded"
            })
            expect(each.map((one) => (Either.isRight(one) ? one.right.id : one.left._tag))).toEqual([
              ...all.slice(-19),
              "RowNotFound"
            ])
            for (const limit of [1, 7, 100, 120, 500]) {
              expect((yield* items.list({ limit })).map(({ id }) => id)).toEqual(all.slice(0, limit))
              expect((yield* items.list({ limit, offset: 5 })).map(({ id }) => id)).toEqual(all.slice(5, 5 + limit))
            }
          }).pipe(Effect.provide(Db.layerOf({ ...options, url })))
        })
    )
  }

  it.scopedLive("is not looked for where a longer one was seen: one request for each list", () =>
    Effect.gen(function* () {
      const { seen, url } = yield* serve((response, { url }) => {
        const { searchParams } = new URL(url, "http://x")
        const left = Math.max(0, 20 - Number(searchParams.get("offset") ?? 0))
        const rows = searchParams.has("name") ? 2 : Math.min(left, Number(searchParams.get("limit")))
        response.writeHead(200, json).end(JSON.stringify(numbered(rows).map((id) => ({ id }))))
      })
      yield* Effect.gen(function* () {
        yield* items.list({ limit: 30 })
        const before = seen.length
        yield* items.list({ limit: 30, filter: (query) => query.eq("name", "a") })
        expect(seen.length - before).toBe(1)
      }).pipe(Effect.provide(Db.layerOf({ ...options, url })))
    })
  )
})

describe("a question that is too long", () => {
  const ids = numbered(1_000)
  const ask = Db.read((client) =>
    client
      .from("items")
      .select("*")
      .in("id", [...ids])
  )

  for (const status of [414, 431, 400, 413]) {
    it.scopedLive(`and is answered with ${status} says how long it is and what to do, and is asked once`, () =>
      Effect.gen(function* () {
        const { seen, url } = yield* serve((response) =>
          response.writeHead(status, { "content-type": "text/html" }).end("<html>")
        )
        const error = yield* Effect.flip(Effect.provide(ask, Db.layerOf({ ...options, url })))
        expect(error).toMatchObject({ _tag: "QueryError", status, mayHaveExecuted: false, isTransient: false })
        expect(error.message).toMatch(/an address of 1\d{4} characters/)
        expect(error.message).toContain("Ask in parts, or by a function of the database (rpc")
        expect(seen.filter(({ url }) => url !== "/").length).toBe(1)
      })
    )
  }

  it.scopedLive(
    "and is cut off says so, when it is again on a socket that has just answered; a short one is asked again",
    () =>
      Effect.gen(function* () {
        const { seen, url } = yield* serve((response, { url }) =>
          url === "/" ? response.end() : response.socket?.destroy()
        )
        const layer = Db.layerOf({ ...options, url })
        const error = yield* Effect.flip(Effect.provide(ask, layer))
        expect(error).toMatchObject({ _tag: "QueryError", code: "QUESTION_CUT_OFF", mayHaveExecuted: false })
        expect(error.message).toMatch(/1\d{4} characters/)
        expect(seen.filter(({ url }) => url !== "/").length).toBe(2)
        const short = yield* Effect.flip(
          Effect.provide(
            Db.read((client) => client.from("items").select("*")),
            layer
          )
        )
        expect(short._tag).toBe("ConnectionFailed")
      })
  )

  it.scopedLive("and met a socket that was closed meanwhile is asked again, and answered", () =>
    Effect.gen(function* () {
      let left = 1
      const { seen, url } = yield* serve((response, { url }) => {
        if (url !== "/" && left-- > 0) response.socket?.destroy()
        else response.writeHead(200, json).end("[]")
      })
      expect(yield* Effect.provide(ask, Db.layerOf({ ...options, url }))).toEqual([])
      expect(seen.filter(({ url }) => url !== "/").length).toBe(2)
    })
  )

  it.scopedLive("and as long a one was answered before: what cuts it off is no matter of its length", () =>
    Effect.gen(function* () {
      let asked = 0
      const { url } = yield* serve((response, { url }) => {
        if (url !== "/" && ++asked > 1) response.socket?.destroy()
        else response.writeHead(200, json).end("[]")
      })
      const twice = Effect.zipRight(ask, Effect.flip(ask))
      expect(yield* Effect.provide(twice, Db.layerOf({ ...options, url }))).toMatchObject({
        _tag: "ConnectionFailed",
        failure: "closed"
      })
    })
  )

  it.scopedLive("and is cut off as a plain write is not sent again, and may have been executed", () =>
    Effect.gen(function* () {
      const { seen, url } = yield* serve((response, { url }) =>
        url === "/" ? response.end() : response.socket?.destroy()
      )
      const remove = Db.write((client) =>
        client
          .from("items")
          .delete()
          .in("id", [...ids])
      )
      expect(yield* Effect.flip(Effect.provide(remove, Db.layerOf({ ...options, url })))).toMatchObject({
        code: "QUESTION_CUT_OFF",
        mayHaveExecuted: true
      })
      expect(seen.filter(({ url }) => url !== "/").length).toBe(1)
    })
  )

  it.scopedLive("and is answered has a head as long as itself, which is read", () =>
    Effect.gen(function* () {
      const { url } = yield* serve((response, { url }) =>
        response.writeHead(200, { ...json, "content-location": url.repeat(4) }).end("[]")
      )
      expect(yield* Effect.provide(ask, Db.layerOf({ ...options, url }))).toEqual([])
    })
  )
})

describe("what cannot be sent", () => {
  it("is found in a body wherever it stands, and nothing else is", () =>
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom("a\0b", "\ud800", "\udc00x", "fine", "\\u0000", "😀"),
        (value, text) => {
          const body = JSON.stringify({ value, within: [{ text }] })
          const found = unsendableRequest("/rest/v1/a", body)
          if (/[\0]|\p{Surrogate}/u.test(text)) expect(found?.message).toContain("within.0.text cannot be sent")
          else expect(found).toBeUndefined()
          expect(unsendableRequest("/storage/v1/object/a", body)).toBeUndefined()
        }
      )
    ))

  it("is named where it stands", () => {
    expect(unsendableRequest("/rest/v1/a", JSON.stringify([{ tags: ["x", "a\0b"] }]))?.message).toContain("0.tags.1")
    expect(unsendableRequest("/rest/v1/a?name=eq.a%00b&x=1", undefined)?.message).toContain("the filter name")
    // A backslash and a u are text.
    expect(unsendableRequest("/rest/v1/a", JSON.stringify({ a: "\\u0000" }))).toBeUndefined()
  })
})

describe("names that every object has", () => {
  it("are no operators to the shape of a query", () => {
    expect(shapeOf(keyOf("GET", "/rest/v1/a?id=constructor.1")).text).not.toContain("native code")
    expect(shapeOf(keyOf("GET", "/rest/v1/a?id=toString.1")).text).not.toContain("native code")
  })
})
