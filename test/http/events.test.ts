import { HttpServer } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, Queue, Scope, Stream } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { follow, type Told } from "../../src/internal/feed/client.js"
import { Decoder } from "../../src/internal/feed/sse.js"
import { empty, next } from "../../src/internal/feed/view.js"
import * as Pool from "../../src/Pool.js"
import { server as countingServer } from "../support/countingServer.js"
import { type ServedOptions, served } from "../support/served.js"

const token = "admin-token-never-printed"

const path = "/api/admin/database/events"

const at = (port: number) =>
  Config.SupabaseConfig.layerOf({
    url: `http://127.0.0.1:${port}`,
    anonKey: "anon-never-printed",
    serviceRoleKey: "service-never-printed"
  })

const over = (port: number, options: ServedOptions = {}) => served(at(port), { adminToken: token, ...options })

const address = HttpServer.addressFormattedWith(Effect.succeed)

/** Everything told from now on, as a queue; the connection ends with the scope. */
const listen = (given = token) =>
  Effect.gen(function* () {
    const url = yield* address
    const queue = yield* Queue.unbounded<Told>()
    yield* Effect.forkScoped(Stream.runForEach(follow({ url, token: given }), (told) => Queue.offer(queue, told)))
    return queue
  })

/** The next that is so; a test that waits in vain ends with the file's time limit. */
const until = <A extends Told>(queue: Queue.Dequeue<Told>, wanted: (told: Told) => told is A): Effect.Effect<A> =>
  Effect.flatMap(Queue.take(queue), (told) => (wanted(told) ? Effect.succeed(told) : until(queue, wanted)))

const isSample = (told: Told) => told._tag === "Sample"
const isConnected = (told: Told) => told._tag === "Connected"
const isHappened = (told: Told) => told._tag === "Happened"
const isLost = (told: Told) => told._tag === "Lost"

/** The first messages of a connection as they are on the wire. */
const firstOf = (lastId: string | undefined, count: number) =>
  Effect.gen(function* () {
    const url = yield* address
    const headers = { authorization: `Bearer ${token}`, ...(lastId === undefined ? {} : { "last-event-id": lastId }) }
    const decoder = new Decoder()
    return yield* Stream.unwrap(
      Effect.map(
        Effect.promise((signal) => fetch(`${url}${path}`, { headers, signal })),
        ({ body }) =>
          body === null
            ? Stream.die("no body")
            : Stream.fromReadableStream({ evaluate: () => body, onError: (error) => error })
      )
    ).pipe(
      Stream.decodeText(),
      Stream.mapConcat((text) => decoder.push(text)),
      Stream.take(count),
      Stream.runCollect,
      Effect.map((chunk) => [...chunk])
    )
  })

