import * as Net from "node:net"
import * as Tls from "node:tls"
import { Duration, Effect, Exit } from "effect"
import { ConnectionFailed, type Mode } from "../../Errors.js"
import type { HttpProxy } from "../config/proxyAddress.js"
import { isAlert } from "../errors/tlsText.js"
import { addressesOf, firstOf } from "./happyEyeballs.js"
import { NoWay, tunnel } from "./tunnel.js"

/** Where the sockets of a pool go. TLS sessions are shared, so that only the first handshake is a full one. */
export interface Target {
  readonly mode: Mode
  readonly url: URL
  /** What leads there; a text where that was to be one and is none: the variable that holds it. */
  readonly proxy: HttpProxy | string | undefined
  /** Whom TLS trusts, and what it shows of itself; none: what Node does without being told. */
  readonly secureContext: Tls.SecureContext | undefined
  session: Buffer | undefined
  /** It was seen to send a body behind its answer to HEAD. */
  bodyAfterHead: boolean
}

export const target = (
  mode: Mode,
  url: URL,
  { proxy, secureContext }: Partial<Pick<Target, "proxy" | "secureContext">> = {}
): Target => ({
  mode,
  url,
  proxy,
  secureContext,
  session: undefined,
  bodyAfterHead: false
})

/** A proxy that is connected says in this time whether there is a way. */
const proxyPatience = Duration.seconds(5)

export const failureOf = (code: string, secure: boolean): ConnectionFailed["failure"] => {
  if (code.startsWith("PROXY_")) return "proxy"
  if (code === "ECONNREFUSED") return "refused"
  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "EAI_FAIL" || code === "EAI_NODATA") return "dns"
  if (code === "ETIMEDOUT" || code === "ESOCKETTIMEDOUT") return "timeout"
  if (code === "EMFILE" || code === "ENFILE" || code === "ENOBUFS" || code === "EADDRNOTAVAIL") return "local"
  if (code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED") return "closed"
  // What remains of a TLS socket's errors has a hundred names, most of them OpenSSL's.
  return secure && !/^E[A-Z]+$/.test(code) ? "tls" : "unreachable"
}

export const codeOf = (
  error: Error & { readonly code?: unknown; readonly errors?: ReadonlyArray<unknown> }
): string => {
  if (typeof error.code === "string") return error.code
  const first = error.errors?.[0]
  return first instanceof Error ? codeOf(first) : error.name
}

const withoutBrackets = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "")

const isSecure = (url: URL): boolean => url.protocol === "https:"

/** What the socket's error says, in the words of the pool. `secure`: whether TLS was spoken when it came. */
export const failed =
  (to: Target, secure: boolean) =>
  (error: Error): ConnectionFailed => {
    const code = codeOf(error)
    const via = typeof to.proxy === "object" ? { proxy: to.proxy.url.origin } : {}
    const { mode: pool, url } = to
    return new ConnectionFailed({
      pool,
      origin: url.origin,
      failure: failureOf(code, secure),
      code,
      sent: false,
      ...via
    })
  }

const nameOf = (url: URL): { readonly servername?: string } => {
  const hostname = withoutBrackets(url)
  return Net.isIP(hostname) === 0 ? { servername: hostname } : {}
}

/** TLS with whom the address names, on a socket that leads there: `host` is what the certificate is compared with. */
const spoken = (
  url: URL,
  socket: Net.Socket,
  { secureContext }: Target,
  more: Pick<Tls.ConnectionOptions, "session" | "ALPNProtocols">
): Tls.TLSSocket =>
  Tls.connect({
    socket,
    host: withoutBrackets(url),
    ...nameOf(url),
    ...(secureContext === undefined ? {} : { secureContext }),
    ...more
  })

/** TLS with the server, on a socket that leads there, through a proxy or not. */
const secured = (to: Target, socket: Net.Socket): Net.Socket => {
  const offered = to.session
  const secure = spoken(to.url, socket, to, {
    ...(offered === undefined ? {} : { session: offered }),
    ALPNProtocols: ["http/1.1"]
  })
  const forget = (): void => {
    if (to.session === offered) to.session = undefined
  }
  secure.setNoDelay(true)
  secure.setKeepAlive(true, 60_000)
  secure.on("session", (session) => {
    to.session = session
  })
  // One that was refused would be refused again.
  secure.once("error", forget)
  secure.once("secureConnect", () => {
    if (!secure.isSessionReused()) forget()
  })
  return secure
}

