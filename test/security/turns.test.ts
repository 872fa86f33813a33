/** A server that speaks out of turn: nobody gets what was said to another, and nothing is sent where it did so. */
import { createServer, type Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Scope } from "effect"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { Happenings, listening } from "../support/httpServer.js"

const tokens = ["ann", "bob", "cleo", "dan", "eve", "finn", "gwen"]

const raw = (status: string, body: string, headers = ""): string =>
  `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`

const rowsOf = (token: string): string => JSON.stringify([{ secret: `of ${token}` }])

const answerTo = (token: string): string => raw("200 OK", rowsOf(token))

interface Asked {
  readonly socket: Socket
  readonly token: string
  readonly method: string
  /** Of all requests, from 1. */
  readonly nth: number
}

interface Talker {
  readonly url: string
  readonly opened: () => number
  readonly open: () => number
  readonly asked: () => number
  readonly until: (condition: () => boolean) => Effect.Effect<void>
}

/** Speaks when it likes: `greet` when somebody connects, `reply` when the head of a request is there. */
const talker = (
  reply: (asked: Asked) => void,
  greet: (socket: Socket, nth: number) => void = () => {}
): Effect.Effect<Talker, never, Scope.Scope> =>
  Effect.gen(function* () {
    const events = new Happenings()
    const sockets = new Set<Socket>()
    let opened = 0
    let asked = 0
    const server = createServer({ noDelay: true }, (socket) => {
      opened += 1
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(socket)
        events.happened()
      })
      socket.on("data", (data) => {
        for (const [, method = "", token = ""] of String(data).matchAll(
          /^(\w+) \/rest[\s\S]*?authorization: Bearer (.*)\r\n/gim
        )) {
          asked += 1
          reply({ socket, token, method, nth: asked })
        }
        if (/^GET \/ HTTP/.test(String(data))) socket.write(raw("200 OK", "[]"))
        events.happened()
      })
      greet(socket, opened)
      events.happened()
    })
    const port = yield* listening(server, sockets)
    return {
      url: `http://127.0.0.1:${port}`,
      opened: () => opened,
      open: () => sockets.size,
      asked: () => asked,
      until: events.until
    }
  })

/** One socket in each pool, so that everybody is next to everybody. */
const database = (url: string) =>
  Db.layerOf({
    url,
    anonKey: "anon-never-printed",
    serviceRoleKey: "service-never-printed",
    minConnections: 1,
    maxConnections: 2,
    maxRetries: 0
  })

const secretsOf = (rows: unknown): ReadonlyArray<string> =>
  Array.isArray(rows) ? rows.map((row: { readonly secret: string }) => row.secret) : []

const reads = Db.read((client) => client.from("mail").select("secret"))
const writes = Db.write((client) => client.from("mail").insert({ a: 1 }).select("secret"))

/** What each of the seven gets, of those who get anything. */
const got = (ask: Effect.Effect<unknown, Db.DbError, Db.ReadDb | Db.Db>) =>
  Effect.forEach(
    tokens,
    (token) =>
      Effect.map(Effect.exit(Db.withAccessToken(token)(ask)), (exit) => ({
        token,
        secrets: Exit.isSuccess(exit) ? secretsOf(exit.value) : undefined
      })),
    { concurrency: "unbounded" }
  )

const onlyTheirs = (outcomes: Effect.Effect.Success<ReturnType<typeof got>>): void => {
  for (const { secrets = [], token } of outcomes) for (const secret of secrets) expect(secret).toBe(`of ${token}`)
}

const later = (socket: Socket, text: string): void => void setTimeout(() => socket.write(text), 10)

