/** Several reads of one operation: on idle connections where there are any, and in line where there are none. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { serve } from "../support/httpServer.js"

/** Answers when it is told to, and knows how many wait. */
const gated = Effect.gen(function* () {
  const held: Array<() => void> = []
  let isOpen = false
  const server = yield* serve((response) => {
    const answer = () => {
      response.writeHead(200, { "content-type": "application/json" })
      response.end("[]")
    }
    if (isOpen) answer()
    else held.push(answer)
  })
  const open = Effect.sync(() => {
    isOpen = true
    for (const answer of held.splice(0)) answer()
  })
  return { server, open, held: () => held.length }
})

const layer = (url: string, minConnections: number, maxConnections: number) =>
  Db.layerOf({
    url,
    anonKey: "an-anon-key-for-this-test",
    serviceRoleKey: "a-service-key-for-this-test",
    minConnections,
    maxConnections,
    enableHealthChecks: false,
    keepaliveInterval: 0
  })

const tables = ["a", "b", "c", "d", "e"]

const five = Db.read((client) =>
  Effect.promise(() => Promise.all(tables.map((table) => client.from(table).select("*"))))
)

const figures = Effect.flatMap(Pool.ReadPool, ({ metrics }) => metrics)

/** When as many connections are idle. */
const warm = (wanted: number): Effect.Effect<Pool.PoolMetrics, never, Pool.ReadPool> =>
  Effect.flatMap(figures, (now) =>
    now.idle >= wanted
      ? Effect.succeed(now)
      : Effect.zipRight(
          nextTurn,
          Effect.suspend(() => warm(wanted))
        )
  )

const nextTurn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

describe("several reads of one operation", () => {
  it.scopedLive("go at once, each on a connection, where so many are idle", () =>
    Effect.gen(function* () {
      const { held, open, server } = yield* gated
      yield* Effect.gen(function* () {
        yield* warm(5)
        const asking = yield* Effect.fork(five)
        yield* server.until(() => held() === 5)
        assert.strictEqual(new Set(server.seen.map(({ socket }) => socket)).size, 5)
        assert.strictEqual((yield* figures).active, 5)
        yield* open
        const answers = yield* Fiber.join(asking)
        assert.deepStrictEqual(
          answers.map(({ error }) => error),
          [null, null, null, null, null]
        )
        assert.deepInclude(yield* figures, { active: 0, idle: 5, pending: 0 })
      }).pipe(Effect.provide(layer(server.url, 5, 10)))
    })
  )

  it.scopedLive("share those that are idle with other operations, none of which waits for another that waits", () =>
    Effect.gen(function* () {
      const { held, open, server } = yield* gated
      yield* Effect.gen(function* () {
        yield* warm(2)
        const asking = yield* Effect.forEach([1, 2, 3], () => Effect.fork(five))
        yield* server.until(() => held() === 2)
        yield* open
        const answers = yield* Effect.forEach(asking, Fiber.join)
        assert.isTrue(answers.flat().every(({ error }) => error === null))
        assert.strictEqual(new Set(server.seen.map(({ socket }) => socket)).size, 2)
        assert.deepInclude(yield* figures, { active: 0, idle: 2, pending: 0 })
      }).pipe(Effect.provide(layer(server.url, 2, 4)))
    })
  )

  it.scopedLive("are all taken back when the operation is interrupted, and their connections counted", () =>
    Effect.gen(function* () {
      const { held, server } = yield* gated
      yield* Effect.gen(function* () {
        yield* warm(3)
        const asking = yield* Effect.fork(five)
        yield* server.until(() => held() === 3)
        yield* Fiber.interrupt(asking)
        yield* server.until(() =>
          [...server.sockets.keys()].every((socket) => server.seen.every((it) => it.socket !== socket))
        )
        assert.strictEqual((yield* figures).active, 0)
      }).pipe(Effect.provide(layer(server.url, 3, 6)))
    })
  )

  it.scopedLive("leave the connection of their operation as it was, where only others carry what is taken back", () =>
    Effect.gen(function* () {
      const held: Array<() => void> = []
      const server = yield* serve((response, { url }) => {
        const answer = () => response.writeHead(200, { "content-type": "application/json" }).end("[]")
        if (url.includes("/slow")) held.push(answer)
        else answer()
      })
      yield* Effect.gen(function* () {
        yield* warm(2)
        const both = Db.read((client) =>
          Effect.promise(() => {
            const first = client.from("quick").select("*")
            const quick = Promise.resolve(first)
            void client.from("slow").select("*").then()
            return quick
          })
        )
        const { error } = yield* both
        assert.strictEqual(error, null)
        const own = server.seen.find(({ url }) => url.includes("quick"))?.socket ?? 0
        const other = server.seen.find(({ url }) => url.includes("slow"))?.socket ?? own
        assert.notStrictEqual(own, other)
        yield* server.until(() => !server.sockets.has(other))
        assert.isTrue(server.sockets.has(own))
        assert.strictEqual((yield* figures).active, 0)
      }).pipe(Effect.provide(layer(server.url, 2, 4)))
    })
  )

  it.scopedLive("that write keep their order and their connection", () =>
    Effect.gen(function* () {
      const { open, server } = yield* gated
      yield* open
      yield* Effect.gen(function* () {
        yield* Db.write((client) =>
          Effect.promise(() => Promise.all(tables.map((table) => client.from(table).insert({ a: 1 }))))
        )
        const writes = server.seen.filter(({ method }) => method === "POST")
        assert.deepStrictEqual(
          writes.map(({ url }) => url.split("?")[0]?.slice(-1)),
          tables
        )
        assert.strictEqual(new Set(writes.map(({ socket }) => socket)).size, 1)
      }).pipe(Effect.provide(layer(server.url, 5, 10)))
    })
  )
})
