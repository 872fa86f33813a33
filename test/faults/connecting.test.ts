/** Connecting: a host of several addresses is reached by the first that answers, and TLS sessions are offered as long as they are taken. */
import { constants } from "node:crypto"
import Dns from "node:dns"
import { syncBuiltinESMExports } from "node:module"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { afterEach, describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, FastCheck, Fiber, Option, type Redacted, TestClock } from "effect"
import * as Db from "../../src/Db.js"
import { openSocket, target } from "../../src/internal/connection/connect.js"
import { attemptDelay, firstOf, interleaved } from "../../src/internal/connection/happyEyeballs.js"
import { secureContext } from "../../src/internal/connection/trust.js"
import { authority } from "../support/certificates.js"
import { failureOf, Happenings, json, layer, listen, serve } from "../support/httpServer.js"
import { eachShows, withSuite } from "../support/reliability.js"
import { closedPort } from "../support/tcpProxy.js"

const read = Db.read((client) => client.from("a").select("*"))

eachShows("Ways out", withSuite)

/** An address that answers after so long (ms); never, where it is no number. */
const away = (name: string, millis: number | undefined, log: Array<string> = []): Effect.Effect<string, string> =>
  Effect.sync(() => void log.push(`begins ${name}`)).pipe(
    Effect.zipRight(millis === undefined ? Effect.never : Effect.delay(Effect.succeed(name), millis)),
    Effect.onInterrupt(() => Effect.sync(() => void log.push(`ends ${name}`)))
  )

const refusing = (name: string, millis = 0): Effect.Effect<never, string> => Effect.delay(Effect.fail(name), millis)

/** What comes of them, and in how many ms. */
const reachedIn = (attempts: ReadonlyArray<Effect.Effect<string, string>>, millis: number) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(firstOf(attempts))
    yield* TestClock.adjust(millis - 1)
    expect(yield* Fiber.poll(fiber)).toEqual(Option.none())
    yield* TestClock.adjust(1)
    return yield* Fiber.join(fiber)
  })

describe("a host of several addresses", () => {
  it.effect("400 ms away is reached by its first address, though the next one is tried meanwhile", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      expect(yield* reachedIn([away("v6", 400, log), away("v4", 400, log)], 400)).toBe("v6")
      expect(log).toEqual(["begins v6", "begins v4", "ends v4"])
    })
  )

  it.effect("is reached however far each of them is: none is given up for the next", () =>
    Effect.map(reachedIn([away("v6", 5_000), away("v4", undefined)], 5_000), (reached) => expect(reached).toBe("v6"))
  )

  it.effect("costs one delay where its first address is dead", () =>
    Effect.map(reachedIn([away("v6", undefined), away("v4", 30)], 280), (reached) => expect(reached).toBe("v4"))
  )

  it.effect("costs no delay where its first address refuses", () =>
    Effect.map(reachedIn([refusing("v6", 20), away("v4", 30)], 50), (reached) => expect(reached).toBe("v4"))
  )

  it.effect("fails with the error of its first address where all fail", () =>
    Effect.map(reachedIn([refusing("v6", 300), refusing("v4", 10)], 300).pipe(Effect.flip), (error) =>
      expect(error).toBe("v6")
    )
  )

  const attempt = FastCheck.record({
    kind: FastCheck.constantFrom("answers", "refuses", "is silent"),
    millis: FastCheck.integer({ min: 0, max: 2_000 })
  })
  it.effect.prop(
    "is reached as soon as any of them answers, and the others are ended then",
    [FastCheck.array(attempt, { minLength: 1, maxLength: 8, size: "max" })],
    ([attempts]) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const effects = attempts.map(({ kind, millis }, index) =>
          kind === "refuses"
            ? refusing(String(index), millis)
            : away(String(index), kind === "answers" ? millis : undefined, log)
        )
        // When each begins: a delay after the one before it, or when that fails.
        const begins: Array<number> = [0]
        for (const [index, { kind, millis }] of attempts.entries()) {
          const delay = Duration.toMillis(attemptDelay)
          begins.push((begins[index] ?? 0) + (kind === "refuses" ? Math.min(millis, delay) : delay))
        }
        const answers = attempts.flatMap(({ kind, millis }, index) =>
          kind === "answers" ? [(begins[index] ?? 0) + millis] : []
        )
        const fiber = yield* Effect.fork(Effect.exit(firstOf(effects)))
        yield* TestClock.adjust(Math.max(0, Math.min(...answers, 100_000) - 1))
        const isSilent = attempts.some(({ kind }) => kind === "is silent")
        const isPending = answers.length > 0 ? Math.min(...answers) > 0 : isSilent
        expect(Option.isNone(yield* Fiber.poll(fiber))).toBe(isPending)
        yield* TestClock.adjust(1)
        if (answers.length > 0) expect(Exit.isSuccess(yield* Fiber.join(fiber))).toBe(true)
        else if (!isSilent) expect(yield* Fiber.join(fiber)).toEqual(Exit.fail("0"))
        else yield* Fiber.interrupt(fiber)
        const begun = log.filter((line) => line.startsWith("begins")).length
        const ended = log.filter((line) => line.startsWith("ends")).length
        expect(ended).toBe(begun - (answers.length > 0 ? 1 : 0))
      })
  )

  it("has its families take turns, the one that the resolver prefers first", () => {
    expect(interleaved(["::1", "::2", "::3", "1.1.1.1"])).toEqual(["::1", "1.1.1.1", "::2", "::3"])
    expect(interleaved(["1.1.1.1", "::1", "::2"])).toEqual(["1.1.1.1", "::1", "::2"])
    expect(interleaved(["1.1.1.1"])).toEqual(["1.1.1.1"])
    expect(interleaved([])).toEqual([])
  })
})

