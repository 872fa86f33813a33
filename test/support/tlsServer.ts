/** What certificates are tried on: a real server of `https` and a proxy that is asked for a way, in clear or inside of TLS. */
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { Effect, type Scope } from "effect"
import { json, listen } from "./httpServer.js"

export interface TlsServer {
  readonly port: number
  /** Of each request: whose certificate came with it, and whether the handshake was one of an earlier session. */
  readonly seen: Array<{ readonly client: string | undefined; readonly resumed: boolean; readonly path: string }>
}

const closing = (server: Net.Server, sockets: ReadonlySet<Net.Socket>): Effect.Effect<void> =>
  Effect.async((resume) => {
    server.close(() => resume(Effect.void))
    for (const socket of sockets) socket.destroy()
  })

const collect = (server: Net.Server, sockets: Set<Net.Socket>): void => {
  server.on("connection", (socket: Net.Socket) => sockets.add(socket.on("error", () => {})))
  server.on("secureConnection", (socket: Net.Socket) => socket.on("error", () => {}))
  server.on("tlsClientError", () => {})
}

/** Answers everything with one row. */
export const serveTls = (options: Https.ServerOptions): Effect.Effect<TlsServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const seen: TlsServer["seen"] = []
    const sockets = new Set<Net.Socket>()
    const server = Https.createServer({ keepAliveTimeout: 0, ...options }, (request, response) => {
      const { socket, url = "" } = request
      if (url !== "/" && socket instanceof Tls.TLSSocket) {
        const client = socket.getPeerX509Certificate()?.subject
        seen.push({ client, resumed: socket.isSessionReused(), path: url })
      }
      json(response, [{ id: 1 }])
    })
    collect(server, sockets)
    const port = yield* Effect.acquireRelease(listen(server), () => closing(server, sockets))
    return { port, seen }
  })

export interface ConnectProxy {
  readonly port: number
  readonly seen: Array<{ readonly to: string; readonly authorization: string | undefined }>
}

/** Leads everybody to the same port of this machine. */
export const serveProxy = (
  leadsTo: number,
  tls?: Https.ServerOptions
): Effect.Effect<ConnectProxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const seen: ConnectProxy["seen"] = []
    const sockets = new Set<Net.Socket>()
    const server = tls === undefined ? Http.createServer() : Https.createServer(tls)
    collect(server, sockets)
    server.on("connect", (request: Http.IncomingMessage, socket: Net.Socket, head: Buffer) => {
      seen.push({ to: request.url ?? "", authorization: request.headers["proxy-authorization"] })
      const upstream = Net.connect(leadsTo, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
        upstream.write(head)
        socket.pipe(upstream).pipe(socket)
      })
      sockets.add(upstream.on("error", () => socket.destroy()))
      socket.on("close", () => upstream.destroy())
    })
    const port = yield* Effect.acquireRelease(listen(server), () => closing(server, sockets))
    return { port, seen }
  })
