/** The way through a company's proxy: when it leads to the server, and what is said when it does not. */

import { readFileSync } from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Fiber, Redacted, TestClock } from "effect"
import * as Db from "../../src/Db.js"
import { parseProxy } from "../../src/internal/config/proxyAddress.js"
import { openSocket, target } from "../../src/internal/connection/connect.js"
import { isExempt, isLoopback, proxyTo } from "../../src/internal/connection/proxy.js"
import { failureOf, Happenings, json, layer, listen, serve } from "../support/httpServer.js"
import { eachShows, withSuite } from "../support/reliability.js"
import { secret } from "../support/secrets.js"
import { closedPort } from "../support/tcpProxy.js"

const read = Db.read((client) => client.from("a").select("*"))
const insert = Db.write((client) => client.from("a").insert({ id: 1 }).select("*"))

interface Seen {
  readonly to: string
  readonly authorization: string | undefined
}

/** One that says what it is told to say, and without that leads everybody to the same port. */
const proxyOf = (leadsTo: number, says?: string, before = "") =>
  Effect.gen(function* () {
    const seen: Array<Seen> = []
    const events = new Happenings()
    const sockets = new Set<Net.Socket>()
    const server = Http.createServer((_, response) => json(response, []))
    server.on("connection", (socket: Net.Socket) => sockets.add(socket.on("error", () => {})))
    server.on("connect", (request: Http.IncomingMessage, socket: Net.Socket, head: Buffer) => {
      seen.push({ to: request.url ?? "", authorization: request.headers["proxy-authorization"] })
      events.happened()
      if (says === "silence") return
      if (says !== undefined) return void socket.end(says)
      const upstream = Net.connect(leadsTo, "127.0.0.1", () => {
        socket.write(`${before}HTTP/1.1 200 Connection established\r\nVia: a proxy\r\n\r\n`)
        upstream.write(head)
        socket.pipe(upstream).pipe(socket)
      })
      upstream.on("error", () => socket.destroy())
      sockets.add(upstream)
    })
    const port = yield* Effect.acquireRelease(listen(server), () =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
    )
    return { address: `127.0.0.1:${port}`, seen, until: events.until }
  })

const tls = (name: string) => readFileSync(new URL(`../support/tls/${name}.pem`, import.meta.url))

