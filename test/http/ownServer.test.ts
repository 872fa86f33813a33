/** `Http.routes` in somebody else's server: the event stream and the events in the log are there as in a server of our own. */
import { createServer } from "node:http"
import { HttpLayerRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, HashMap, Layer, Logger, Queue, Scope, Stream } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Http from "../../src/Http.js"
import { follow, type Told } from "../../src/internal/feed/client.js"
import { server as countingServer } from "../support/countingServer.js"

const token = "admin-token-never-printed"

const events = "/api/admin/database/events"

interface Mounted {
  readonly prefix: string
  readonly routes: typeof Http.routes
}

const mounted: ReadonlyArray<readonly [name: string, mounted: Mounted]> = [
  ["Http.routes", { prefix: "", routes: Http.routes }],
  ["only the admin's part", { prefix: "", routes: Http.routesOf({ parts: ["admin"] }) }],
  ["under a prefix", { prefix: "/internal", routes: Http.routesOf({ prefix: "/internal" }) }],
  ["that part under a prefix", { prefix: "/a/b", routes: Http.routesOf({ prefix: "/a/b", parts: ["admin"] }) }]
]

const own = HttpLayerRouter.add("GET", "/laptops", HttpServerResponse.text("laptops"))

const over = (url: string, routes: Mounted["routes"], logLevel: "debug" | "info" = "info") =>
  HttpLayerRouter.serve(Layer.merge(own, routes), { disableListenLog: true, disableLogger: true }).pipe(
    Layer.provide([Health.layer, Http.Readiness.layer]),
    Layer.provideMerge(NodeHttpServer.layer(() => Http.graceful(createServer()), { port: 0, host: "127.0.0.1" })),
    Layer.provideMerge(Db.layer),
    Layer.provide([
      Config.PoolConfig.layerOf({ enableHealthChecks: false, minConnections: 1, maxConnections: 4 }),
      Config.ServerConfig.layerOf({ adminToken: token, logLevel }),
      Config.SupabaseConfig.layerOf({ url, anonKey: "anon-never-printed", serviceRoleKey: "service-never-printed" })
    ])
  )

const address = HttpServer.addressFormattedWith(Effect.succeed)

const read = Db.read((client) => client.from("products").select("id"))

/** All that is told, as a queue; the connection ends with the scope. */
const listening = (prefix: string) =>
  Effect.gen(function* () {
    const url = `${yield* address}${prefix}`
    const queue = yield* Queue.unbounded<Told>()
    yield* Effect.forkScoped(Stream.runForEach(follow({ url, token }), (told) => Queue.offer(queue, told)))
    return queue
  })

const first = <A extends Told>(queue: Queue.Dequeue<Told>, wanted: (told: Told) => told is A): Effect.Effect<A> =>
  Effect.flatMap(Queue.take(queue), (told) => (wanted(told) ? Effect.succeed(told) : first(queue, wanted)))

const statusOf = (path: string, headers: Record<string, string> = {}) =>
  Effect.flatMap(address, (url) =>
    Effect.promise(async (signal) => {
      const response = await fetch(`${url}${path}`, { headers, signal })
      await response.body?.cancel()
      return response.status
    })
  )

describe("the event stream in a server of one's own", () => {
  it.scopedLive.each(mounted)("%s: tells samples and what happens to connections", ([, { prefix, routes }]) =>
    Effect.gen(function* () {
      const database = yield* countingServer
      yield* Effect.gen(function* () {
        const queue = yield* listening(prefix)
        expect((yield* Queue.take(queue))._tag).toBe("Connected")
        const { sample } = yield* first(queue, (told) => told._tag === "Sample")
        expect(sample.read.max).toBe(2)
        yield* read
        const { event } = yield* first(queue, (told) => told._tag === "Happened")
        expect(event.type).toBe("created")
        const authorization = `Bearer ${token}`
        expect(yield* statusOf(`${prefix}${events}`, { authorization })).toBe(200)
        expect(yield* statusOf(`${prefix}${events}`)).toBe(401)
        if (prefix !== "") expect(yield* statusOf(events, { authorization })).toBe(404)
        expect(yield* statusOf("/laptops")).toBe(200)
      }).pipe(Effect.provide(over(database.url, routes)))
    })
  )

  it.scopedLive("ends with the server, and keeps it from nothing", () =>
    Effect.gen(function* () {
      const database = yield* countingServer
      const scope = yield* Scope.make()
      const services = yield* Layer.buildWithScope(over(database.url, Http.routesOf({ prefix: "/internal" })), scope)
      const queue = yield* Effect.provide(listening("/internal"), services)
      yield* first(queue, (told) => told._tag === "Sample")
      yield* Scope.close(scope, Exit.void)
      yield* first(queue, (told) => told._tag === "Lost")
    })
  )
})

describe("LOG_LEVEL in a server of one's own", () => {
  /** What is logged of connections while a read runs. */
  const logged = (routes: Mounted["routes"], logLevel: "debug" | "info") =>
    Effect.gen(function* () {
      const database = yield* countingServer
      const lines = yield* Queue.unbounded<string>()
      const listener = Logger.make(({ annotations, message }) => {
        const said = String(message)
        if (said.startsWith("connection ") && HashMap.has(annotations, "connectionId")) Queue.unsafeOffer(lines, said)
      })
      yield* read.pipe(
        Effect.zipRight(logLevel === "debug" ? Queue.takeN(lines, 3) : Effect.void),
        Effect.provide(
          Layer.provideMerge(over(database.url, routes, logLevel), Logger.replace(Logger.defaultLogger, listener))
        )
      )
      return [...(yield* Queue.takeAll(lines))]
    })

  it.scopedLive("debug: every connection event is in the log, whatever level the program has", () =>
    Effect.map(logged(Http.routesOf({ parts: ["health"] }), "debug"), (rest) => {
      expect(rest.every((line) => line.startsWith("connection "))).toBe(true)
    })
  )

  it.scopedLive("info: none is", () => Effect.map(logged(Http.routes, "info"), (lines) => expect(lines).toEqual([])))
})
