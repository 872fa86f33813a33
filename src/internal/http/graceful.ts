/**
 * A clean shutdown for Node's server. It recognises the server by its shape, so nothing here loads Node's http.
 */
interface Socket {
  destroy(): unknown
  once(event: "close", listener: () => void): unknown
}

interface IncomingMessage {
  readonly socket: Socket
  resume(): unknown
}

interface OutgoingMessage {
  readonly headersSent: boolean
  setHeader(name: string, value: string): unknown
  writeHead(status: number, headers: Record<string, string>): { end(body: string): unknown }
  once(event: "close", listener: () => void): unknown
}

/**
 * The result of `createServer` of `node:http` and of `node:https`.
 *
 * @since 0.1.0
 * @category models
 */
export interface NodeServer {
  on(event: "request", listener: (request: IncomingMessage, response: OutgoingMessage) => void): unknown
  on(event: "connection" | "secureConnection", listener: (socket: Socket) => void): unknown
  listenerCount(event: "request"): number
  close(done?: (error?: Error) => void): unknown
  closeIdleConnections(): void
}

const leaving = { connection: "close", "cache-control": "no-store", "content-type": "application/json" }

export const graceful = <S extends NodeServer>(server: S): S => {
  const unused = new Set<Socket>()
  const underway = new Set<OutgoingMessage>()
  let closing = false
  // Requests arrive on the TLS socket that wraps this one.
  server.on("setSecureContext" in server ? "secureConnection" : "connection", (socket) => {
    unused.add(socket)
    socket.once("close", () => unused.delete(socket))
  })
  server.on("request", (request, response) => {
    unused.delete(request.socket)
    if (server.listenerCount("request") === 1) {
      request.resume()
      response.writeHead(503, leaving).end('{"error":"Shutting down."}')
      return
    }
    underway.add(response)
    response.once("close", () => {
      underway.delete(response)
      if (closing) server.closeIdleConnections()
    })
  })
  const close = server.close.bind(server)
  return Object.assign(server, {
    close: (done?: (error?: Error) => void) => {
      closing = true
      close(done)
      // Node counts unused connections as busy: browsers and load balancers open such connections ahead.
      for (const socket of unused) socket.destroy()
      for (const response of underway) if (!response.headersSent) response.setHeader("connection", "close")
      return server
    }
  })
}
