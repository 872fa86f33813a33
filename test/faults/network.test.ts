/** What a network, a proxy or a crashing server does to a connection: the right error, and a pool that counts right. */
import { readFileSync } from "node:fs"
import * as Tls from "node:tls"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Logger, LogLevel, TestClock } from "effect"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { failureOf, json, layer, listen, serve, type TestServer } from "../support/httpServer.js"
import { eachShows } from "../support/reliability.js"
import { closedPort, type Fault, make, type TcpProxy } from "../support/tcpProxy.js"

const stray: Array<unknown> = []
const keep = (error: unknown): void => void stray.push(error)

// What nobody handled: an uncaught "error" event or a rejected promise that was left alone.
beforeAll(() => {
  process.on("uncaughtExceptionMonitor", keep)
  process.on("unhandledRejection", keep)
})

afterAll(() => {
  process.off("uncaughtExceptionMonitor", keep)
  process.off("unhandledRejection", keep)
  expect(stray).toEqual([])
})

const read = Db.read((client) => client.from("products").select("id"))
const insert = Db.write((client) => client.from("products").insert({ id: 1 }).select())

const behind = <A, E>(
  fault: Fault,
  test: (proxy: TcpProxy, server: TestServer) => Effect.Effect<A, E, Db.Provided>,
  options: Parameters<typeof layer>[1] = {}
): Effect.Effect<A, E> =>
  Effect.scoped(
    Effect.gen(function* () {
      const server = yield* serve((response) => json(response, [{ id: 1 }]))
      const proxy = yield* make(server.port)
      proxy.fault = fault
      return yield* Effect.provide(test(proxy, server), layer(proxy.url, options))
    })
  )

/** Nothing lent, nobody waiting, and sockets only where a pool says that it has one. */
const countsAreRight = (proxy: TcpProxy) =>
  Effect.gen(function* () {
    const pools = [yield* Pool.ReadPool, yield* Pool.WritePool]
    const metrics = yield* Effect.forEach(pools, (pool) => pool.metrics)
    for (const { active, pending } of metrics) expect({ active, pending }).toEqual({ active: 0, pending: 0 })
    const total = metrics.reduce((sum, { connecting, total }) => sum + total + connecting, 0)
    expect(total).toBeLessThanOrEqual(2)
    yield* proxy.until(() => proxy.open() <= 2)
  })

eachShows("What a network does")

describe("no connection", () => {
  it.effect("nobody listens: refused, and nothing was sent", () =>
    Effect.gen(function* () {
      const port = yield* closedPort
      const error = yield* failureOf(insert).pipe(Effect.provide(layer(`http://127.0.0.1:${port}`)))
      expect(error).toMatchObject({
        _tag: "ConnectionFailed",
        failure: "refused",
        code: "ECONNREFUSED",
        mayHaveExecuted: false
      })
    })
  )

  it.live("a name that does not exist: dns, and nothing was sent", () =>
    Effect.gen(function* () {
      const error = yield* failureOf(insert).pipe(
        Effect.provide(layer("http://no-such-project.invalid")),
        Logger.withMinimumLogLevel(LogLevel.None)
      )
      expect(error).toMatchObject({ _tag: "ConnectionFailed", failure: "dns", mayHaveExecuted: false })
      expect(error.message).toContain("no IP address was found for http://no-such-project.invalid")
    })
  )

  const file = (name: string): string => readFileSync(new URL(`../support/tls/${name}`, import.meta.url), "utf8")

  it.effect("a certificate that nobody vouches for: tls, and nothing was sent", () =>
    Effect.scoped(
      Effect.gen(function* () {
        let data = 0
        const server = Tls.createServer({ key: file("key.pem"), cert: file("cert.pem") }, (socket) => {
          socket.on("data", () => {
            data += 1
          })
          socket.on("error", () => {})
        })
        server.on("tlsClientError", () => {})
        const port = yield* Effect.acquireRelease(listen(server), () => Effect.sync(() => server.close()))
        const error = yield* failureOf(insert).pipe(Effect.provide(layer(`https://127.0.0.1:${port}`)))
        expect(error).toMatchObject({ _tag: "ConnectionFailed", failure: "tls", mayHaveExecuted: false })
        expect(error).toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" })
        expect(data).toBe(0)
      })
    )
  )

  it.effect("a server that speaks no TLS where https is asked for: tls", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve(() => {})
        const error = yield* failureOf(read).pipe(Effect.provide(layer(`https://127.0.0.1:${server.port}`)))
        expect(error).toMatchObject({ _tag: "ConnectionFailed", failure: "tls", mayHaveExecuted: false })
      })
    )
  )

  it.effect("a handshake that never ends: timeout, after connectionTimeout", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve(() => {})
        const proxy = yield* make(server.port)
        proxy.fault = { kind: "silence" }
        const url = proxy.url.replace("http:", "https:")
        yield* Effect.gen(function* () {
          const reading = yield* Effect.fork(failureOf(read))
          yield* proxy.until(() => proxy.opened() >= 2)
          yield* TestClock.adjust("5 seconds")
          expect(["ConnectionFailed", "AcquireTimeout"]).toContain((yield* Fiber.join(reading))._tag)
        }).pipe(Effect.provide(layer(url, { connectionTimeout: "5 seconds" })))
        yield* proxy.until(() => proxy.open() === 0)
      })
    )
  )
})