/** Resumes when it is connected. Interruption destroys it at once, also in the middle of a handshake. */
const established = (
  socket: Net.Socket,
  event: "connect" | "secureConnect",
  failure: (error: Error) => ConnectionFailed
): Effect.Effect<Net.Socket, ConnectionFailed> =>
  Effect.async((resume) => {
    const onError = (error: Error) => {
      socket.destroy()
      resume(Effect.fail(failure(error)))
    }
    const onClose = () => onError(Object.assign(new Error("closed"), { code: "ECONNRESET" }))
    socket.once("error", onError)
    socket.once("close", onClose)
    socket.once(event, () => {
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

/** Every socket of an attempt, so that none outlives it, wherever it is interrupted. */
type Begun = Set<Net.Socket>

const destroyAll = (begun: Begun, except?: Net.Socket): void => {
  for (const socket of begun) if (socket !== except) socket.destroy()
}

/** TCP with whom the address names, at whichever of its addresses answers first. */
const connected = (
  url: URL,
  begun: Begun,
  failure: (error: Error) => ConnectionFailed
): Effect.Effect<Net.Socket, ConnectionFailed> => {
  const port = Number(url.port || (isSecure(url) ? 443 : 80))
  const attempt = (host: string): Effect.Effect<Net.Socket, ConnectionFailed> =>
    Effect.suspend(() => {
      const socket = Net.connect({ host, port, noDelay: true, keepAlive: true })
      begun.add(socket)
      return established(socket, "connect", failure)
    })
  return Effect.mapError(addressesOf(withoutBrackets(url)), failure).pipe(
    Effect.flatMap((addresses) => firstOf(addresses.map(attempt))),
    // Two may have connected in the same moment.
    Effect.tap((socket) => Effect.sync(() => destroyAll(begun, socket)))
  )
}

const directly = (to: Target, begun: Begun): Effect.Effect<Net.Socket, ConnectionFailed> =>
  Effect.flatMap(connected(to.url, begun, failed(to, false)), (socket) =>
    isSecure(to.url) ? established(secured(to, socket), "secureConnect", failed(to, true)) : Effect.succeed(socket)
  )

const through = (to: Target, proxy: HttpProxy, begun: Begun): Effect.Effect<Net.Socket, ConnectionFailed> => {
  const failure = failed(to, false)
  const unreached = (error: Error) => failure(refused(error))
  // An `https` proxy of TLS 1.3 may refuse us only when it is asked.
  const unasked = (error: Error) => (isAlert(codeOf(error)) ? unreached(error) : failure(error))
  return Effect.gen(function* () {
    const tcp = yield* connected(proxy.url, begun, unreached)
    const raw = isSecure(proxy.url)
      ? yield* established(spoken(proxy.url, tcp, to, {}), "secureConnect", unreached)
      : tcp
    yield* Effect.timeoutFail(Effect.mapError(tunnel(raw, to.url, proxy), unasked), {
      duration: proxyPatience,
      onTimeout: () => failure(new NoWay("PROXY_SILENT"))
    })
    return isSecure(to.url) ? yield* established(secured(to, raw), "secureConnect", failed(to, true)) : raw.resume()
  })
}

/** That the proxy cannot be reached is another thing than that the server cannot. */
const refused = (error: Error): NoWay => new NoWay(`PROXY_${codeOf(error)}`)

/**
 * Opens one socket and hands it over. Interruption destroys it at once, also one that is connected and that nobody has
 * taken yet.
 */
export const openSocket = <A>(to: Target, take: (socket: Net.Socket) => A): Effect.Effect<A, ConnectionFailed> =>
  Effect.suspend(() => {
    const begun: Begun = new Set()
    const { proxy } = to
    if (typeof proxy === "string") return Effect.fail(invalid(to, proxy))
    const opening = proxy === undefined ? directly(to, begun) : through(to, proxy, begun)
    return Effect.onExit(Effect.map(opening, take), (exit) =>
      Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => destroyAll(begun))
    )
  })

const invalid = ({ mode, url }: Target, variable: string): ConnectionFailed =>
  new ConnectionFailed({
    pool: mode,
    origin: url.origin,
    failure: "proxy",
    code: "PROXY_INVALID",
    sent: false,
    proxy: `in ${variable}`
  })