/** What the server does when it is asked the second time; it answers all others as it should. */
const misbehaviours: Readonly<Record<string, (asked: Asked) => void>> = {
  "says 408, leaves the socket open and answers later": ({ socket, token }) => {
    socket.write(raw("408 Request Timeout", ""))
    later(socket, answerTo(token))
  },
  "says 408 and answers right behind it": ({ socket, token }) => {
    socket.write(raw("408 Request Timeout", "") + answerTo(token))
  },
  "says 504 as a gateway does, and answers later": ({ socket, token }) => {
    socket.write(raw("504 Gateway Timeout", "too late"))
    later(socket, answerTo(token))
  },
  "says 524 as Cloudflare does, and answers later": ({ socket, token }) => {
    socket.write(raw("524 A Timeout Occurred", ""))
    later(socket, answerTo(token))
  },
  "answers twice in one packet": ({ socket, token }) => void socket.write(answerTo(token) + answerTo(token)),
  "answers twice, one packet right behind the other": ({ socket, token }) => {
    socket.write(answerTo(token))
    socket.write(answerTo(token))
  },
  "answers three times, in pieces": ({ socket, token }) => {
    const text = answerTo(token).repeat(3)
    for (let at = 0; at < text.length; at += 50) socket.write(text.slice(at, at + 50))
  },
  "sends an answer for another behind the one for this": ({ socket, token }) => {
    socket.write(answerTo(token) + answerTo("nobody"))
  },
  "sends more than the length that it said, and that is an answer": ({ socket, token }) => {
    const body = rowsOf(token)
    socket.write(raw("200 OK", body) + raw("200 OK", rowsOf("nobody")))
  },
  "has a body in a 204, and that is an answer": ({ socket, token }) => {
    socket.write(`HTTP/1.1 204 No Content\r\n\r\n${answerTo(token)}`)
  },
  "has a body in a 304, and that is an answer": ({ socket, token }) => {
    socket.write(`HTTP/1.1 304 Not Modified\r\n\r\n${answerTo(token)}`)
  },
  "gives both a length and chunks": ({ socket, token }) => {
    const body = rowsOf(token)
    socket.write(
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n${answerTo("nobody")}`
    )
  },
  "gives two lengths": ({ socket, token }) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]${answerTo(token)}`)
  },
  "sends early hints behind the answer": ({ socket, token }) => {
    socket.write(`${answerTo(token)}HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n`)
    later(socket, answerTo("nobody"))
  },
  "switches protocols": ({ socket, token }) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    later(socket, answerTo(token))
  },
  "says 100 without being asked, and answers later": ({ socket, token }) => {
    socket.write("HTTP/1.1 100 Continue\r\n\r\n")
    later(socket, answerTo(token))
  },
  "says half of an answer and hangs up": ({ socket, token }) => void socket.end(answerTo(token).slice(0, -9))
}

/** An informational answer is passed over, asked for or not. */
const goesOn: ReadonlySet<string> = new Set(["says 100 without being asked, and answers later"])

