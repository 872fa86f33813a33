import { once } from "node:events"
import { createServer, type RequestListener, type Server } from "node:http"
import { createConnection, type Socket } from "node:net"
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import * as Http from "../../src/Http.js"

const listening = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = Http.graceful(createServer()).on("request", listener).listen(0, "127.0.0.1")
      await once(server, "listening")
      return server
    }),
    (server) => Effect.sync(() => server.closeAllConnections())
  )

const portOf = (server: Server): number => {
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("it does not listen")
  return address.port
}

/** A client that has connected, and whose connection the server has seen. */
const connected = (server: Server) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const seen = once(server, "connection")
      const socket = createConnection(portOf(server), "127.0.0.1")
      await Promise.all([once(socket, "connect"), seen])
      return socket
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

const get = (socket: Socket) => {
  socket.write("GET / HTTP/1.1\r\nhost: it\r\n\r\n")
  return once(socket, "data").then(([data]) => String(data))
}

const closed = (server: Server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))

describe("a server of Node's that is graceful", () => {
  const ok: RequestListener = (_, response) => response.end("here")

  it.live("answers 503 and hangs up when nobody serves any more", () =>
    Effect.gen(function* () {
      const server = yield* listening(ok)
      const socket = yield* connected(server)
      expect(yield* Effect.promise(() => get(socket))).toContain("200 OK")
      server.off("request", ok)
      const ended = once(socket, "end")
      const answer = yield* Effect.promise(() => get(socket))
      expect(answer).toContain("503 Service Unavailable")
      expect(answer).toMatch(/connection: close/i)
      expect(answer).toContain('{"error":"Shutting down."}')
      yield* Effect.promise(() => ended)
    }).pipe(Effect.scoped, Effect.timeout("5 seconds"))
  )

  it.live("finishes the answer that is on its way, says that it is the last, and then is closed", () =>
    Effect.gen(function* () {
      let answer = () => {}
      const server = yield* listening((_, response) => {
        answer = () => response.end("late")
      })
      const socket = yield* connected(server)
      const asked = once(server, "request")
      const answered = get(socket)
      yield* Effect.promise(() => asked)
      const done = closed(server)
      const fiber = yield* Effect.fork(done)
      yield* Effect.yieldNow()
      answer()
      const text = yield* Effect.promise(() => answered)
      expect(text).toMatch(/connection: close/i)
      expect(text).toContain("late")
      yield* fiber
    }).pipe(Effect.scoped, Effect.timeout("5 seconds"))
  )

  it.live("hangs up behind an answer that had begun before it closed", () =>
    Effect.gen(function* () {
      let finish = () => {}
      const server = yield* listening((_, response) => {
        response.write("begun, ")
        finish = () => response.end("done")
      })
      // Node would keep the connection for as long as this.
      server.keepAliveTimeout = 60_000
      const socket = yield* connected(server)
      expect(yield* Effect.promise(() => get(socket))).toContain("keep-alive")
      const fiber = yield* Effect.fork(closed(server))
      yield* Effect.yieldNow()
      finish()
      yield* fiber
    }).pipe(Effect.scoped, Effect.timeout("5 seconds"))
  )

  it.live("is closed although a client is connected that never asks", () =>
    Effect.gen(function* () {
      const server = yield* listening(ok)
      const socket = yield* connected(server)
      const gone = once(socket, "close")
      yield* closed(server)
      yield* Effect.promise(() => gone)
    }).pipe(Effect.scoped, Effect.timeout("5 seconds"))
  )

  it.live("ends with Effect's server, whatever its clients hold open", () =>
    Effect.gen(function* () {
      const node = Http.graceful(createServer())
      const scope = yield* Scope.make()
      yield* HttpServer.serve(HttpServerResponse.text("here")).pipe(
        Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" })),
        Layer.buildWithScope(scope)
      )
      const [used] = yield* Effect.all([connected(node), connected(node)])
      expect(yield* Effect.promise(() => get(used))).toContain("here")
      yield* Scope.close(scope, Exit.void)
      expect(node.listening).toBe(false)
    }).pipe(Effect.scoped, Effect.timeout("5 seconds"))
  )
})