describe("a broken connection", () => {
  const broken = { _tag: "ConnectionFailed", failure: "closed" }

  it.effect("reset as soon as it is there: closed", () =>
    behind({ kind: "resetOnAccept" }, (proxy) =>
      Effect.gen(function* () {
        const error = yield* failureOf(insert)
        expect(error._tag).toBe("ConnectionFailed")
        proxy.fault = { kind: "none" }
        yield* countsAreRight(proxy)
      })
    )
  )

  it.effect("reset within a write's request: closed, and it may have been executed", () =>
    behind({ kind: "resetAfterRequest", bytes: 20 }, (proxy, server) =>
      Effect.gen(function* () {
        expect(yield* failureOf(insert)).toMatchObject({ ...broken, sent: true, mayHaveExecuted: true })
        expect(server.seen.length).toBe(0)
        yield* countsAreRight(proxy)
      })
    )
  )

  it.effect("silence after the request: the request timeout, and the socket is closed", () =>
    behind(
      { kind: "silence" },
      (proxy) =>
        Effect.gen(function* () {
          const writing = yield* Effect.fork(failureOf(insert))
          yield* proxy.until(() => proxy.received() > 0)
          yield* TestClock.adjust("3 seconds")
          expect(yield* Fiber.join(writing)).toMatchObject({ _tag: "RequestTimeout", mayHaveExecuted: true })
          yield* countsAreRight(proxy)
        }),
      { requestTimeout: "3 seconds" }
    )
  )

  for (const how of ["end", "reset"] as const) {
    it.effect(`an answer that is cut after each of its bytes (${how}) is an error, and never half a row`, () =>
      behind({ kind: "none" }, (proxy, server) =>
        Effect.gen(function* () {
          const length = yield* answerLength(server)
          const { ReadPool, WritePool } = { ReadPool: yield* Pool.ReadPool, WritePool: yield* Pool.WritePool }
          for (let bytes = 0; bytes < length; bytes++) {
            proxy.fault = { kind: "cutAnswer", bytes: Math.max(1, bytes), how }
            yield* Effect.zip(ReadPool.reset, WritePool.reset)
            const writes = bytes % 2 === 0
            const error = writes ? yield* failureOf(insert) : yield* failureOf(read)
            expect(error).toMatchObject({ _tag: "ConnectionFailed", sent: true, mayHaveExecuted: writes })
          }
          proxy.fault = { kind: "none" }
          yield* Effect.zip(ReadPool.reset, WritePool.reset)
          expect(yield* read).toEqual([{ id: 1 }])
          yield* countsAreRight(proxy)
        })
      )
    )
  }

  it.effect("an answer that comes one byte at a time is as good as any", () =>
    behind({ kind: "byteByByte" }, (proxy) =>
      Effect.gen(function* () {
        expect(yield* read).toEqual([{ id: 1 }])
        expect(yield* insert).toEqual([{ id: 1 }])
        yield* countsAreRight(proxy)
      })
    )
  )

  for (const [name, text] of [
    ["garbage", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
    ["headers without end", `HTTP/1.1 200 OK\r\nx-long: ${"a".repeat(400_000)}\r\n\r\n`],
    ["a length that is no number", "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n[]"],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n[]"]
  ] as const) {
    it.effect(`${name} for an answer: protocol, and it may have been executed`, () =>
      behind({ kind: "garbage", text }, (proxy) =>
        Effect.gen(function* () {
          const error = yield* failureOf(insert)
          expect(error).toMatchObject({ _tag: "ConnectionFailed", failure: "protocol", mayHaveExecuted: true })
          yield* countsAreRight(proxy)
        })
      )
    )
  }

  it.effect("an answer longer than it says costs the socket, not the answer", () =>
    behind({ kind: "garbage", text: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]more than that" }, (proxy) =>
      Effect.gen(function* () {
        expect(yield* read).toEqual([])
        proxy.fault = { kind: "none" }
        expect(yield* read).toEqual([{ id: 1 }])
        yield* countsAreRight(proxy)
      })
    )
  )

  it.effect("the error of a broken answer is that of a connection, however supabase-js words it", () =>
    behind({ kind: "resetAfterRequest", bytes: 1 }, () =>
      Effect.gen(function* () {
        const plain = yield* failureOf(insert)
        const thrown = yield* failureOf(Db.write((client) => client.from("a").insert({}).throwOnError()))
        expect(plain).toMatchObject(broken)
        expect(thrown).toMatchObject(broken)
      })
    )
  )
})

/** Lets sockets have their events. */
const tick = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Bytes of the whole answer, headers included. */
const answerLength = (server: TestServer) =>
  Effect.map(read, () => {
    const [socket] = [...server.sockets.values()].filter(({ bytesWritten }) => bytesWritten > 0)
    return socket?.bytesWritten ?? 0
  })

describe("the race of closing and sending", () => {
  const racing = (test: (server: TestServer) => Effect.Effect<void, unknown, Db.Provided>, maxRetries = 3) =>
    Effect.scoped(
      Effect.gen(function* () {
        // Takes the request in and closes the socket instead of answering, for the first two requests on old sockets.
        const old = new Set<number>()
        const server = yield* serve((response, { socket }) => {
          if (old.has(socket)) return void response.destroy()
          old.add(socket)
          json(response, [{ id: socket }])
        })
        yield* Effect.provide(test(server), layer(server.url, { maxRetries }))
      })
    )

  it.effect("a read that met a closed socket is replayed at once on another", () =>
    racing((server) =>
      Effect.gen(function* () {
        yield* read
        // In virtual time: a delay would wait for ever.
        yield* read
        expect(server.seen.length).toBe(3)
        expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(2)
      })
    )
  )

  it.effect("a write that was sent on a closed socket is not done twice, and says that it may have been executed", () =>
    racing((server) =>
      Effect.gen(function* () {
        yield* insert
        expect(yield* failureOf(insert)).toMatchObject({ _tag: "ConnectionFailed", mayHaveExecuted: true })
        expect(server.seen.length).toBe(2)
      })
    )
  )

  it.effect("an idempotent write is replayed like a read", () =>
    racing((server) =>
      Effect.gen(function* () {
        yield* insert
        yield* Db.write((client) => client.from("a").upsert({ id: 1 }), { idempotent: true })
        expect(server.seen.length).toBe(3)
      })
    )
  )

  it.effect(
    "what was never sent is sent on another socket, also without retries: a write fails only where it is in doubt",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const server = yield* serve((response) => json(response, []))
          yield* Effect.gen(function* () {
            for (let round = 0; round < 40; round++) {
              yield* insert
              // The next one meets the end of the socket before, while or after it is sent.
              server.sockets.get(server.seen.at(-1)?.socket ?? 0)?.destroy()
              for (let ticks = round % 3; ticks > 0; ticks--) yield* tick
              const met = yield* Effect.either(insert)
              if (met._tag === "Left") expect(met.left).toMatchObject({ mayHaveExecuted: true })
            }
          }).pipe(Effect.provide(layer(server.url, { maxRetries: 0 })))
        })
      )
  )

  it.effect("a read that was sent is not replayed without retries", () =>
    racing(
      (server) =>
        Effect.gen(function* () {
          yield* read
          yield* failureOf(read)
          expect(server.seen.length).toBe(2)
        }),
      0
    )
  )

  it.effect("an idle socket that the server closed is noticed, and not used", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve((response) => json(response, []))
        yield* Effect.gen(function* () {
          const pool = yield* Pool.ReadPool
          for (let i = 0; i < 20; i++) {
            yield* insert
            const socket = server.seen.at(-1)?.socket ?? 0
            server.sockets.get(socket)?.destroy()
            yield* Pool.WritePool.pipe(
              Effect.flatMap(({ metrics }) => metrics),
              Effect.zipLeft(tick),
              Effect.repeat({ until: ({ closed }) => closed > i })
            )
          }
          expect(server.seen.length).toBe(20)
          expect((yield* pool.metrics).active).toBe(0)
        }).pipe(Effect.provide(layer(server.url)))
      })
    )
  )
})