describe("a proxy", () => {
  eachShows("Ways out", withSuite)

  it.scoped("leads to a server whose name only it knows, and alone is told the login", () =>
    Effect.gen(function* () {
      const server = yield* serve((response) => json(response, [{ id: 1 }]))
      const { address, seen } = yield* proxyOf(server.port)
      const password = secret("pass word")
      const proxy = `http://user:${encodeURIComponent(password)}@${address}`
      const rows = Effect.all([read, insert]).pipe(Effect.provide(layer("http://db.invalid", { proxy })))
      expect(yield* rows).toEqual([[{ id: 1 }], [{ id: 1 }]])
      const authorization = `Basic ${Buffer.from(`user:${password}`).toString("base64")}`
      expect(seen).toEqual([
        { to: "db.invalid:80", authorization },
        { to: "db.invalid:80", authorization }
      ])
      expect(server.seen.map(({ headers }) => headers["proxy-authorization"])).toEqual([undefined, undefined])
      expect(server.seen[0]?.headers.host).toBe("db.invalid")
    })
  )

  it.scoped("that leads to a certificate which nobody trusts says so, by name and with what to do", () =>
    Effect.gen(function* () {
      const server = Tls.createServer({ key: tls("key"), cert: tls("cert") })
      const port = yield* Effect.acquireRelease(listen(server), () => Effect.sync(() => server.close()))
      const { address, seen } = yield* proxyOf(port)
      const error = yield* failureOf(
        Effect.provide(read, layer("https://db.invalid", { proxy: address, connectionTimeout: 8_000 }))
      )
      expect(error).toMatchObject({ _tag: "ConnectionFailed", failure: "tls", mayHaveExecuted: false })
      expect(error.message).toContain(`through the proxy http://${address}`)
      expect(error.message).toContain("give its CA in DB_POOL_CA")
      expect(seen[0]?.to).toBe("db.invalid:443")
    })
  )

  const refusals: Readonly<Record<string, readonly [says: string, code: string, words: RegExp]>> = {
    "asks for a login": [
      "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
      "PROXY_407",
      /a login is required .*http:\/\/user:password@host:port/
    ],
    "does not allow it": ["HTTP/1.1 403 Forbidden\r\n\r\n<html>", "PROXY_403", /not allowed .* NO_PROXY/],
    "does not reach it": ["HTTP/1.1 502 Bad Gateway\r\n\r\n", "PROXY_502", /cannot reach the server/],
    "answers garbage": ["SSH-2.0-OpenSSH_9.6\r\n", "PROXY_GARBAGE", /not an HTTP proxy/],
    "answers HTTP that is none": ["HTTP/1.1 OK\r\n\r\n", "PROXY_GARBAGE", /not an HTTP proxy/],
    "talks without end": [`HTTP/1.1 200 OK\r\nA: ${"a".repeat(20_000)}`, "PROXY_GARBAGE", /not an HTTP proxy/],
    "changes the protocol": ["HTTP/1.1 101 Switching Protocols\r\n\r\n", "PROXY_101", /through the proxy/],
    "hangs up": ["", "ECONNRESET", /through the proxy/]
  }
  for (const [name, [says, code, words]] of Object.entries(refusals)) {
    it.scoped(`that ${name} is named, with what to do, without its login, and nothing was sent`, () =>
      Effect.gen(function* () {
        const { address } = yield* proxyOf(0, says)
        const password = secret("proxy")
        const proxy = Redacted.make(`http://user:${password}@${address}`)
        const error = yield* failureOf(
          Effect.provide(insert, layer("https://db.invalid", { proxy, connectionTimeout: 8_000 }))
        )
        expect(error).toMatchObject({ _tag: "ConnectionFailed", code, mayHaveExecuted: false })
        expect(error.message).toContain(`https://db.invalid through the proxy http://${address}`)
        expect(error.message).toContain("Nothing was sent.")
        expect(error.message).toMatch(words)
        expect(JSON.stringify(error)).not.toContain(password)
      })
    )
  }

  it.live("that says nothing is named after five seconds", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { address } = yield* proxyOf(0, "silence")
        const error = yield* failureOf(
          openSocket(target("read", new URL("https://db.invalid"), { proxy: parseProxy(address) }), String)
        )
        expect(error).toMatchObject({ failure: "proxy", code: "PROXY_SILENT", mayHaveExecuted: false })
        expect(error.message).toContain(
          `nothing answers on the way to https://db.invalid through the proxy http://${address}`
        )
      })
    )
  )

  it.scoped("that says nothing is named within the time that a caller has, where that is shorter", () =>
    Effect.gen(function* () {
      const { address, seen, until } = yield* proxyOf(0, "silence")
      const password = secret("silent")
      const proxy = `http://user:${password}@${address}`
      const options = { proxy, connectionTimeout: 2_000 }
      yield* Effect.gen(function* () {
        const reading = yield* Effect.fork(failureOf(read))
        yield* until(() => seen.length > 0)
        yield* TestClock.adjust("2 seconds")
        const error = yield* Fiber.join(reading)
        expect(error).toMatchObject({ _tag: "AcquireTimeout", mayHaveExecuted: false })
        expect(error.message).toContain(
          `still connecting to https://db.invalid through the proxy http://${address}). Nothing was sent. Check DB_POOL_PROXY`
        )
        expect(error.message).not.toContain("Raise")
        expect(JSON.stringify(error)).not.toContain(password)
      }).pipe(Effect.provide(layer("https://db.invalid", options)))
    })
  )

  for (const maxConnections of [2, 20]) {
    it.scoped(`that says nothing is named within the time that a caller has, with ${maxConnections} connections`, () =>
      Effect.gen(function* () {
        const { address, seen, until } = yield* proxyOf(0, "silence")
        const options = { proxy: address, connectionTimeout: 12_000, maxConnections }
        yield* Effect.gen(function* () {
          const reading = yield* Effect.fork(failureOf(read))
          yield* until(() => seen.length > 0)
          // A second at a time: what goes out beside one that hangs is really sent.
          for (let second = 0; second < 11; second++) {
            yield* TestClock.adjust("1 second")
            yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
          }
          const error = yield* Fiber.join(reading)
          expect(error).toMatchObject({ _tag: "ConnectionFailed", mayHaveExecuted: false })
          expect(error.message).toContain(`https://db.invalid through the proxy http://${address}`)
          expect(error.message).toContain("Nothing was sent. Check DB_POOL_PROXY")
        }).pipe(Effect.provide(layer("https://db.invalid", options)))
      })
    )
  }

  it.scoped("that informs of something first leads to the server all the same", () =>
    Effect.gen(function* () {
      const server = yield* serve((response) => json(response, [{ id: 1 }]))
      const { address } = yield* proxyOf(
        server.port,
        undefined,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 A\r\nB: c\r\n\r\n"
      )
      expect(yield* Effect.provide(read, layer("http://db.invalid", { proxy: address }))).toEqual([{ id: 1 }])
    })
  )

  it.effect("that is not there is named, and not the server", () =>
    Effect.gen(function* () {
      const proxy = `http://127.0.0.1:${yield* closedPort}`
      const error = yield* failureOf(Effect.provide(read, layer("https://db.invalid", { proxy })))
      expect(error).toMatchObject({ failure: "proxy", code: "PROXY_ECONNREFUSED" })
      expect(error.message).toContain(`through the proxy ${proxy}`)
      expect(error.message).toContain("DB_POOL_PROXY=none")
    })
  )
})