describe("seven users on one socket", () => {
  for (const [name, misbehave] of Object.entries(misbehaviours)) {
    for (const [mode, ask] of Object.entries({ read: reads, write: writes })) {
      it.scopedLive(`each get their own rows or none where the server ${name} (${mode})`, () =>
        Effect.gen(function* () {
          const reply = (asked: Asked) =>
            asked.nth === 2 ? misbehave(asked) : later(asked.socket, answerTo(asked.token))
          const server = yield* talker(reply)
          yield* Effect.gen(function* () {
            onlyTheirs(yield* got(ask))
            // The pool is well again.
            const after = yield* got(ask)
            expect(after).toEqual(tokens.map((token) => ({ token, secrets: [`of ${token}`] })))
          }).pipe(Effect.provide(database(server.url)))
          expect(server.asked()).toBe(14)
          // The one of the read pool and the one of the write pool, and another where one of them is over.
          expect(server.opened()).toBe(goesOn.has(name) ? 2 : 3)
        })
      )
    }
  }

  it.scopedLive("keep their socket where the server sends 102 and 103 before its answers", () =>
    Effect.gen(function* () {
      const server = yield* talker(({ socket, token }) => {
        socket.write("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        later(socket, answerTo(token))
      })
      const outcomes = yield* Effect.provide(got(reads), database(server.url))
      expect(outcomes).toEqual(tokens.map((token) => ({ token, secrets: [`of ${token}`] })))
      expect(server.opened()).toBe(2)
    })
  )

  it.scopedLive("keep their socket where PostgREST itself says 504", () =>
    Effect.gen(function* () {
      const body = JSON.stringify({ code: "PGRST003", message: "no connection in time", details: null, hint: null })
      const server = yield* talker(({ socket }) => void socket.write(raw("504 Gateway Timeout", body)))
      const outcomes = yield* Effect.provide(got(reads), database(server.url))
      expect(outcomes.every(({ secrets }) => secrets === undefined)).toBe(true)
      expect(server.opened()).toBe(2)
    })
  )

  it.scopedLive("each get their own number of rows or none where the server answers HEAD with a body", () =>
    Effect.gen(function* () {
      const server = yield* talker(({ method, socket, token }) => {
        const body = answerTo("nobody")
        if (method === "HEAD") socket.write(raw("200 OK", body, "Content-Range: 0-0/1\r\n"))
        else later(socket, answerTo(token))
      })
      yield* Effect.gen(function* () {
        const counting = Db.response((client) => client.from("mail").select("*", { count: "exact", head: true }))
        for (let round = 0; round < 3; round += 1) {
          const [outcomes] = yield* Effect.all([got(reads), Effect.exit(counting)], { concurrency: "unbounded" })
          onlyTheirs(outcomes)
        }
      }).pipe(Effect.provide(database(server.url)))
    })
  )
})

describe("a socket", () => {
  const closes = (name: string, noise: string) =>
    it.scopedLive(`on which ${name} while nothing is asked is not used again`, () =>
      Effect.gen(function* () {
        const server = yield* talker(({ socket, token }) => {
          socket.write(answerTo(token))
          speak = () => void socket.write(noise)
        })
        let speak = () => {}
        yield* Effect.gen(function* () {
          for (const token of tokens) {
            const rows = yield* Db.withAccessToken(token)(reads)
            expect(secretsOf(rows)).toEqual([`of ${token}`])
            yield* server.until(() => server.open() === 2)
            const opened = server.opened()
            speak()
            // Closed by us, and replaced.
            yield* server.until(() => server.opened() > opened && server.open() === 2)
          }
        }).pipe(Effect.provide(database(server.url)))
        expect(server.asked()).toBe(tokens.length)
      })
    )

  closes("an answer comes", answerTo("nobody"))
  closes("half of an answer comes", "HTTP/1.1 200 OK\r\nContent-")
  closes("one letter comes", "H")
  closes("early hints come", "HTTP/1.1 103 Early Hints\r\n\r\n")
  closes("a 408 comes", raw("408 Request Timeout", ""))
  closes("something comes that is no HTTP", "-ERR what?\r\n")

  it.scopedLive("on which the server speaks first is never used", () =>
    Effect.gen(function* () {
      const server = yield* talker(
        ({ socket, token }) => later(socket, answerTo(token)),
        (socket, nth) => {
          if (nth <= 2) socket.write(answerTo("nobody"))
        }
      )
      yield* Effect.gen(function* () {
        yield* server.until(() => server.opened() >= 4 && server.open() === 2)
        expect(server.asked()).toBe(0)
        // Nobody is let in until the pool knows that its server is well again.
        const read = yield* Pool.ReadPool
        yield* Effect.repeat(Effect.zipLeft(read.metrics, Effect.sleep("5 millis")), { until: ({ idle }) => idle > 0 })
        const outcomes = yield* got(reads)
        onlyTheirs(outcomes)
        expect(outcomes).toEqual(tokens.map((token) => ({ token, secrets: [`of ${token}`] })))
      }).pipe(Effect.provide(database(server.url)))
    })
  )

  it.scopedLive("whose answer comes after its request was taken back is not used again", () =>
    Effect.gen(function* () {
      const server = yield* talker(({ nth, socket, token }) => {
        if (nth > 1) return later(socket, answerTo(token))
        // Whoever asked has gone by then.
        socket.once("end", () => socket.write(answerTo(token)))
      })
      yield* Effect.gen(function* () {
        const first = yield* Effect.fork(Db.withAccessToken("ann")(reads))
        yield* server.until(() => server.asked() === 1)
        yield* Fiber.interrupt(first)
        expect(yield* got(reads)).toEqual(tokens.map((token) => ({ token, secrets: [`of ${token}`] })))
      }).pipe(Effect.provide(database(server.url)))
    })
  )

  it.scopedLive("on which an answer comes before its request is written is not used again", () =>
    Effect.gen(function* () {
      // Answers the head of a request and does not read on, as who has no use for the body.
      const server = yield* talker(({ socket, token }) => {
        socket.pause()
        socket.write(answerTo(token))
      })
      const large = Db.write((client) =>
        client
          .from("mail")
          .insert({ text: "x".repeat(30_000_000) })
          .select("secret")
      )
      yield* Effect.gen(function* () {
        yield* server.until(() => server.open() === 2)
        const rows = yield* Db.withAccessToken("ann")(large)
        expect(secretsOf(rows)).toEqual(["of ann"])
        yield* server.until(() => server.opened() === 3)
      }).pipe(Effect.provide(database(server.url)))
    })
  )
})
