/** However many event streams somebody opens, and whether they are read or not, the server goes on answering. */
import { connect, type Socket } from "node:net"
import { HttpServer } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Logger, Option, Queue, type Scope, Stream } from "effect"
import type * as Alerts from "../../src/Alerts.js"
import type { ConnectionEvent } from "../../src/Audit.js"
import * as Config from "../../src/Config.js"
import * as Health from "../../src/Health.js"
import { Decoder } from "../../src/internal/feed/sse.js"
import * as Hub from "../../src/internal/http/hub.js"
import * as Metrics from "../../src/Metrics.js"
import * as Pool from "../../src/Pool.js"
import { Happenings } from "../support/httpServer.js"
import { secret } from "../support/secrets.js"
import { served } from "../support/served.js"

const token = secret("admin-token")

const layer = served(
  Config.SupabaseConfig.layerOf({
    url: "http://127.0.0.1:1",
    anonKey: secret("anon"),
    serviceRoleKey: secret("service")
  }),
  { adminToken: token }
)

const path = "/api/admin/database/events"

interface Reader {
  readonly socket: Socket
  /** Its first bytes. */
  readonly head: Effect.Effect<string>
  readonly closed: Effect.Effect<void>
}

/** Asks for the event stream and reads no more than the first of it. */
const open: Effect.Effect<Reader, never, HttpServer.HttpServer | Scope.Scope> = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const port = address._tag === "TcpAddress" ? address.port : 0
  const events = new Happenings()
  let head = ""
  let closed = false
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => connect(port, "127.0.0.1")),
    (it) => Effect.sync(() => it.destroy())
  )
  socket.on("error", () => {})
  socket.on("close", () => {
    closed = true
    events.happened()
  })
  socket.once("data", (data) => {
    head = String(data)
    socket.pause()
    events.happened()
  })
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`)
  return {
    socket,
    head: Effect.map(
      events.until(() => head !== ""),
      () => head
    ),
    closed: events.until(() => closed)
  }
})

const ask = (path: string, headers: Record<string, string> = {}) =>
  HttpServer.addressFormattedWith((address) =>
    Effect.promise(async (signal) => {
      const response = await fetch(`${address}${path}`, { signal, headers })
      const { done } = (await response.body?.getReader().read()) ?? { done: true }
      return { status: response.status, headers: response.headers, done }
    })
  )

const bearer = { authorization: `Bearer ${token}` }

describe("event streams", () => {
  it.scopedLive("are so many and no more: who asks for another is told 503, and liveness is answered meanwhile", () =>
    Effect.gen(function* () {
      const readers = yield* Effect.forEach(Array.from({ length: Hub.mostListeners }), () => open, {
        concurrency: "unbounded"
      })
      const heads = yield* Effect.forEach(readers, ({ head }) => head, { concurrency: "unbounded" })
      for (const head of heads) expect(head).toMatch(/^HTTP\/1\.1 200 /)
      for (let n = 0; n < 3; n += 1) {
        const refused = yield* (yield* open).head
        expect(refused).toMatch(/^HTTP\/1\.1 503 /)
        expect(refused).toContain(`${Hub.mostListeners} event streams are open`)
        expect(refused).toMatch(/retry-after: \d+/i)
        expect((yield* ask("/api/health/live")).status).toBe(200)
      }
      // Without the token nobody hears how many there are.
      expect((yield* ask(path)).status).toBe(401)
      // Who leaves makes room.
      readers[0]?.socket.destroy()
      const again = Effect.flatMap(
        Effect.flatMap(open, ({ head }) => head),
        (head) => (head.startsWith("HTTP/1.1 200 ") ? Effect.succeed(head) : Effect.fail(head))
      )
      expect(yield* Effect.eventually(again)).toContain("event: hello")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("that are asked for by HEAD, or by a client that leaves at once, take no place for good", () =>
    Effect.gen(function* () {
      for (let n = 0; n < Hub.mostListeners + 5; n += 1) {
        const status = yield* HttpServer.addressFormattedWith((address) =>
          Effect.promise(async () => (await fetch(`${address}${path}`, { method: "HEAD", headers: bearer })).status)
        )
        expect(status).toBe(200)
      }
      yield* Effect.forEach(Array.from({ length: 30 }), () => Effect.scoped(Effect.asVoid(open)), {
        concurrency: "unbounded"
      })
      const readers = yield* Effect.forEach(Array.from({ length: Hub.mostListeners - 30 }), () => open, {
        concurrency: "unbounded"
      })
      for (const { head } of readers) expect(yield* head).toMatch(/^HTTP\/1\.1 200 /)
    }).pipe(Effect.provide(layer))
  )
})

/** A hub to which connection events are told by hand. */
const hub = Effect.gen(function* () {
  const queue = yield* Queue.unbounded<ConnectionEvent>()
  const { follow } = yield* Hub.make({
    read: { ...(yield* Pool.ReadPool), lifecycle: Stream.fromQueue(queue) },
    write: yield* Pool.WritePool,
    metrics: yield* Metrics.Metrics,
    health: yield* Health.Health,
    alerts: Option.none<Alerts.Alerts["Type"]>()
  })
  const tell = (count: number, from = 0) =>
    Queue.offerAll(
      queue,
      Array.from({ length: count }, (_, n) => ({ ...event, connectionId: `read-${from + n}` }))
    )
  return { follow, tell }
})

const event: ConnectionEvent = {
  type: "created",
  pool: "read",
  connectionId: "",
  at: 0,
  holder: "",
  held: 0,
  waited: 0,
  age: 0,
  reason: ""
}

/** The connections of which these texts tell. */
const connectionsIn = (texts: Iterable<string>): ReadonlyArray<string> => {
  const decoder = new Decoder()
  return [...texts]
    .flatMap((text) => decoder.push(text))
    .flatMap(({ data }) => /"connectionId":"(read-\d+)"/.exec(data)?.[1] ?? [])
}

const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `read-${from + n}`)

describe("a reader", () => {
  const following = { lastId: Option.none<string>(), withHistory: true, hangUp: Effect.void }

  it.scopedLive("that does not read is let go after a bounded number of messages, which is logged; others stay", () => {
    const said: Array<string> = []
    const logger = Logger.make(({ message }) => said.push(String(message)))
    return Effect.gen(function* () {
      const { follow, tell } = yield* hub
      const hungUp = yield* Deferred.make<void>()
      const slow = yield* Effect.map(
        follow({ ...following, hangUp: Deferred.succeed(hungUp, undefined) }),
        Option.getOrThrow
      )
      const read = yield* Effect.map(follow(following), Option.getOrThrow)
      const wanted = `read-${Hub.backlog * 2 - 1}`
      const reading = yield* Effect.forkScoped(
        Stream.runCollect(Stream.takeUntil(read, (text) => text.includes(`"${wanted}"`)))
      )
      for (let from = 0; from < Hub.backlog * 2; from += 64) {
        yield* tell(64, from)
        yield* Effect.sleep("2 millis")
      }
      yield* Deferred.await(hungUp)
      expect(connectionsIn(yield* Effect.flatten(reading.await))).toEqual(numbered(0, Hub.backlog * 2))
      expect(said.filter((line) => line.includes("an event stream"))).toEqual([
        `an event stream was ended: its reader was ${Hub.backlog} messages behind`
      ])
      // It ends for its reader too, whenever that comes.
      yield* Stream.runDrain(slow)
    }).pipe(Effect.provide(Layer.merge(layer, Logger.replace(Logger.defaultLogger, logger))))
  })

  it.scopedLive("gets the history in pieces, whole and in order, and what comes after it once", () =>
    Effect.gen(function* () {
      const { follow, tell } = yield* hub
      const all = yield* Effect.map(follow(following), Option.getOrThrow)
      yield* tell(150)
      yield* Stream.runDrain(Stream.takeUntil(all, (text) => text.includes('"read-149"')))
      const later = yield* Effect.map(follow(following), Option.getOrThrow)
      yield* tell(10, 150)
      const texts = yield* Stream.runCollect(Stream.takeUntil(later, (text) => text.includes('"read-159"')))
      expect(connectionsIn(texts)).toEqual(numbered(0, 160))
      for (const text of texts) expect(connectionsIn([text]).length).toBeLessThanOrEqual(25)
    }).pipe(Effect.provide(layer))
  )
})
