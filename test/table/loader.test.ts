/** `get`s at the same time share requests: counted by a server that sees each of them. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Either, Fiber, Layer, Request, Schema, TestClock } from "effect"
import * as Db from "../../src/Db.js"
import {
  type Answer,
  against,
  anonKey,
  failureOf,
  json,
  layer,
  problem,
  serve,
  serviceRoleKey
} from "../support/httpServer.js"

const Item = Schema.Struct({ id: Schema.String, seenBy: Schema.String })

const items = Db.table("items", Item)
const secrets = Db.table("secrets", Item, { as: "service" })

/** The keys that a request asks for. */
const keysOf = (url: string): ReadonlyArray<string> => {
  const asked = new URL(url, "http://server").searchParams.get("id") ?? ""
  return asked.startsWith("eq.")
    ? [asked.slice(3)]
    : [...asked.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, key = ""]) => key)
}

/** Has every row but those called none…, shows whoever asks their own name, and does not know what x is. */
const database: Answer = (response, { headers, url }) => {
  const keys = keysOf(url)
  if (keys.some((key) => key.startsWith("x"))) return problem(response, 400, "22P02")
  const seenBy = headers.authorization?.slice("Bearer ".length)
  json(
    response,
    keys.filter((key) => !key.startsWith("none")).map((id) => ({ id, seenBy: id.startsWith("odd") ? 7 : seenBy }))
  )
}

const numbered = (n: number, name = "row"): ReadonlyArray<string> => Array.from({ length: n }, (_, i) => `${name}-${i}`)

const all = <A, B, E, R>(values: ReadonlyArray<A>, f: (value: A) => Effect.Effect<B, E, R>) =>
  Effect.forEach(values, f, { concurrency: "unbounded" })

const options = { minConnections: 1, maxConnections: 4 } as const

