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
  /** So many bytes of the request are passed on, then both sides are reset. */
  | { readonly kind: "cutRequest"; readonly bytes: number }
  /** The request is kept until `release`, and passed on then, whether or not the client is still there. */
  | { readonly kind: "holdRequest" }
  /** The request passes, the answer does not: `answered` tells when it has come. */
  | { readonly kind: "keepAnswer" }
  /** The answer ends after so many bytes, by FIN or by RST. */
  | { readonly kind: "cutAnswer"; readonly bytes: number; readonly how: "end" | "reset" }
  /** The answer comes one byte at a time. */
  | { readonly kind: "byteByByte" }
  /** The answer comes one byte in so many ms, which is longer than anybody waits for it. */
  | { readonly kind: "drip"; readonly millis: number }
  /** Whatever is asked, this comes. */
  | { readonly kind: "garbage"; readonly text: string }

export interface TcpProxy {
  readonly url: string
  fault: Fault
  /** What the next connections take before `fault`, one each. */
  readonly script: Array<Fault>
  /** Bytes of requests that arrived, over all connections. */
  readonly received: () => number
  /** Bytes of answers that arrived, over all connections. */
  readonly answered: () => number
  /** Passes on what `holdRequest` kept, and resumes when it has been answered. */
  readonly release: () => Effect.Effect<void>
  readonly open: () => number
  readonly opened: () => number
  readonly until: (condition: () => boolean) => Effect.Effect<void>
  /** Every connection is reset. */
  readonly cut: () => void
  /** Nobody listens any more; connections that are open stay. */
  readonly down: Effect.Effect<void>
  /** On the same port as before. */
  readonly up: Effect.Effect<void>
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
  if (fault.kind === "drip") {
    const queue: Array<number> = []
    const timer = setInterval(() => {
      const next = queue.shift()
      if (next !== undefined && !client.destroyed) client.write(Buffer.of(next))
    }, fault.millis)
    client.on("close", () => clearInterval(timer))
    return (chunk) => void queue.push(...chunk)
  }
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

interface Passage {
  readonly client: Net.Socket
  readonly upstream: number
  readonly fault: Fault
  readonly answered: (bytes: number) => void
}

const connect = ({ answered, client, fault, upstream }: Passage): void => {
  const server = Net.connect({ host: "127.0.0.1", port: upstream, noDelay: true })
  const pass = answerThrough(client, fault)
  server.on("error", () => client.destroy())
  server.on("close", () => client.end())
  client.on("close", () => server.destroy())
  let passed = 0
  onData(client, (chunk) => {
    const part = fault.kind === "cutRequest" ? chunk.subarray(0, Math.max(0, fault.bytes - passed)) : chunk
    passed += part.length
    server.write(part, () => {
      if (part.length < chunk.length) {
        server.resetAndDestroy()
        client.resetAndDestroy()
      }
    })
  })
  onData(server, (chunk) => {
    if (fault.kind !== "keepAnswer") pass(chunk)
    answered(chunk.length)
  })
}

/** A request on its way while its client has long gone. */
const deliver = (chunks: ReadonlyArray<Buffer>, upstream: number): Effect.Effect<void> =>
  Effect.async((resume) => {
    const server = Net.connect({ host: "127.0.0.1", port: upstream, noDelay: true })
    server.once("data", () => {
      server.destroy()
      resume(Effect.void)
    })
    server.once("error", (error) => resume(Effect.die(error)))
    for (const chunk of chunks) server.write(chunk)
  })

const passing = new Set<Fault["kind"]>(["none", "drip", "byteByByte", "cutAnswer", "cutRequest", "keepAnswer"])

export const make = (upstream: number): Effect.Effect<TcpProxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const events = new Happenings()
    const clients = new Set<Net.Socket>()
    let received = 0
    let opened = 0
    let answered = 0
    const held: Array<Buffer> = []
    const server = Net.createServer({ noDelay: true }, (client) => {
      const fault = proxy.script.shift() ?? proxy.fault
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
        if (fault.kind === "holdRequest") held.push(chunk)
        events.happened()
      })
      if (fault.kind === "resetOnAccept") client.resetAndDestroy()
      if (passing.has(fault.kind)) {
        connect({
          client,
          upstream,
          fault,
          answered: (bytes) => {
            answered += bytes
            events.happened()
          }
        })
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
      script: [],
      received: () => received,
      answered: () => answered,
      release: () => Effect.suspend(() => deliver(held.splice(0), upstream)),
      open: () => clients.size,
      opened: () => opened,
      until: events.until,
      cut: () => {
        for (const client of clients) client.resetAndDestroy()
      },
      down: Effect.async<void>((resume) => {
        server.close(() => {})
        resume(Effect.void)
      }),
      up: Effect.async<void>((resume) => void server.listen(port, "127.0.0.1", () => resume(Effect.void)))
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
