/** A database with bad times, by command: a real HTTP server that answers as PostgREST does, slowly, never, or not at all. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { Effect, type Scope } from "effect"

/** `hangs`: takes each request and says nothing. `away`: nobody listens. */
export type Mood = "works" | "slow" | "fails" | "hangs" | "away"

/** How long one answer takes, in ms. */
const times: Readonly<Record<string, number>> = { products: 8, orders: 14, reviews: 22, search_products: 40 }

const slowness = 35

/** Around a value that most answers take, with a tail. */
const spread = (millis: number): number => millis * (0.6 + 0.6 * Math.random() + (Math.random() < 0.03 ? 3 : 0))

export class TroubledDatabase {
  mood: Mood = "works"
  port = 0
  /** Requests that were taken and not answered yet. */
  readonly held: Set<ServerResponse> = new Set()
  private readonly sockets: Set<Socket> = new Set()
  private server = this.make()

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  private make() {
    const server = createServer({ keepAliveTimeout: 0 }, (request, response) => this.onRequest(request, response))
    server.on("connection", (socket: Socket) => {
      this.sockets.add(socket)
      socket.on("close", () => this.sockets.delete(socket))
    })
    return server
  }

  private onRequest(request: IncomingMessage, response: ServerResponse): void {
    request.resume()
    this.held.add(response)
    response.on("close", () => this.held.delete(response))
    const name = /^\/rest\/v1\/(?:rpc\/)?(\w+)/.exec(request.url ?? "")?.[1] ?? ""
    const usual = spread(times[name] ?? 3)
    // Only what does work gets slow: a ping costs a busy database nothing.
    if (this.mood === "hangs") return
    const takes = this.mood === "slow" && name in times ? usual * slowness : usual
    setTimeout(() => this.answer(response), takes)
  }

  private answer(response: ServerResponse): void {
    if (this.mood === "hangs" || response.destroyed) return
    const fails = this.mood === "fails"
    const body = fails ? { code: "PGRST001", message: "no connection to the database", details: null, hint: null } : []
    response.writeHead(fails ? 503 : 200, { "content-type": "application/json" })
    response.end(JSON.stringify(body))
  }

  /** What hung is answered when it works again, as by a database that was locked. */
  become(mood: Mood): Effect.Effect<void> {
    return Effect.suspend(() => {
      const before = this.mood
      this.mood = mood
      if (mood === "away") return this.stop
      return Effect.zipRight(
        before === "away" ? this.start : Effect.void,
        Effect.sync(() => {
          if (mood !== "hangs") for (const response of this.held) setTimeout(() => this.answer(response), spread(20))
        })
      )
    })
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

export const troubled: Effect.Effect<TroubledDatabase, never, Scope.Scope> = Effect.acquireRelease(
  Effect.tap(
    Effect.sync(() => new TroubledDatabase()),
    (database) => database.start
  ),
  (database) => database.stop
)