const found = (url: string, environment: Record<string, string>) =>
  proxyTo(new URL(url), "environment").pipe(
    Effect.map((way) => (typeof way === "object" ? way.url.origin : way)),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment))))
  )

describe("the environment", () => {
  const a = "http://a:1"
  const table: ReadonlyArray<readonly [url: string, environment: Record<string, string>, way: string | undefined]> = [
    ["https://x.co", {}, undefined],
    ["https://x.co", { HTTPS_PROXY: a, HTTP_PROXY: "http://b:2" }, a],
    ["http://x.co", { HTTPS_PROXY: a, HTTP_PROXY: "http://b:2" }, "http://b:2"],
    ["https://x.co", { HTTPS_PROXY: a, https_proxy: "http://b:2" }, "http://b:2"],
    ["https://x.co", { HTTPS_PROXY: "a:1" }, a],
    ["https://x.co", { HTTPS_PROXY: a, NO_PROXY: "y.co,x.co" }, undefined],
    ["https://x.co", { HTTPS_PROXY: a, no_proxy: "*" }, undefined],
    ["https://127.0.0.1:1", { HTTPS_PROXY: a }, undefined],
    ["http://localhost:54321", { HTTP_PROXY: a }, undefined],
    ["https://x.co", { HTTPS_PROXY: "  " }, undefined],
    ["https://x.co", { HTTPS_PROXY: a, https_proxy: "" }, a],
    ["https://x.co", { HTTP_PROXY: a }, undefined],
    ["https://x.co", { ALL_PROXY: a }, undefined],
    ["https://x.co", { HTTPS_PROXY: a, NO_PROXY: "x.co", no_proxy: "y.co" }, a],
    ["https://x.co", { HTTPS_PROXY: "socks5://a:1" }, "HTTPS_PROXY"],
    ["http://x.co", { HTTP_PROXY: "user:p://x@a:1" }, "HTTP_PROXY"]
  ]
  it.effect.each(table)("leads to %s with %j", ([url, environment, way]) =>
    Effect.map(found(url, environment), (is) => expect(is).toBe(way))
  )

  it.effect("whose variable holds no proxy is told of by the name of the variable", () =>
    Effect.gen(function* () {
      const error = yield* failureOf(
        Effect.provide(read, layer("https://db.invalid")).pipe(
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["HTTPS_PROXY", "socks5://a:1"]])))
        )
      )
      expect(error).toMatchObject({ failure: "proxy", code: "PROXY_INVALID" })
      expect(error.message).toContain("in HTTPS_PROXY")
    })
  )

  it.each([
    ["https://x.co", "x.co", true],
    ["https://a.x.co", ".x.co", true],
    ["https://a.x.co", "*.x.co", true],
    ["https://a.x.co", "x.co", true],
    ["https://ax.co", "x.co", false],
    ["https://x.co", "x.co:443", true],
    ["https://x.co", "x.co:80", false],
    ["https://10.0.0.1", "10.0.0.1", true],
    ["https://[::2]", "::2", true],
    ["https://[::2]:5", "[::2]:5", true],
    ["https://X.CO", " y.co , X.co ", true],
    ["https://x.co", "", false],
    ["https://x.co", ",, ,", false],
    ["https://x.co", "y.co x.co", true],
    ["https://x.co", "y.co\tx.co", true],
    ["https://x.co", "*", true],
    ["https://x.co", "y.co,*", true],
    ["https://a.x.co", "*x.co", false],
    ["https://x.co", ".co", true],
    ["https://a.b.x.co", "x.co", true],
    ["https://x.co", "a.x.co", false],
    ["https://x.co.", "x.co", true],
    ["https://x.co", "x.co.", true],
    ["https://a.x.co", "x.co:443", true],
    ["https://x.co:8443", "x.co:443", false],
    ["https://x.co:8443", "x.co:8443", true],
    ["http://x.co", "x.co:80", true],
    ["http://10.0.0.1:8000", "10.0.0.1:8000", true],
    ["http://10.0.0.1:8000", "10.0.0.1:80", false],
    ["https://10.1.2.3", "1.2.3", false],
    ["https://10.1.2.3", ".2.3", false],
    ["https://10.1.2.3", "10.0.0.0/8", true],
    ["https://11.1.2.3", "10.0.0.0/8", false],
    ["https://10.1.2.3", "0.0.0.0/0", true],
    ["https://10.1.2.3", "10.1.2.3/32", true],
    ["https://10.1.2.3", "10.0.0.0/33", false],
    ["https://10.1.2.3", "10.0.0.0/", false],
    ["https://10.1.2.3", "10.0.0.0/x", false],
    ["https://x.co", "10.0.0.0/8", false],
    ["https://[fd00::5]", "fd00::/8", true],
    ["https://[fe80::5]", "fd00::/8", false],
    ["https://[fd00::5]", "10.0.0.0/8", false],
    ["https://10.0.0.5", "10.0.0.1-10.0.0.9", true],
    ["https://10.0.0.10", "10.0.0.1-10.0.0.9", false],
    ["https://10.0.0.5", "10.0.0.9-10.0.0.1", false],
    ["https://[::2]", "::2", true],
    ["https://[::2]", "[::2]", true],
    ["https://[::2]", "[::2]:443", true],
    ["https://[::2]", "[::2]:5", false],
    ["https://my-app.x.co", "my-app.x.co", true]
  ])("exempts %s by NO_PROXY=%s: %s", (url, list, exempt) => {
    expect(isExempt(new URL(url), list)).toBe(exempt)
  })

  it.each([
    ["http://localhost", true],
    ["http://a.localhost", true],
    ["http://[::1]:1", true],
    ["http://127.9.9.9", true],
    ["http://127.evil.co", false],
    ["http://notlocalhost", false]
  ])("%s is this machine: %s", (url, loopback) => {
    expect(isLoopback(new URL(url))).toBe(loopback)
  })

  const forms: ReadonlyArray<readonly [text: string, origin: string | undefined, login?: string | undefined]> = [
    ["http://h:3128", "http://h:3128"],
    ["h:3128", "http://h:3128"],
    ["h:3128/", "http://h:3128"],
    ["HTTP://h:3128", "http://h:3128"],
    // Node and its undici take a scheme's own port; curl takes 1080.
    ["http://h", "http://h"],
    ["h", "http://h"],
    ["https://h", "https://h"],
    ["https://h:443", "https://h"],
    ["127.0.0.1:3128", "http://127.0.0.1:3128"],
    ["[::1]:3128", "http://[::1]:3128"],
    ["http://[::1]:3128", "http://[::1]:3128"],
    ["http://[::1]", "http://[::1]"],
    ["user:word@h:1", "http://h:1", "user:word"],
    ["http://user:word@[::1]:1", "http://[::1]:1", "user:word"],
    ["http://user@h:1", "http://h:1", "user:"],
    ["http://:word@h:1", "http://h:1", ":word"],
    ["http://user:p%40%3A%2F%23%25@h:1", "http://h:1", "user:p@:/#%"],
    ["http://user:p%C3%BC@h:1", "http://h:1", "user:pü"],
    ["http://user:pü@h:1", "http://h:1", "user:pü"],
    ["http://user:p@ss@h:1", "http://h:1", "user:p@ss"],
    ["user:p@ss@h:1", "http://h:1", "user:p@ss"],
    ["http://user:a:b@h:1", "http://h:1", "user:a:b"],
    ["http://user:100%@h:1", "http://h:1", "user:100%"],
    ["http://user:$&!*'()+,;= ^|~`@h:1", "http://h:1", "user:$&!*'()+,;= ^|~`"],
    ["http://dom%5Cuser:word@h:1", "http://h:1", "dom\\user:word"],
    // Programs do not agree where the host begins, so that it is in code or refused.
    ["user:p://x@h:1", undefined],
    ["http://user:p://x@h:1", undefined],
    ["user:p%3A%2F%2Fx@h:1", "http://h:1", "user:p://x"],
    ["us://x@h:1", undefined],
    ["http://user:1/x@h:1", undefined],
    ["http://user:1#x@h:1", undefined],
    ["http://user:1?x@h:1", undefined],
    ["http://dom\\user:word@h:1", undefined],
    ["http:h:1", undefined],
    ["http:/h:1", undefined],
    ["http://", undefined],
    ["http://user:word@", undefined],
    ["http://h:port", undefined],
    ["http://h:70000", undefined],
    ["::1", undefined],
    ["socks5://h:1", undefined],
    ["ftp://h:1", undefined],
    ["", undefined]
  ]
  it.each(forms)("the address %s leads to %s", (text, origin, login) => {
    const proxy = parseProxy(text ?? "")
    expect(proxy?.url.origin).toBe(origin)
    const header = proxy?.authorization === undefined ? undefined : Redacted.value(proxy.authorization)
    expect(header).toBe(login === undefined ? undefined : `Basic ${Buffer.from(login).toString("base64")}`)
  })

  it.effect("an address that is none is told of with what to write", () =>
    Effect.gen(function* () {
      const error = yield* failureOf(
        Effect.provide(read, layer("https://db.invalid")).pipe(
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["HTTPS_PROXY", "http://user:1/x@h:1"]])))
        )
      )
      expect(error).toMatchObject({ failure: "proxy", code: "PROXY_INVALID" })
      expect(error.message).toContain("%2F")
      expect(error.message).not.toContain("1/x")
    })
  )

  it("a login is no part of the address that is shown", () => {
    const password = secret("login")
    const proxy = parseProxy(`http://u:${password}@h:1`)
    expect(String(proxy?.url)).toBe("http://h:1/")
    expect(JSON.stringify(proxy)).not.toContain(password)
  })
})
