/**
 * A real HTTP server that plays PostgREST by a script, sees every request and counts its sockets. Nothing in it waits
 * for a time: `until` resumes when something happened that makes its condition true.
 */
import * as Http from "node:http"
import type * as Net from "node:net"
import { Cause, Effect, Exit, Layer, Option, type Scope } from "effect"
import type { PoolOptionsInput } from "../../src/Config.js"
import * as Db from "../../src/Db.js"

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Http.IncomingHttpHeaders
  readonly body: Buffer
  /** Number of the socket, from 1 in order of connection. */
  readonly socket: number
}

export type Answer = (response: Http.ServerResponse, seen: Seen, nth: number) => void

export interface TestServer {
  readonly url: string
  readonly port: number
  /** Complete requests without pings, in order. */
  readonly seen: ReadonlyArray<Seen>
  readonly pings: ReadonlyArray<Seen>
  /** Sockets that were ever opened. */
  readonly opened: () => number
  /** For a run of hours: drops what was seen. */
  readonly forget: () => void
  readonly open: () => number
  /** Resumes as soon as the condition is true. */
  readonly until: (condition: () => boolean) => Effect.Effect<void>
  /** The server's ends of the open sockets. */
  readonly sockets: ReadonlyMap<number, Net.Socket>
}

/** A condition that is looked at again whenever something has happened. */
export class Happenings {
  private readonly waiting: Set<() => void> = new Set()

  readonly happened = (): void => {
    for (const look of [...this.waiting]) look()
  }

  readonly until = (condition: () => boolean): Effect.Effect<void> =>
    Effect.async((resume) => {
      const look = (): void => {
        if (!condition()) return
        this.waiting.delete(look)
        resume(Effect.void)
      }
      this.waiting.add(look)
      look()
      return Effect.sync(() => this.waiting.delete(look))
    })
}

export const listen = (server: Net.Server): Effect.Effect<number> =>
  Effect.async((resume) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(typeof address === "object" && address !== null ? Effect.succeed(address.port) : Effect.die("no port"))
    })
  })

/** Its port, until the scope closes: then it ends, with whatever sockets it has. */
export const listening = (
  server: Net.Server,
  sockets: Iterable<Net.Socket>
): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(listen(server), () =>
    Effect.async<void>((resume) => {
      server.close(() => resume(Effect.void))
      for (const socket of sockets) socket.destroy()
    })
  )

export const serve = (
  answer: Answer,
  options: Http.ServerOptions = {}
): Effect.Effect<TestServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const events = new Happenings()
    const seen: Array<Seen> = []
    const pings: Array<Seen> = []
    const sockets = new Map<number, Net.Socket>()
    const numbers = new WeakMap<Net.Socket, number>()
    let opened = 0
    const server = Http.createServer({ keepAliveTimeout: 0, ...options }, (request, response) => {
      const parts: Array<Buffer> = []
      request.on("data", (part: Buffer) => parts.push(part))
      request.on("error", () => {})
      request.on("end", () => {
        const { headers, method = "", socket, url = "" } = request
        const one = { method, url, headers, body: Buffer.concat(parts), socket: numbers.get(socket) ?? 0 }
        if (url === "/") {
          pings.push(one)
          response.end()
          return events.happened()
        }
        seen.push(one)
        answer(response, one, seen.length)
        events.happened()
      })
    })
    server.on("connection", (socket: Net.Socket) => {
      opened += 1
      const number = opened
      numbers.set(socket, number)
      sockets.set(number, socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(number)
        events.happened()
      })
      events.happened()
    })
    const port = yield* Effect.acquireRelease(listen(server), () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
    )
    return {
      url: `http://127.0.0.1:${port}`,
      port,
      seen,
      pings,
      sockets,
      opened: () => opened,
      forget: () => {
        seen.length = 0
        pings.length = 0
      },
      open: () => sockets.size,
      until: events.until
    }
  })

/** Answers with JSON. */
export const json = (
  response: Http.ServerResponse,
  body: unknown,
  status = 200,
  headers: Http.OutgoingHttpHeaders = {}
): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers })
  response.end(JSON.stringify(body))
}

/** An answer as PostgREST gives it when something is wrong. */
export const problem = (
  response: Http.ServerResponse,
  status: number,
  code: string,
  headers: Http.OutgoingHttpHeaders = {}
): void => json(response, { code, message: `made up ${code}`, details: null, hint: null }, status, headers)

export const anonKey = "anon-key-never-printed"
export const serviceRoleKey = "service-role-key-never-printed"

/** By default one read and one write connection, no retries, nothing in the background. */
export const layer = (
  url: string,
  options: PoolOptionsInput = {},
  keys = { anonKey, serviceRoleKey }
): Layer.Layer<Db.Provided> =>
  Layer.orDie(
    Db.layerOf({
      url,
      ...keys,
      minConnections: 1,
      maxConnections: 2,
      maxRetries: 0,
      retryJitter: false,
      keepaliveInterval: 0,
      maxLifetime: 0,
      leakDetectionTimeout: 0,
      ...options
    })
  )

/** What an effect failed with; dies where it succeeded, without showing what with. */
export const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<E, never, R> =>
  Effect.flatMap(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return Effect.die(new Error("it succeeded"))
    return Option.match(Cause.failureOption(exit.cause), {
      onNone: () => Effect.failCause(Cause.die(Cause.squash(exit.cause))),
      onSome: Effect.succeed
    })
  })

/** Runs against a server that answers so. */
export const against =
  (answer: Answer, options: PoolOptionsInput = {}) =>
  <A, E>(test: (server: TestServer) => Effect.Effect<A, E, Db.Provided>): Effect.Effect<A, E> =>
    Effect.scoped(Effect.flatMap(serve(answer), (server) => Effect.provide(test(server), layer(server.url, options))))