describe("get", () => {
  it.effect("100 at once are one request, in whichever way they are at once", () =>
    against(
      database,
      options
    )((server) =>
      Effect.gen(function* () {
        const ids = numbered(100)
        const rows = yield* all(ids, items.get)
        expect(rows.map(({ id }) => id)).toEqual(ids)
        expect(server.seen.length).toBe(1)

        yield* Effect.forEach(ids, items.get, { concurrency: "unbounded", batching: true })
        expect(server.seen.length).toBe(2)

        const fibers = yield* Effect.forEach(ids, (id) => Effect.fork(items.get(id)))
        yield* Fiber.joinAll(fibers)
        expect(server.seen.length).toBe(3)
      })
    )
  )

  it.effect("asks for a row once, however many want it", () =>
    against(
      database,
      options
    )((server) =>
      Effect.gen(function* () {
        const rows = yield* all(["a", "b", "a", "a"], items.get)
        expect(rows.map(({ id }) => id)).toEqual(["a", "b", "a", "a"])
        expect(server.seen.map(({ url }) => keysOf(url))).toEqual([["a", "b"]])
      })
    )
  )

  it.effect("of one row reads like one", () =>
    against(
      database,
      options
    )((server) =>
      Effect.gen(function* () {
        yield* items.get("a.b")
        expect(server.seen[0]?.url).toBe("/rest/v1/items?select=id%2CseenBy&id=eq.a.b")
      })
    )
  )

  it.effect("that come while all connections are busy go together when one is free", () => {
    let release = () => {}
    const blocked: Answer = (response, seen, nth) => {
      if (nth > 1) return database(response, seen, nth)
      release = () => database(response, seen, nth)
    }
    return against(blocked, { minConnections: 1, maxConnections: 2 })((server) =>
      Effect.gen(function* () {
        const first = yield* Effect.fork(items.get("first"))
        yield* server.until(() => server.seen.length === 1)
        const later = yield* Effect.forEach(numbered(20), (id) =>
          Effect.zipRight(Effect.yieldNow(), Effect.fork(items.get(id)))
        )
        yield* Effect.yieldNow({ priority: 2 })
        release()
        yield* Fiber.join(first)
        yield* Fiber.joinAll(later)
        expect(server.seen.map(({ url }) => keysOf(url).length)).toEqual([1, 20])
      })
    )
  })

  it.effect("of a row that is missing fails alone", () =>
    against(
      database,
      options
    )((server) =>
      Effect.gen(function* () {
        const got = yield* all(["a", "none", "odd", "b"], (id) => Effect.either(items.get(id)))
        expect(got.map((it) => Either.match(it, { onLeft: ({ _tag }) => _tag, onRight: ({ id }) => id }))).toEqual([
          "a",
          "RowNotFound",
          "DecodeError",
          "b"
        ])
        // The missing one is asked for again: an answer may be cut, and says nothing of it.
        expect(server.seen.length).toBe(2)
      })
    )
  )

  it.effect("with a key that the column cannot hold fails alone", () =>
    against(
      database,
      options
    )((server) =>
      Effect.gen(function* () {
        const got = yield* all([...numbered(50), "x", ...numbered(13, "more")], (id) => Effect.either(items.get(id)))
        expect(got.filter(Either.isRight).length).toBe(63)
        const errors = got.filter(Either.isLeft).map(({ left }) => left)
        expect(errors).toMatchObject([{ _tag: "QueryError", code: "22P02" }])
        // Halves, where the half with the wrong key is asked again: two for each doubling.
        expect(server.seen.length).toBe(13)
      })
    )
  )

  it.effect("fails together where the database does", () =>
    against(
      (response) => problem(response, 404, "PGRST205"),
      options
    )((server) =>
      Effect.gen(function* () {
        const errors = yield* all(numbered(10), (id) => failureOf(items.get(id)))
        expect(errors.every((error) => error._tag === "QueryError" && error.code === "PGRST205")).toBe(true)
        expect(server.seen.length).toBe(1)
      })
    )
  )

  it.effect("keeps URLs short enough for every gateway", () =>
    against(
      database,
      options
    )((server) =>
      Effect.gen(function* () {
        const uuids = Array.from({ length: 300 }, () => crypto.randomUUID())
        const long = numbered(20, "日".repeat(100))
        const small = Array.from({ length: 600 }, (_, i) => `${i}`)
        const ids = [...uuids, ...long, ...small]
        expect((yield* all(ids, items.get)).map(({ id }) => id)).toEqual(ids)
        expect((yield* items.getMany(ids)).map(({ id }) => id)).toEqual(ids)
        expect(Math.max(...server.seen.map(({ url }) => url.length))).toBeLessThan(7_000)
        expect(Math.max(...server.seen.map(({ url }) => keysOf(url).length))).toBeLessThanOrEqual(500)
        expect(server.seen.length).toBeLessThan(20)
      })
    )
  )

  it.effect("100 users at once never share a request, nor does the service, nor nobody", () =>
    against(
      database,
      options
    )((server) =>
      Effect.gen(function* () {
        const users = numbered(100, "user")
        const asUsers = all(users, (user) =>
          Effect.zip(items.get("mine"), secrets.get("mine"), { concurrent: true }).pipe(Db.withAccessToken(user))
        )
        const [seen, nobody, service] = yield* Effect.all([asUsers, items.get("mine"), secrets.get("mine")], {
          concurrency: "unbounded",
          batching: true
        })
        expect(seen).toEqual(
          users.map((seenBy) => [
            { id: "mine", seenBy },
            { id: "mine", seenBy }
          ])
        )
        expect(nobody.seenBy).toBe(anonKey)
        expect(service.seenBy).toBe(serviceRoleKey)
        expect(server.seen.length).toBe(202)
      })
    )
  )

  it.effect("the same user shares a request, also when the token came twice", () =>
    against(
      database,
      options
    )((server) =>
      Effect.gen(function* () {
        yield* all(numbered(10), (id) => Db.withAccessToken("ann-never-printed")(items.get(id)))
        expect(server.seen.length).toBe(1)
      })
    )
  )

  it.effect("is answered from Effect's request cache for who asked, and for nobody else", () =>
    against(
      database,
      options
    )((server) =>
      Effect.gen(function* () {
        const asAnn = Db.withAccessToken("ann-never-printed")(items.get("mine"))
        const asBob = Db.withAccessToken("bob-never-printed")(items.get("mine"))
        expect(yield* asAnn).toEqual({ id: "mine", seenBy: "ann-never-printed" })
        expect(yield* asAnn).toEqual({ id: "mine", seenBy: "ann-never-printed" })
        expect(yield* asBob).toEqual({ id: "mine", seenBy: "bob-never-printed" })
        expect(yield* items.get("mine")).toEqual({ id: "mine", seenBy: anonKey })
        expect(yield* secrets.get("mine")).toEqual({ id: "mine", seenBy: serviceRoleKey })
        expect(server.seen.length).toBe(4)
      }).pipe(
        Effect.withRequestCaching(true),
        Effect.provide(Layer.setRequestCache(Request.makeCache({ capacity: 100, timeToLive: "1 minute" })))
      )
    )
  )

  it.scoped("of two databases do not mix", () =>
    Effect.gen(function* () {
      const one = yield* serve((response) => json(response, [{ id: "a", seenBy: "one" }]))
      const two = yield* serve((response) => json(response, [{ id: "a", seenBy: "two" }]))
      const got = yield* Effect.all(
        [one, two].map(({ url }) => Effect.provide(items.get("a"), layer(url))),
        { concurrency: "unbounded", batching: true }
      )
      expect(got.map(({ seenBy }) => seenBy)).toEqual(["one", "two"])
    })
  )
})

