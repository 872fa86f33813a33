/**
 * A TCP proxy with faults: what networks, proxies and crashing servers do, by script. Each new connection takes the
 * fault that is set when it comes.
 */
import * as Net from "node:net"
import { Effect, type Scope } from "effect"
import { Happenings, listen } from "./httpServer.js"

export type Fault =
  /** Everything passes. */
  | { readonly kind: "none" }
  /** Takes the connection and never says a word. */
  | { readonly kind: "silence" }
  /** Reset as soon as it is there. */
  | { readonly kind: "resetOnAccept" }
  /** Reset when so many bytes of the request have come; they are not passed on. */
  | { readonly kind: "resetAfterRequest"; readonly bytes: number }
  /** The answer ends after so many bytes, by FIN or by RST. */
  | { readonly kind: "cutAnswer"; readonly bytes: number; readonly how: "end" | "reset" }
  /** The answer comes one byte at a time. */
  | { readonly kind: "byteByByte" }
  /** Whatever is asked, this comes. */
  | { readonly kind: "garbage"; readonly text: string }

export interface TcpProxy {
  readonly url: string
  fault: Fault
  /** Bytes of requests that arrived, over all connections. */
  readonly received: () => number
  readonly open: () => number
  readonly opened: () => number
  readonly until: (condition: () => boolean) => Effect.Effect<void>
}

const onData = (socket: Net.Socket, take: (chunk: Buffer) => void): void => {
  socket.on("data", (chunk) => take(typeof chunk === "string" ? Buffer.from(chunk) : chunk))
}

const shut = (socket: Net.Socket, how: "end" | "reset"): void => {
  if (how === "reset") socket.resetAndDestroy()
  else socket.destroySoon()
}

/** Passes on as much of the answer as the fault lets. */
const answerThrough = (client: Net.Socket, fault: Fault): ((chunk: Buffer) => void) => {
  if (fault.kind === "byteByByte") {
    const queue: Array<number> = []
    let running = false
    const step = (): void => {
      const next = queue.shift()
      running = next !== undefined && !client.destroyed
      if (next !== undefined && running) client.write(Buffer.of(next), () => setImmediate(step))
    }
    return (chunk) => {
      queue.push(...chunk)
      if (!running) step()
    }
  }
  if (fault.kind !== "cutAnswer") return (chunk) => void client.write(chunk)
  let left = fault.bytes
  return (chunk) => {
    const part = chunk.subarray(0, left)
    left -= part.length
    client.write(part, () => {
      if (left === 0) shut(client, fault.how)
    })
  }
}

const connect = (client: Net.Socket, upstream: number, fault: Fault): void => {
  const server = Net.connect({ host: "127.0.0.1", port: upstream, noDelay: true })
  server.on("error", () => client.destroy())
  server.on("close", () => client.end())
  client.on("close", () => server.destroy())
  onData(client, (chunk) => void server.write(chunk))
  onData(server, answerThrough(client, fault))
}

export const make = (upstream: number): Effect.Effect<TcpProxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const events = new Happenings()
    const clients = new Set<Net.Socket>()
    let received = 0
    let opened = 0
    const server = Net.createServer({ noDelay: true }, (client) => {
      const { fault } = proxy
      opened += 1
      clients.add(client)
      client.on("error", () => {})
      client.on("close", () => {
        clients.delete(client)
        events.happened()
      })
      let here = 0
      onData(client, (chunk) => {
        received += chunk.length
        here += chunk.length
        if (fault.kind === "resetAfterRequest" && here >= fault.bytes) client.resetAndDestroy()
        if (fault.kind === "garbage") client.write(fault.text)
        events.happened()
      })
      if (fault.kind === "resetOnAccept") client.resetAndDestroy()
      if (fault.kind === "none" || fault.kind === "byteByByte" || fault.kind === "cutAnswer") {
        connect(client, upstream, fault)
      }
      events.happened()
    })
    const port = yield* Effect.acquireRelease(listen(server), () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const client of clients) client.destroy()
      })
    )
    const proxy: TcpProxy = {
      url: `http://127.0.0.1:${port}`,
      fault: { kind: "none" },
      received: () => received,
      open: () => clients.size,
      opened: () => opened,
      until: events.until
    }
    return proxy
  })

/** A port on which nobody listens. */
export const closedPort: Effect.Effect<number> = Effect.flatMap(
  Effect.sync(() => Net.createServer()),
  (server) =>
    Effect.tap(
      listen(server),
      Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
    )
)
