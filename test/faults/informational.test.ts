/** Informational answers (RFC 9110 §15.2) that nobody asked for: a client passes over them, however many come and how they are cut. */
import * as Net from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Fiber, TestClock } from "effect"
import type { PoolOptionsInput } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { failureOf, Happenings, layer, listening } from "../support/httpServer.js"
import { eachShows, withSuite } from "../support/reliability.js"

const read = Db.read((client) => client.from("a").select("*"))
const insert = Db.write((client) => client.from("a").insert({ id: 1 }).select("*"))
const count = Db.response((client) => client.from("a").select("*", { count: "exact", head: true }))

const proceed = "HTTP/1.1 100 Continue\r\n\r\n"
const processing = "HTTP/1.1 102 Processing\r\n\r\n"
const hints =
  "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nContent-Length: 999999999\r\nKeep-Alive: timeout=2\r\n\r\n"
const answer = (body = '[{"id":1}]') =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`

/** In segments of their own: each leaves when the one before it is written, and the event loop has turned. */
const inParts = (socket: Net.Socket, text: string, sizes: ReadonlyArray<number>): void => {
  const [size = text.length, ...rest] = sizes
  if (text === "" || socket.destroyed) return
  socket.write(text.slice(0, size), () => setImmediate(() => inParts(socket, text.slice(size), rest)))
}

/** Says this to each request that is whole, cut as is asked for; a ping gets its answer. */
const saying = (text: (method: string) => string, sizes: ReadonlyArray<number> = []) =>
  Effect.gen(function* () {
    const events = new Happenings()
    const sockets = new Set<Net.Socket>()
    let asked = 0
    const server = Net.createServer({ noDelay: true }, (socket) => {
      let heard = ""
      sockets.add(socket.on("error", () => {}))
      socket.on("data", (chunk) => {
        heard += chunk.toString()
        const head = heard.indexOf("\r\n\r\n")
        const length = Number(/content-length: (\d+)/i.exec(heard)?.[1] ?? 0)
        if (head < 0 || heard.length < head + 4 + length) return
        const [method = "", path = ""] = heard.split(" ")
        heard = ""
        if (path === "/") return void socket.write(answer("{}"))
        asked += 1
        inParts(socket, text(method), sizes)
        events.happened()
      })
    })
    const port = yield* listening(server, sockets)
    return { url: `http://127.0.0.1:${port}`, asked: () => asked, connected: () => sockets.size, until: events.until }
  })

const against = <A, E>(
  server: ReturnType<typeof saying>,
  test: (server: Effect.Effect.Success<ReturnType<typeof saying>>) => Effect.Effect<A, E, Db.Provided>,
  options: PoolOptionsInput = {}
): Effect.Effect<A, E> =>
  Effect.scoped(Effect.flatMap(server, (one) => Effect.provide(test(one), layer(one.url, options))))

eachShows("Answers", withSuite)

describe("an informational answer", () => {
  for (const [name, before] of Object.entries({ 100: proceed, 102: processing, 103: hints })) {
    it.effect(`${name} before the answer is passed over, and the socket serves the next request too`, () =>
      against(
        saying(() => before + answer()),
        (server) =>
          Effect.gen(function* () {
            for (let i = 0; i < 3; i++) expect(yield* read).toEqual([{ id: 1 }])
            for (let i = 0; i < 3; i++) expect(yield* insert).toEqual([{ id: 1 }])
            expect([server.asked(), server.connected()]).toEqual([6, 2])
          })
      )
    )
  }

  it.effect("before the answer to HEAD is passed over", () =>
    against(
      saying(() => `${proceed}${hints}HTTP/1.1 200 OK\r\nContent-Range: 0-24/25\r\nContent-Length: 10\r\n\r\n`),
      () =>
        Effect.gen(function* () {
          for (let i = 0; i < 2; i++) expect((yield* count).count).toBe(25)
        })
    )
  )

  it.effect("before an error does not hide the error", () =>
    against(
      saying(() => {
        const body = '{"code":"23505","message":"duplicate","details":null,"hint":null}'
        return `${proceed}HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      }),
      () => Effect.map(failureOf(insert), (error) => expect(error).toMatchObject({ code: "23505", status: 409 }))
    )
  )

  const informational = FastCheck.array(FastCheck.constantFrom(proceed, processing, hints), {
    minLength: 1,
    maxLength: 12,
    size: "max"
  })
  it.effect.prop(
    "is passed over however many there are, and wherever the network cuts them",
    [informational, FastCheck.array(FastCheck.integer({ min: 1, max: 40 }), { maxLength: 80, size: "max" })],
    ([before, sizes]) =>
      against(
        saying(() => before.join("") + answer(), sizes),
        (server) =>
          Effect.gen(function* () {
            expect(yield* insert).toEqual([{ id: 1 }])
            expect(yield* insert).toEqual([{ id: 1 }])
            expect(server.asked()).toBe(2)
          })
      ),
    { fastCheck: { numRuns: 30 } }
  )

  it.effect("with nothing after it is a request timeout, and the write may have been executed", () =>
    against(
      saying(() => proceed + processing),
      (server) =>
        Effect.gen(function* () {
          const writing = yield* Effect.fork(failureOf(insert))
          yield* server.until(() => server.asked() === 1)
          yield* TestClock.adjust("3 seconds")
          expect(yield* Fiber.join(writing)).toMatchObject({ _tag: "RequestTimeout", mayHaveExecuted: true })
        }),
      { requestTimeout: "3 seconds" }
    )
  )

  const upgrades = {
    "101 that names a protocol":
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "101 that names none": "HTTP/1.1 101 Switching Protocols\r\n\r\n"
  }
  for (const [name, upgrade] of Object.entries(upgrades)) {
    it.effect(`${name} is an error, since nobody asked for another protocol, and the socket is not used again`, () =>
      against(
        saying((method) => (method === "POST" ? upgrade + answer() : answer())),
        () =>
          Effect.gen(function* () {
            const error = yield* failureOf(insert)
            expect(error).toMatchObject({ failure: "protocol", code: "UNASKED_UPGRADE", mayHaveExecuted: true })
            expect(error.message).toContain("an answer that is not proper HTTP came from")
            expect(yield* read).toEqual([{ id: 1 }])
          })
      )
    )
  }
})