describe("GET /api/admin/database/events", () => {
  it.scopedLive("needs the token, and is not there when none is set", () =>
    Effect.gen(function* () {
      const { port } = yield* countingServer
      const ask = (headers: Record<string, string>) =>
        Effect.flatMap(address, (url) =>
          Effect.promise(async (signal) => {
            const response = await fetch(`${url}${path}`, { headers, signal })
            await response.body?.cancel()
            return response.status
          })
        )
      const wrong: ReadonlyArray<Record<string, string>> = [
        {},
        { authorization: "Bearer wrong" },
        { authorization: `Basic ${token}` },
        { authorization: token }
      ]
      const statuses = yield* Effect.forEach(wrong, ask).pipe(Effect.provide(over(port)))
      expect(statuses).toEqual([401, 401, 401, 401])
      expect(yield* Effect.provide(ask({ authorization: `Bearer ${token}` }), served(at(port)))).toBe(404)
    })
  )

  it.scopedLive("tells the pools' state, then every connection that is made and closed, but not each operation", () =>
    Effect.gen(function* () {
      const database = yield* countingServer
      yield* Effect.gen(function* () {
        const queue = yield* listen()
        expect((yield* Queue.take(queue))._tag).toBe("Connected")
        const { sample } = yield* until(queue, isSample)
        expect([sample.read.max, sample.write.max]).toEqual([2, 2])
        for (let i = 0; i < 5; i++) yield* Db.read((client) => client.from("products").select("id"))
        yield* Effect.flatMap(Pool.ReadPool, (pool) => pool.reset)
        const told = yield* Stream.fromQueue(queue).pipe(
          Stream.filter(isHappened),
          Stream.takeUntil(({ event }) => event.type === "reset" && event.pool === "read"),
          Stream.runCollect
        )
        const types = new Set([...told].map(({ event }) => event.type))
        expect([...types].sort()).toEqual(["created", "reset"])
        const after = yield* Stream.fromQueue(queue).pipe(
          Stream.filter(isSample),
          Stream.filter((it) => it.sample.operations.total === 5),
          Stream.runHead
        )
        expect(Option.isSome(after)).toBe(true)
      }).pipe(Effect.provide(over(database.port, { minConnections: 1, maxConnections: 4 })))
    })
  )

  it.scopedLive("tells how long the operations of each second took, and the busiest queries of each five", () =>
    Effect.gen(function* () {
      const database = yield* countingServer
      yield* Effect.gen(function* () {
        const queue = yield* listen()
        expect((yield* until(queue, isSample)).sample.operations.spread).toEqual([])
        for (let i = 0; i < 7; i++) yield* Db.read((client) => client.from("products").select("id").eq("id", i))
        let counted = 0
        let ended = 0
        yield* Stream.fromQueue(queue).pipe(
          Stream.takeUntil((told) => {
            if (isSample(told)) for (const [, count] of told.sample.operations.spread ?? []) counted += count
            if (told._tag === "Lately") {
              expect(told.lately.covered).toBe(5_000)
              for (const { count, errors, pool, query } of told.lately.queries) {
                expect([pool, query, errors]).toEqual(["read", "SELECT id FROM products WHERE id = ?", 0])
                ended += count
              }
            }
            // No rules are watched here.
            if (isSample(told)) expect(told.sample.pending).toBeUndefined()
            return ended === 7
          }),
          Stream.runDrain
        )
        expect(counted).toBe(7)
      }).pipe(Effect.provide(over(database.port)))
    })
  )

  it.scopedLive("begins with the history, and goes on after the id that the reader saw last", () =>
    Effect.gen(function* () {
      const { port } = yield* countingServer
      yield* Effect.gen(function* () {
        const first = yield* firstOf(undefined, 6)
        expect(first[0]?.event).toBe("hello")
        expect(JSON.parse(first[0]?.data ?? "")).toMatchObject({ resumed: false })
        const again = yield* firstOf(undefined, 6)
        expect(again.slice(1)).toEqual(first.slice(1))
        const resumed = yield* firstOf(first[3]?.id, 3)
        expect(JSON.parse(resumed[0]?.data ?? "")).toMatchObject({ resumed: true })
        expect(resumed.slice(1)).toEqual(first.slice(4))
        const foreign = yield* firstOf("another-7", 6)
        expect(JSON.parse(foreign[0]?.data ?? "")).toMatchObject({ resumed: false })
        expect(foreign.slice(1)).toEqual(first.slice(1))
      }).pipe(Effect.provide(over(port, { minConnections: 2, maxConnections: 4 })))
    })
  )

  it.scopedLive(
    "ends when the server does, and a reader finds the next server by itself and sees that it is another",
    () =>
      Effect.gen(function* () {
        const database = yield* countingServer
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(over(database.port), scope)
        const { queue, port } = yield* Effect.provide(
          Effect.all({
            queue: listen(),
            port: HttpServer.addressWith((it) => Effect.succeed(it._tag === "TcpAddress" ? it.port : 0))
          }),
          context
        )
        let view = next(empty, yield* until(queue, isConnected), 0)
        yield* until(queue, isSample)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        view = next(view, yield* until(queue, isLost), 1)
        expect(view.link).toMatchObject({ _tag: "Lost", since: 1 })
        yield* Fiber.join(closing)
        yield* Layer.build(over(database.port, { port }))
        view = next(view, yield* until(queue, isConnected), 2)
        expect({ link: view.link, restarts: view.restarts }).toEqual({ link: { _tag: "Live" }, restarts: 1 })
        expect((yield* until(queue, isSample)).sample.status).toBe("healthy")
      })
  )

  it.live("a token that no header can carry is refused like any other, and not taken for a server that is away", () =>
    Effect.gen(function* () {
      for (const given of ["admin\u2013token", "admin token", "token\n"]) {
        const told = yield* Stream.runCollect(follow({ url: "http://127.0.0.1:1", token: given }))
        expect([...told]).toEqual([{ _tag: "Refused", status: 401 }])
      }
    })
  )

  it.scopedLive("refuses a wrong token once, and the reader asks no more", () =>
    Effect.gen(function* () {
      const { port } = yield* countingServer
      yield* Effect.gen(function* () {
        const url = yield* address
        const told = yield* Stream.runCollect(follow({ url, token: "wrong" }))
        expect([...told]).toEqual([{ _tag: "Refused", status: 401 }])
      }).pipe(Effect.provide(over(port)))
    })
  )
})
