/** A server that sends the body of a GET behind its answer to HEAD, at once or later: it is nobody's answer. */
import { createServer, type Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Scope } from "effect"
import * as Db from "../../src/Db.js"
import { Happenings, listening } from "../support/httpServer.js"

const raw = (body: string, headers = ""): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`

/** Of so many ms, or with what is asked next: then it stands before the answer to that. */
type Delay = number | "with the next request"

interface Late {
  readonly url: string
  readonly opened: () => number
  /** Bodies of requests that may have written, in order. */
  readonly written: ReadonlyArray<string>
  readonly until: (condition: () => boolean) => Effect.Effect<void>
  readonly bodies: () => number
}

/** Answers HEAD with a number, and after `delay` with `body`; each other request with what it asked for, 5 ms later. */
const late = (delay: Delay, body: string, type = "application/json"): Effect.Effect<Late, never, Scope.Scope> =>
  Effect.gen(function* () {
    const events = new Happenings()
    const sockets = new Set<Socket>()
    const written: Array<string> = []
    let opened = 0
    let bodies = 0
    const server = createServer({ noDelay: true }, (socket) => {
      let owed = ""
      opened += 1
      sockets.add(socket)
      events.happened()
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(socket)
        events.happened()
      })
      const pay = (text: string): void => {
        if (socket.writable) socket.write(text)
        bodies += 1
        events.happened()
      }
      socket.on("data", (data) => {
        const text = String(data)
        const [, method = "", path = ""] = /^(\w+) (\S+) /.exec(text) ?? []
        if (method === "HEAD") {
          socket.write(
            `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\nContent-Range: */7\r\n\r\n`
          )
          if (delay === "with the next request") owed = body
          else setTimeout(() => pay(body), delay)
          return
        }
        if (method === "") return
        if (owed !== "") pay(owed)
        owed = ""
        if (method !== "GET") written.push(path)
        setTimeout(() => socket.writable && socket.write(raw(JSON.stringify([{ asked: path.split("?")[0] }]))), 5)
      })
    })
    const port = yield* listening(server, sockets)
    return {
      url: `http://127.0.0.1:${port}`,
      opened: () => opened,
      written,
      until: events.until,
      bodies: () => bodies
    }
  })

/** One socket in each pool: who comes next is behind the HEAD. */
const database = (url: string) =>
  Db.layerOf({
    url,
    anonKey: "anon-never-printed",
    serviceRoleKey: "service-never-printed",
    minConnections: 1,
    maxConnections: 2,
    maxRetries: 1,
    retryDelay: 20,
    keepaliveInterval: 0
  })

const count = (pool: "read" | "write") =>
  Effect.map(
    Db.response((client) => client.from("counted").select("*", { count: "exact", head: true }), { pool }),
    (answer) => answer.count
  )

const read = (table: string) => Db.read((client) => client.from(table).select("asked"))
const write = (table: string) => Db.write((client) => client.from(table).insert({ a: 1 }).select("asked"))
const answerOf = (table: string) => [{ asked: `/rest/v1/${table}` }]

const bodies: Readonly<Record<string, string>> = {
  rows: JSON.stringify([{ asked: "nobody" }]),
  "an object": '{"asked":"nobody"}',
  "no rows": "[]",
  "rows in chunks": '1c\r\n[{"asked":"nobody"},{"a":1}]\r\n0\r\n\r\n'
}

const delays: ReadonlyArray<Delay> = [0, 1, 20, 200, "with the next request"]

