/** A real HTTP server in Slack's place: it keeps what it is sent, and answers as a test tells it to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { Effect, type Scope } from "effect"

/** A status, a status with headers, or no answer at all. */
export type Answer = number | { readonly status: number; readonly headers: Record<string, string> } | "hang"

export class SlackReceiver {
  readonly bodies: Array<string> = []
  readonly paths: Array<string> = []
  readonly headers: Array<IncomingMessage["headers"]> = []
  /** Requests whose client hung up before the answer. */
  aborted = 0
  answer: (request: number) => Answer = () => 200
  private port = 0
  private readonly watchers: Set<() => void> = new Set()
  private readonly server: Server = createServer((request, response) => this.onRequest(request, response))

  /** The last part stands for what makes a webhook's URL a secret. */
  get webhook(): string {
    return `http://127.0.0.1:${this.port}/services/T000/B000/hush-hush-hush`
  }

  private onRequest(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      this.bodies.push(Buffer.concat(chunks).toString("utf8"))
      this.paths.push(request.url ?? "")
      this.headers.push(request.headers)
      const answer = this.answer(this.bodies.length)
      if (typeof answer === "number") response.writeHead(answer).end(answer === 200 ? "ok" : request.url)
      else if (answer !== "hang") response.writeHead(answer.status, answer.headers).end("later")
      this.changed()
    })
    response.on("close", () => {
      if (!response.writableEnded) this.aborted += 1
      this.changed()
    })
  }

  private changed(): void {
    for (const watcher of [...this.watchers]) watcher()
  }

  /** Waits until it holds; looks at each request and close. The limit is the test's own. */
  until(holds: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const look = () => {
        if (!holds()) return
        this.watchers.delete(look)
        resume(Effect.void)
      }
      this.watchers.add(look)
      look()
      return Effect.sync(() => this.watchers.delete(look))
    })
  }

  readonly start: Effect.Effect<void> = Effect.async((resume) => {
    this.server.listen(this.port, "127.0.0.1", () => {
      const address = this.server.address()
      if (typeof address === "object" && address !== null) this.port = address.port
      resume(Effect.void)
    })
  })

  /** Hangs up on everybody and listens no more; `start` takes the same port again. */
  readonly stop: Effect.Effect<void> = Effect.async((resume) => {
    this.server.close(() => resume(Effect.void))
    this.server.closeAllConnections()
  })
}

export const slackReceiver: Effect.Effect<SlackReceiver, never, Scope.Scope> = Effect.acquireRelease(
  Effect.tap(
    Effect.sync(() => new SlackReceiver()),
    (receiver) => receiver.start
  ),
  (receiver) => receiver.stop
)
