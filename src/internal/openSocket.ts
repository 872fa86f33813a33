import * as Net from "node:net"
import * as Tls from "node:tls"
import { Effect } from "effect"
import { ConnectionFailed, type Mode } from "../Errors.js"

/** Where the sockets of a pool go. TLS sessions are shared, so that only the first handshake is a full one. */
export interface Target {
  readonly mode: Mode
  readonly url: URL
  session: Buffer | undefined
}

export const target = (mode: Mode, url: URL): Target => ({ mode, url, session: undefined })

const failureOf = (code: string, secure: boolean): ConnectionFailed["failure"] => {
  if (code === "ECONNREFUSED") return "refused"
  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "EAI_FAIL" || code === "EAI_NODATA") return "dns"
  if (code === "ETIMEDOUT" || code === "ESOCKETTIMEDOUT") return "timeout"
  if (code === "EMFILE" || code === "ENFILE" || code === "ENOBUFS" || code === "EADDRNOTAVAIL") return "local"
  if (code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED") return "closed"
  // What remains of a TLS socket's errors has a hundred names, most of them OpenSSL's.
  return secure && !/^E[A-Z]+$/.test(code) ? "tls" : "unreachable"
}

const codeOf = (error: Error & { readonly code?: unknown; readonly errors?: ReadonlyArray<unknown> }): string => {
  if (typeof error.code === "string") return error.code
  const first = error.errors?.[0]
  return first instanceof Error ? codeOf(first) : error.name
}

/** What the socket's error says, while it still is an object. */
const connectFailure = (to: Target, error: Error): ConnectionFailed => {
  const code = codeOf(error)
  const failure = failureOf(code, to.url.protocol === "https:")
  return new ConnectionFailed({ pool: to.mode, origin: to.url.origin, failure, code, sent: false })
}

const dial = (to: Target): Net.Socket => {
  const hostname = to.url.hostname.replace(/^\[|\]$/g, "")
  if (to.url.protocol !== "https:") {
    return Net.connect({ host: hostname, port: Number(to.url.port || 80), noDelay: true, keepAlive: true })
  }
  const socket = Tls.connect({
    host: hostname,
    port: Number(to.url.port || 443),
    ALPNProtocols: ["http/1.1"],
    ...(Net.isIP(hostname) === 0 ? { servername: hostname } : {}),
    ...(to.session === undefined ? {} : { session: to.session })
  })
  socket.setNoDelay(true)
  socket.setKeepAlive(true, 60_000)
  socket.on("session", (session) => {
    to.session = session
  })
  return socket
}

/** Opens one socket. Interruption destroys it at once, also in the middle of a handshake. */
export const openSocket = (to: Target): Effect.Effect<Net.Socket, ConnectionFailed> =>
  Effect.async((resume) => {
    const socket = dial(to)
    const onError = (error: Error) => {
      socket.destroy()
      resume(Effect.fail(connectFailure(to, error)))
    }
    const onClose = () => onError(Object.assign(new Error("closed"), { code: "ECONNRESET" }))
    socket.once("error", onError)
    socket.once("close", onClose)
    socket.once(to.url.protocol === "https:" ? "secureConnect" : "connect", () => {
      socket.off("error", onError)
      socket.off("close", onClose)
      // An error of an idle socket must not be an uncaught one; "close" follows it and is listened to by the owner.
      socket.on("error", () => {})
      resume(Effect.succeed(socket))
    })
    return Effect.sync(() => {
      socket.off("error", onError)
      socket.off("close", onClose)
      socket.on("error", () => {})
      socket.destroy()
    })
  })
