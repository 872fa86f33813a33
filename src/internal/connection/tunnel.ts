/** The way through a proxy: `CONNECT` (RFC 9110 §9.3.6), after which the socket is the server's. */
import type * as Net from "node:net"
import { Effect, Redacted } from "effect"
import type { HttpProxy } from "../config/proxyAddress.js"

/** Why there is no way; the code tells what the proxy said. */
export class NoWay extends Error {
  override readonly name = "NoWay"
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** The head of an answer to CONNECT is a few lines. */
const longestHead = 16_384

const question = (to: URL, { authorization }: HttpProxy): string => {
  const port = to.port || (to.protocol === "https:" ? "443" : "80")
  const login = authorization === undefined ? "" : `Proxy-Authorization: ${Redacted.value(authorization)}\r\n`
  return `CONNECT ${to.hostname}:${port} HTTP/1.1\r\nHost: ${to.hostname}:${port}\r\n${login}\r\n`
}

/** What a head says: undefined while it is not whole. */
const headOf = (head: Buffer): { readonly code: string; readonly end: number } | undefined => {
  const end = head.indexOf("\r\n\r\n")
  const text = head.toString("latin1", 0, 12)
  if (!"HTTP/1.".startsWith(text.slice(0, 7)) || (end < 0 && head.length > longestHead)) {
    return { code: "PROXY_GARBAGE", end: 0 }
  }
  if (end < 0) return undefined
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1]
  if (status === undefined) return { code: "PROXY_GARBAGE", end: 0 }
  return { code: status.startsWith("2") ? "" : `PROXY_${status}`, end: end + 4 }
}

/** What the answer says, which informational ones may go before (RFC 9110 §15.2), but none that changes the protocol. */
const verdict = (heads: Buffer, from = 0): ReturnType<typeof headOf> => {
  const said = headOf(heads.subarray(from))
  if (said === undefined) return undefined
  const end = from + said.end
  return /^PROXY_1(?!01)/.test(said.code) ? verdict(heads, end) : { ...said, end }
}

/** Asks on a socket that is connected to the proxy. */
export const tunnel = (socket: Net.Socket, to: URL, proxy: HttpProxy): Effect.Effect<void, Error> =>
  Effect.async((resume) => {
    let head: Buffer = Buffer.alloc(0)
    const done = (outcome: Effect.Effect<void, Error>): void => {
      socket.off("data", onData)
      socket.off("error", onError)
      socket.off("close", onClose)
      socket.pause()
      resume(outcome)
    }
    const onError = (error: Error): void => done(Effect.fail(error))
    const onClose = (): void => done(Effect.fail(new NoWay("ECONNRESET")))
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk])
      const said = verdict(head)
      if (said === undefined) return
      const rest = head.subarray(said.end)
      done(said.code === "" ? Effect.void : Effect.fail(new NoWay(said.code)))
      if (said.code === "" && rest.length > 0) socket.unshift(rest)
    }
    socket.on("data", onData)
    socket.on("error", onError)
    socket.on("close", onClose)
    socket.write(question(to, proxy))
    return Effect.sync(() => done(Effect.void))
  })
