/** A real HTTP server that counts its sockets, for what the pool must do on a real network. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { Effect, Layer, type Scope } from "effect"
import type { PoolOptionsInput } from "../../src/Config.js"
import * as Config from "../../src/Config.js"
import * as Pool from "../../src/Pool.js"

export class CountingServer {
  open = 0
  peak = 0
  opened = 0
  requests = 0
  /** Requests whose client hung up before the answer. */
  aborted = 0
  readonly held: Array<ServerResponse> = []
  /** With `hold`, requests are answered by `release`. */
  mode: "answer" | "hold" = "answer"
  /** Hangs up instead of answering, each time so many requests have come. */
  hangUpEvery = Number.POSITIVE_INFINITY
  keepAliveHeader: string | undefined = undefined
  port = 0
  private readonly sockets: Set<Socket> = new Set()
  private readonly watchers: Set<() => void> = new Set()
  private server = this.make()

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  private make() {
    const server = createServer((request, response) => this.onRequest(request, response))
    server.keepAliveTimeout = 600_000
    server.on("connection", (socket: Socket) => {
      this.open += 1
      this.opened += 1
      this.peak = Math.max(this.peak, this.open)
      this.sockets.add(socket)
      socket.on("close", () => {
        this.open -= 1
        this.sockets.delete(socket)
        this.changed()
      })
      this.changed()
    })
    return server
  }

  private onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.requests += 1
    request.resume()
    response.on("close", () => {
      if (!response.writableEnded) this.aborted += 1
      this.changed()
    })
    response.setHeader("content-type", "application/json")
    if (this.keepAliveHeader !== undefined) response.setHeader("keep-alive", this.keepAliveHeader)
    if (this.requests % this.hangUpEvery === 0) request.socket.destroy()
    else if (this.mode === "hold") this.held.push(response)
    else response.end("[]")
    this.changed()
  }

  release(): void {
    for (const response of this.held.splice(0)) response.end("[]")
  }

  private changed(): void {
    for (const watcher of [...this.watchers]) watcher()
  }

  /** Waits until it holds; looks at each connection, request and close. */
  until(what: string, holds: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const look = () => {
        if (!holds()) return
        this.watchers.delete(look)
        resume(Effect.void)
      }
      this.watchers.add(look)
      look()
      return Effect.sync(() => this.watchers.delete(look))
    }).pipe(
      Effect.timeoutFail({ duration: "10 seconds", onTimeout: () => new Error(`never happened: ${what}`) }),
      Effect.orDie
    )
  }

  readonly start: Effect.Effect<void> = Effect.async((resume) => {
    this.server = this.make()
    this.server.listen(this.port, "127.0.0.1", () => {
      const address = this.server.address()
      if (typeof address === "object" && address !== null) this.port = address.port
      resume(Effect.void)
    })
  })

  /** Hangs up on everybody and listens no more. */
  readonly stop: Effect.Effect<void> = Effect.async((resume) => {
    this.server.close(() => resume(Effect.void))
    for (const socket of this.sockets) socket.destroy()
  })
}

export const server: Effect.Effect<CountingServer, never, Scope.Scope> = Effect.acquireRelease(
  Effect.tap(
    Effect.sync(() => new CountingServer()),
    (counting) => counting.start
  ),
  (counting) => counting.stop
)

/** Both pools on that server. `maxConnections` is of both together. */
export const pools = (
  counting: CountingServer,
  options: PoolOptionsInput
): Layer.Layer<Pool.ReadPool | Pool.WritePool> =>
  Pool.layer.pipe(
    Layer.provide(
      Layer.merge(
        Config.PoolConfig.layerOf(options),
        Config.SupabaseConfig.layerOf({
          url: counting.url,
          anonKey: "anon-never-printed",
          serviceRoleKey: "service-never-printed"
        })
      )
    ),
    Layer.orDie
  )

/** Runs with the read pool in a scope that closes afterwards. */
export const withReadPool = <A, E, R>(
  counting: CountingServer,
  options: PoolOptionsInput,
  f: (pool: Pool.ConnectionPool) => Effect.Effect<A, E, R>
) => Effect.provide(Effect.flatMap(Pool.ReadPool, f), pools(counting, options))

/** One request on a pooled connection; interruption takes it back. */
export const select = (pool: Pool.ConnectionPool): Effect.Effect<number, unknown> =>
  pool.use((connection) =>
    Effect.promise((signal) =>
      connection.client
        .from("things")
        .select("*")
        .abortSignal(signal)
        .then(({ status }) => status)
    )
  )
