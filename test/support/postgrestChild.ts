/**
 * A process that stands and falls as PostgREST 16.2 does (docs/postgrest.md), or as the proxy before it. Its database is its
 * parent, which is asked over IPC what a request meets. Arguments: the port; for a proxy also the port of what it stands before.
 *
 * It listens when the parent says so. At SIGTERM its listener is gone at once, idle connections are closed within 50 ms, what
 * runs is finished and answered with `Connection: close`, and it ends.
 */
import { Agent, request as ask, createServer, type IncomingMessage, type ServerResponse } from "node:http"
import process from "node:process"
import type { Scripted } from "./postgrest.js"

const [port = "0", behind = "", idle = "30000"] = process.argv.slice(2)

let isEnding = false
let asked = 0
const waiting = new Map<number, (met: Scripted) => void>()

const send = (response: ServerResponse, { body = "", headers = {}, status }: Scripted): void => {
  response.writeHead(status, { ...headers, ...(isEnding ? { connection: "close" } : {}) })
  response.end(body)
}

const asPostgrest = (request: IncomingMessage, response: ServerResponse): void => {
  const id = ++asked
  const parts: Array<Buffer> = []
  request.on("data", (part: Buffer) => parts.push(part))
  request.on("end", () => {
    waiting.set(id, (met) => send(response, met))
    const { method = "", url = "" } = request
    process.send?.({ id, method, url, body: Buffer.concat(parts).toString() })
  })
}

const agent = new Agent({ keepAlive: true })

const asProxy = (request: IncomingMessage, response: ServerResponse): void => {
  const { headers, method = "", url = "" } = request
  const on = ask({ port: Number(behind), host: "127.0.0.1", agent, method, path: url, headers }, (answer) => {
    const { connection: _, ...others } = answer.headers
    response.writeHead(answer.statusCode ?? 502, others)
    answer.on("error", () => response.destroy())
    answer.pipe(response)
  })
  on.on("error", () => {
    if (response.headersSent) response.destroy()
    else send(response, { status: 502, headers: { "content-type": "text/html" }, body: "<html>502 Bad Gateway</html>" })
  })
  request.pipe(on)
}

const server = createServer(behind === "" ? asPostgrest : asProxy)
// Node keeps them for a second more than it is told.
server.keepAliveTimeout = Number(idle) - 1_000
// Node says `Keep-Alive: timeout=…` otherwise, and PostgREST does not.
server.on("request", (_, response: ServerResponse) => {
  response.shouldKeepAlive = true
  response.setHeader("connection", isEnding ? "close" : "keep-alive")
})

process.on("message", (message: "listen" | { readonly id: number; readonly met: Scripted }) => {
  if (message === "listen") {
    server.listen(Number(port), "127.0.0.1", () => process.send?.("listening"))
    return
  }
  waiting.get(message.id)?.(message.met)
  waiting.delete(message.id)
})

process.on("SIGTERM", () => {
  isEnding = true
  server.close(() => process.exit(0))
  setTimeout(() => server.closeIdleConnections(), 20)
})
process.on("disconnect", () => process.exit(0))
process.send?.("ready")