describe("a body behind the answer to HEAD", () => {
  for (const delay of delays) {
    for (const [what, body] of Object.entries(bodies)) {
      const when = typeof delay === "number" ? `after ${delay} ms` : delay

      it.scopedLive(`(${what}, ${when}) is nobody's answer, and no read fails by it`, () =>
        Effect.gen(function* () {
          const server = yield* late(delay, body)
          yield* Effect.gen(function* () {
            yield* server.until(() => server.opened() === 2)
            for (let round = 0; round < 3; round += 1) {
              expect(yield* count("read")).toBe(7)
              for (let nth = 0; nth < 3; nth += 1) {
                const table = `read_${round}_${nth}`
                expect(yield* read(table)).toEqual(answerOf(table))
              }
            }
            yield* server.until(() => server.bodies() > 0)
            expect(yield* read("last")).toEqual(answerOf("last"))
          }).pipe(Effect.provide(database(server.url)))
        })
      )

      it.scopedLive(`(${what}, ${when}) is on a connection that writes nothing more`, () =>
        Effect.gen(function* () {
          const server = yield* late(delay, body)
          yield* Effect.gen(function* () {
            for (let round = 0; round < 3; round += 1) {
              expect(yield* count("write")).toBe(7)
              expect(yield* write(`written_${round}`)).toEqual(answerOf(`written_${round}`))
            }
          }).pipe(Effect.provide(database(server.url)))
          // Each once, and on a socket of its own behind each HEAD.
          expect(server.written.map((path) => path.split("?")[0])).toEqual(
            [0, 1, 2].map((round) => `/rest/v1/written_${round}`)
          )
          expect(server.opened()).toBeGreaterThanOrEqual(4)
        })
      )

      it.scopedLive(`(${what}, ${when}) leaves a write on the same connection done, or unknown where it was sent`, () =>
        Effect.gen(function* () {
          const server = yield* late(delay, body)
          const both = Db.write((client) =>
            Effect.zipRight(
              Effect.promise(async () => client.from("counted").select("*", { count: "exact", head: true })),
              Effect.promise(async () => client.from("both").insert({ a: 1 }).select("asked").throwOnError())
            )
          )
          const exit = yield* Effect.exit(Effect.provide(both, database(server.url)))
          const times = server.written.length
          expect(times).toBeLessThanOrEqual(1)
          if (Exit.isSuccess(exit)) expect(exit.value.data).toEqual(answerOf("both"))
          else expect(String(exit.cause)).toMatch(times === 1 ? /may have been executed/ : /Nothing was sent/)
        })
      )
    }
  }

  it.scopedLive("is remembered of its server: from then on no connection is lent again that has answered HEAD", () =>
    Effect.gen(function* () {
      const server = yield* late("with the next request", '[{"asked":"nobody"}]')
      yield* Effect.gen(function* () {
        yield* count("read")
        // Sent again at once, and not as one of the attempts that are allowed.
        expect(yield* read("first")).toEqual(answerOf("first"))
        const before = server.bodies()
        for (let round = 0; round < 5; round += 1) {
          yield* count("read")
          expect(yield* read("again")).toEqual(answerOf("again"))
        }
        expect(server.bodies()).toBe(before)
      }).pipe(Effect.provide(database(server.url)))
    })
  )

  it.scopedLive("that is text of whoever's, and could be an answer, is on a connection that is not used again", () =>
    Effect.gen(function* () {
      const server = yield* late("with the next request", raw('[{"asked":"nobody"}]'), "text/plain")
      yield* Effect.gen(function* () {
        for (let round = 0; round < 3; round += 1) {
          expect(yield* count("read")).toBe(7)
          expect(yield* read("mine")).toEqual(answerOf("mine"))
        }
      }).pipe(Effect.provide(database(server.url)))
    })
  )

  it.scopedLive("that never comes costs nothing: the read pool keeps its socket", () =>
    Effect.gen(function* () {
      const server = yield* late("with the next request", "")
      yield* Effect.gen(function* () {
        for (let round = 0; round < 5; round += 1) {
          yield* count("read")
          yield* read("mine")
        }
        expect(server.opened()).toBe(2)
      }).pipe(Effect.provide(database(server.url)))
    })
  )

  it.scopedLive("meets who waits for the connection as little", () =>
    Effect.gen(function* () {
      const server = yield* late(1, '[{"asked":"nobody"}]')
      yield* Effect.gen(function* () {
        const counting = yield* Effect.fork(Effect.forEach([1, 2, 3, 4, 5], () => count("read")))
        const tables = Array.from({ length: 30 }, (_, n) => `waiting_${n}`)
        const got = yield* Effect.forEach(tables, (table) => Effect.exit(read(table)), { concurrency: "unbounded" })
        for (const [n, exit] of got.entries()) {
          if (Exit.isSuccess(exit)) expect(exit.value).toEqual(answerOf(tables[n] ?? ""))
          // One repetition may be too few where the connection was closed twice.
          else expect(String(exit.cause)).toMatch(/It was a read|Nothing was sent/)
        }
        yield* Fiber.await(counting)
      }).pipe(Effect.provide(database(server.url)))
    })
  )
})
