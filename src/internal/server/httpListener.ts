/**
 * The HTTP server of a process: it listens before anything else is started, so that a taken port is found before a database
 * is opened, and it ends in bounded time, whatever connections its clients keep.
 */
import { createServer, type Server } from "node:http"
import type { HttpServer, HttpServerError } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Duration, Effect, Exit, Fiber, Schedule, Schema, Scope } from "effect"
import { graceful } from "../http/graceful.js"

/** The server cannot listen on the address. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  host: Schema.String,
  port: Schema.Int,
  code: Schema.String
}) {
  override get message(): string {
    const { code, host, port } = this
    const place = `port ${port} of ${host}`
    if (code === "EADDRINUSE") {
      return `Cannot listen: ${place} is taken by another process. Nothing was opened. End that process, or set PORT to another port (0 takes any free one).`
    }
    if (code === "EACCES") {
      return `Cannot listen: ${place} is not allowed to this user. Nothing was opened. Set PORT to 1024 or above.`
    }
    return `Cannot listen on ${place} (${code}). Nothing was opened. Set HOST to an address of this machine, such as 127.0.0.1 or 0.0.0.0.`
  }
}

export interface Listener {
  readonly server: HttpServer.HttpServer
  /** Accepts no more requests, lets running ones finish, and closes the remaining connections after the grace period. */
  readonly stop: Effect.Effect<void>
}

/** How long running requests may take at shutdown; a health check takes no longer than this. */
const grace = Duration.seconds(5)

const codeOf = ({ cause }: HttpServerError.ServeError): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "unknown"

/** Closes connections that open, or get their answer, while the server closes, and those that outlast the grace period. */
const hangUp = (server: Server): Effect.Effect<void> =>
  Effect.sync(() => server.closeIdleConnections()).pipe(
    Effect.repeat(Schedule.spaced("20 millis")),
    Effect.timeoutOption(grace),
    Effect.zipRight(Effect.sync(() => server.closeAllConnections()))
  )

export const make = (
  host: string,
  port: number,
  serve: (server: HttpServer.HttpServer) => Effect.Effect<void, never, Scope.Scope>
): Effect.Effect<Listener, ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const node = graceful(createServer())
    const outer = yield* Effect.scope
    const sockets = yield* Scope.fork(outer, outer.strategy)
    const server = yield* NodeHttpServer.make(() => node, { host, port }).pipe(
      Scope.extend(sockets),
      Effect.mapError((error) => new ListenFailed({ host, port, code: codeOf(error) }))
    )
    const requests = yield* Scope.fork(sockets, outer.strategy)
    yield* Scope.extend(serve(server), requests)
    const stop = Effect.gen(function* () {
      yield* Scope.close(requests, Exit.void)
      const hangingUp = yield* Effect.forkDaemon(Effect.interruptible(hangUp(node)))
      yield* Scope.close(sockets, Exit.void)
      yield* Fiber.interrupt(hangingUp)
    })
    return { server, stop: Effect.uninterruptible(stop) }
  })
