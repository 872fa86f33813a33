/** A server over real HTTP that keeps what it was asked, and answers as a test says. */
import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { text } from "node:stream/consumers"

export interface Question {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Undefined where the answer is made by hand. */
export type Answer = (question: Question, response: ServerResponse) => unknown

export interface Asked {
  readonly url: string
  readonly seen: ReadonlyArray<Question>
  /** Resolves when it has been asked so often. */
  readonly times: (n: number) => Promise<void>
  /** Requests whose client hung up before they were answered. */
  readonly hungUp: () => Promise<unknown>
  readonly close: () => Promise<void>
}

export const reply = (response: ServerResponse, body: unknown, status = 200): void => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(body))
}

export const asked = async (answer: Answer): Promise<Asked> => {
  const seen: Array<Question> = []
  const sockets = new Set<Socket>()
  const server = createServer(async (request, response) => {
    response.on("close", () => {
      if (!response.writableFinished) server.emit("hung up")
    })
    const { pathname: path, searchParams: query } = new URL(request.url ?? "/", "http://localhost")
    const { headers, method = "" } = request
    const question = { method, path, query, headers, body: await text(request) }
    if (headers["x-supabase-pool"] === undefined) {
      seen.push(question)
      server.emit("asked")
    }
    const body = answer(question, response)
    // As PostgREST says how many there are, where it is asked to.
    if (Array.isArray(body) && String(headers["prefer"]).includes("count=exact")) {
      response.setHeader("content-range", body.length === 0 ? `*/0` : `0-${body.length - 1}/${body.length}`)
    }
    if (body !== undefined) reply(response, body)
  })
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  server.keepAliveTimeout = 600_000
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    times: async (n) => {
      while (seen.length < n) await once(server, "asked")
    },
    hungUp: () => once(server, "hung up"),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    }
  }
}