const { lookup } = Dns
afterEach(() => {
  Dns.lookup = lookup
  syncBuiltinESMExports()
})

/** From now on every name has these addresses. */
const resolveTo = (...addresses: ReadonlyArray<string>): void => {
  const all = addresses.map((address) => ({ address, family: Net.isIP(address) }))
  const stub = (_: string, __: unknown, done: (error: null, found: typeof all) => void) => setImmediate(done, null, all)
  Object.assign(Dns, { lookup: stub })
  syncBuiltinESMExports()
}

describe("a name of two families", () => {
  it.scoped("is reached by IPv4 where nobody listens on IPv6", () =>
    Effect.gen(function* () {
      const server = yield* serve((response) => json(response, [{ id: 1 }]))
      resolveTo("::1", "127.0.0.1")
      yield* Effect.gen(function* () {
        expect(yield* read).toEqual([{ id: 1 }])
        expect(server.seen[0]?.headers.host).toBe(`dual.test:${server.port}`)
        expect(server.opened()).toBeLessThanOrEqual(2)
      }).pipe(Effect.provide(layer(`http://dual.test:${server.port}`)))
    })
  )

  it.scoped("is refused where nobody listens on either", () =>
    Effect.gen(function* () {
      const port = yield* closedPort
      resolveTo("127.0.0.1", "127.0.0.2")
      const error = yield* failureOf(Effect.provide(read, layer(`http://dual.test:${port}`)))
      expect(error).toMatchObject({ _tag: "ConnectionFailed", failure: "refused", code: "ECONNREFUSED" })
    })
  )
})

const ours = authority("a company")
const own = ours.sign("a database", { hosts: ["127.0.0.1"] })

/** Of TLS 1.2 without tickets, where the server keeps the sessions, and so may refuse one. */
const sessions = Effect.gen(function* () {
  const kept = new Map<string, Buffer>()
  const events = new Happenings()
  const resumed: Array<boolean> = []
  const state = { offered: 0, refuses: false }
  const sockets = new Set<Net.Socket>()
  const server = Tls.createServer(
    { ...own, maxVersion: "TLSv1.2", secureOptions: constants.SSL_OP_NO_TICKET },
    (socket) => {
      // Destroyed with the socket below it: Node 20 crashes where both are, at the end of a resumed handshake.
      socket.on("error", () => {}).resume()
      resumed.push(socket.isSessionReused())
      events.happened()
    }
  )
  server.on("connection", (socket: Net.Socket) => sockets.add(socket.on("error", () => {})))
  server.on("tlsClientError", () => {})
  server.on("newSession", (id: Buffer, data: Buffer, done: () => void) => {
    kept.set(id.toString("hex"), data)
    done()
  })
  server.on("resumeSession", (id: Buffer, done: (error: Error | null, data: Buffer | null) => void) => {
    // A client without a session makes one up (RFC 8446 §D.4).
    const session = kept.get(id.toString("hex")) ?? null
    if (session !== null) state.offered += 1
    setImmediate(() => (session !== null && state.refuses ? done(new Error("no"), null) : done(null, session)))
  })
  const port = yield* Effect.acquireRelease(listen(server), () =>
    Effect.sync(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
  )
  const options = { ca: Option.some(ours.cert), clientCert: Option.none(), clientKey: Option.none<Redacted.Redacted>() }
  const to = target("read", new URL(`https://127.0.0.1:${port}`), { secureContext: yield* secureContext(options) })
  const connect = openSocket(to, (socket) => {
    sockets.add(socket)
    return "open"
  })
  return { state, resumed, kept, connect, until: events.until }
})

describe("a TLS session", () => {
  it.scoped("is offered from the second connection on, so that only the first handshake is a full one", () =>
    Effect.gen(function* () {
      const { connect, resumed, until } = yield* sessions
      for (const nth of [1, 2, 3]) {
        yield* connect
        yield* until(() => resumed.length === nth)
      }
      expect(resumed).toEqual([false, true, true])
    })
  )

  it.scoped("that was refused is not offered again: the connection after that has a full handshake", () =>
    Effect.gen(function* () {
      const { connect, resumed, state, until } = yield* sessions
      yield* connect
      yield* until(() => resumed.length === 1)
      state.refuses = true
      expect(yield* failureOf(connect)).toMatchObject({ _tag: "ConnectionFailed", sent: false })
      expect(state.offered).toBe(1)
      expect(yield* connect).toBe("open")
      yield* until(() => resumed.length === 2)
      expect(state.offered).toBe(1)
      expect(resumed).toEqual([false, false])
    })
  )

  it.scoped("that the server has forgotten is replaced by the new one", () =>
    Effect.gen(function* () {
      const { connect, kept, resumed, until } = yield* sessions
      for (const nth of [1, 2, 3]) {
        yield* connect
        yield* until(() => resumed.length === nth)
        if (nth === 1) kept.clear()
      }
      expect(resumed).toEqual([false, false, true])
    })
  )
})