describe("a get that is interrupted", () => {
  const silent: Answer = () => {}

  it.effect("aborts the request when nobody else waits for it", () =>
    against(
      silent,
      options
    )((server) =>
      Effect.gen(function* () {
        const asking = yield* Effect.fork(all(numbered(3), items.get))
        yield* server.until(() => server.seen.length === 1)
        yield* Fiber.interrupt(asking)
        yield* server.until(() => !server.sockets.has(server.seen[0]?.socket ?? 0))
        expect(server.seen.length).toBe(1)
      })
    )
  )

  it.effect("leaves the request to the others", () => {
    let release = () => {}
    const slow: Answer = (response, seen, nth) => {
      release = () => database(response, seen, nth)
    }
    return against(
      slow,
      options
    )((server) =>
      Effect.gen(function* () {
        const [first, ...others] = yield* Effect.forEach(numbered(5), (id) => Effect.fork(items.get(id)))
        yield* server.until(() => server.seen.length === 1)
        if (first !== undefined) yield* Fiber.interrupt(first)
        release()
        const rows = yield* Effect.forEach(others, Fiber.join)
        expect(rows.map(({ id }) => id)).toEqual(numbered(5).slice(1))
        expect(server.seen.length).toBe(1)
      })
    )
  })

  it.effect("before it was sent leaves nothing behind", () =>
    against(
      database,
      options
    )((server) =>
      Effect.gen(function* () {
        const started = yield* Deferred.make<void>()
        const asking = yield* Effect.fork(Effect.zipRight(Deferred.succeed(started, undefined), items.get("a")))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(asking)
        expect((yield* items.get("b")).id).toBe("b")
        expect(server.seen.map(({ url }) => keysOf(url))).toEqual([["b"]])
      })
    )
  )
})

describe("a write whose answer was lost", () => {
  const Thing = Schema.Struct({ id: Schema.String, serial: Schema.Int })
  const things = Db.table("things", Thing, { generated: ["id", "serial"] })

  /** Whether it was sent again, once or more. */
  const repeats = (write: Effect.Effect<unknown, Db.DbError, Db.Db>) =>
    against((response) => void response.writeHead(502).end(), { ...options, maxRetries: 1, retryDelay: "1 second" })(
      (server) =>
        Effect.gen(function* () {
          const writing = yield* Effect.fork(failureOf(write))
          yield* server.until(() => server.seen.length === 1)
          const outcome = yield* Effect.raceFirst(
            Fiber.join(writing),
            Effect.forever(Effect.zipRight(TestClock.adjust("1 second"), tick))
          )
          expect(outcome.mayHaveExecuted).toBe(true)
          return server.seen.length > 1
        })
    )

  const tick = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

  it.effect.each<readonly [what: string, again: boolean, write: Effect.Effect<unknown, Db.DbError, Db.Db>]>([
    ["an upsert that names its key", true, things.upsert({ id: "a" })],
    ["an upsert that names what it conflicts on", true, things.upsert({ serial: 1 }, { onConflict: "serial" })],
    ["an upsert whose key the database makes", false, things.upsert({ serial: 1 })],
    ["an upsert that is said not to be idempotent", false, things.upsert({ id: "a" }, { idempotent: false })],
    ["an update", false, things.update("a", { serial: 1 })],
    ["an update that is said to be idempotent", true, things.update("a", { serial: 1 }, { idempotent: true })],
    ["an insert, even with its key", false, things.create({ id: "a" })],
    ["a removal", false, things.remove("a")]
  ])("%s is sent again: %s", ([, again, write]) =>
    Effect.gen(function* () {
      expect(yield* repeats(write)).toBe(again)
    })
  )
})
