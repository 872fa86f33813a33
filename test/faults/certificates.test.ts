/** CAs of one's own and client certificates: with the server, inside of a proxy's tunnel, and with a proxy of `https`. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, LogLevel, type Scope } from "effect"
import type { PoolOptionsInput } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { authority } from "../support/certificates.js"
import { failureOf, layer } from "../support/httpServer.js"
import { runCode } from "../support/program.js"
import { eachShows } from "../support/reliability.js"
import { secret } from "../support/secrets.js"
import { serveProxy, serveTls } from "../support/tlsServer.js"

const read = Db.read((client) => client.from("a").select("*"))
const insert = Db.write((client) => client.from("a").insert({ id: 1 }).select("*"))

const ours = authority("a company")
const others = authority("another company")
const server = ours.sign("a database", { hosts: ["127.0.0.1", "db.invalid"] })
const client = ours.sign("a pool")

const demanding = { ...server, requestCert: true, ca: ours.cert }
const shown = { clientCert: client.cert, clientKey: client.key }

const pemFile = (pem: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "pem-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    ),
    (folder) => {
      const path = join(folder, "ca.pem")
      writeFileSync(path, pem)
      return path
    }
  )

const withOptions = (url: string, options: PoolOptionsInput) => layer(url, { connectionTimeout: 8_000, ...options })

const told = (url: string, options: PoolOptionsInput) =>
  failureOf(Effect.provide(insert, withOptions(url, options))).pipe(Logger.withMinimumLogLevel(LogLevel.None))

eachShows("Ways out")

describe("a CA of one's own", () => {
  it.scoped("a server whose CA is given is trusted", () =>
    Effect.gen(function* () {
      const { port, seen } = yield* serveTls(server)
      const rows = Effect.all([read, insert]).pipe(
        Effect.provide(withOptions(`https://127.0.0.1:${port}`, { ca: ours.cert }))
      )
      expect(yield* rows).toEqual([[{ id: 1 }], [{ id: 1 }]])
      expect(seen).toHaveLength(2)
    })
  )

  it.scopedLive("a server that Node was told to trust stays trusted beside one whose CA is given", () =>
    Effect.gen(function* () {
      const one = yield* serveTls(server)
      const other = yield* serveTls(others.sign("another database", { hosts: ["127.0.0.1"] }))
      const path = yield* pemFile(ours.cert)
      const program = `
        import { Db } from "effect-supabase-pool"
        import { Effect } from "effect"
        const read = (port: number) =>
          Db.read((client) => client.from("a").select("*")).pipe(
            Effect.provide(Db.layerOf({
              url: \`https://127.0.0.1:\${port}\`, anonKey: "anon", serviceRoleKey: "service", maxRetries: 0,
              ca: ${JSON.stringify(others.cert)}
            })))
        console.log(JSON.stringify(await Effect.runPromise(Effect.all([read(${one.port}), read(${other.port})]))))
      `
      const { failed, output } = yield* runCode(program, { NODE_EXTRA_CA_CERTS: path })
      expect({ failed, output: output.trim() }).toEqual({ failed: false, output: '[[{"id":1}],[{"id":1}]]' })
    })
  )

  it.scoped("a server whose CA is not given is named, with the option that gives it, and nothing was sent", () =>
    Effect.gen(function* () {
      const { port, seen } = yield* serveTls(server)
      const error = yield* told(`https://127.0.0.1:${port}`, { ca: others.cert })
      expect(error).toMatchObject({ failure: "tls", code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE", mayHaveExecuted: false })
      expect(error.message).toContain("give its CA in DB_POOL_CA")
      expect(seen).toEqual([])
    })
  )

  it.scoped("a certificate for another name is refused, whoever signed it, and the error says so", () =>
    Effect.gen(function* () {
      const { port } = yield* serveTls(ours.sign("elsewhere", { hosts: ["elsewhere.invalid"] }))
      const error = yield* told(`https://127.0.0.1:${port}`, { ca: ours.cert })
      expect(error).toMatchObject({ failure: "tls", code: "ERR_TLS_CERT_ALTNAME_INVALID", mayHaveExecuted: false })
      expect(error.message).toContain("The certificate is for another name")
    })
  )

  it.scoped("a certificate that has ended is refused, whoever signed it, and the clock is named", () =>
    Effect.gen(function* () {
      const { port } = yield* serveTls(ours.sign("late", { hosts: ["127.0.0.1"], days: -1 }))
      const error = yield* told(`https://127.0.0.1:${port}`, { ca: ours.cert })
      expect(error).toMatchObject({ failure: "tls", code: "CERT_HAS_EXPIRED", mayHaveExecuted: false })
      expect(error.message).toContain("Check the clock of this machine")
    })
  )
})

describe("a client certificate", () => {
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    it.scoped(`a server of ${maxVersion} that asks for a client certificate is shown the one that is given`, () =>
      Effect.gen(function* () {
        const { port, seen } = yield* serveTls({ ...demanding, maxVersion })
        const rows = yield* Effect.provide(
          insert,
          withOptions(`https://127.0.0.1:${port}`, { ca: ours.cert, ...shown })
        )
        expect(rows).toEqual([{ id: 1 }])
        expect(seen).toMatchObject([{ client: "CN=a pool" }])
      })
    )

    it.scoped(
      `a server of ${maxVersion} is shown no client certificate: the option is named, and nothing was sent`,
      () =>
        Effect.gen(function* () {
          const { port, seen } = yield* serveTls({ ...demanding, maxVersion })
          const error = yield* told(`https://127.0.0.1:${port}`, { ca: ours.cert })
          expect(error).toMatchObject({ _tag: "ConnectionFailed", failure: "tls", mayHaveExecuted: false })
          expect(error.message).toContain("DB_POOL_CLIENT_CERT")
          expect(seen).toEqual([])
        })
    )
  }
})

describe("behind a proxy", () => {
  it.scoped("both go to the server inside of the tunnel, and the proxy is told the login and nothing else", () =>
    Effect.gen(function* () {
      const { port, seen } = yield* serveTls(demanding)
      const proxy = yield* serveProxy(port)
      const password = secret("login")
      const rows = yield* Effect.provide(
        Effect.all([read, insert]),
        withOptions("https://db.invalid", {
          proxy: `http://user:${password}@127.0.0.1:${proxy.port}`,
          ca: ours.cert,
          ...shown
        })
      )
      expect(rows).toEqual([[{ id: 1 }], [{ id: 1 }]])
      expect(seen).toMatchObject([{ client: "CN=a pool" }, { client: "CN=a pool" }])
      const authorization = `Basic ${Buffer.from(`user:${password}`).toString("base64")}`
      expect(proxy.seen[0]).toEqual({ to: "db.invalid:443", authorization })
    })
  )

  it.scoped("a proxy of https is trusted by the CA that is given, and is shown the certificate that it asks for", () =>
    Effect.gen(function* () {
      const { port, seen } = yield* serveTls(demanding)
      const proxy = yield* serveProxy(port, demanding)
      const options = { proxy: `https://127.0.0.1:${proxy.port}`, ca: ours.cert, ...shown }
      expect(yield* Effect.provide(insert, withOptions("https://db.invalid", options))).toEqual([{ id: 1 }])
      expect(seen).toMatchObject([{ client: "CN=a pool" }])
      expect(proxy.seen[0]?.to).toBe("db.invalid:443")
    })
  )

  const url = "https://db.invalid"
  it.scoped("a proxy of https that nobody vouches for is named as such, with the option", () =>
    Effect.gen(function* () {
      const { port } = yield* serveTls(server)
      const proxy = `https://127.0.0.1:${(yield* serveProxy(port, others.sign("a proxy", { hosts: ["127.0.0.1"] }))).port}`
      const error = yield* told(url, { proxy, ca: ours.cert })
      expect(error).toMatchObject({ failure: "proxy", code: "PROXY_UNABLE_TO_VERIFY_LEAF_SIGNATURE" })
      expect(error.message).toContain("no trusted TLS connection to the proxy itself")
      expect(error.message).toContain(`through the proxy ${proxy}`)
      expect(error.message).toContain("DB_POOL_CA")
    })
  )

  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    it.scoped(`a proxy of https with ${maxVersion} that lacks our certificate is named as such, with the option`, () =>
      Effect.gen(function* () {
        const { port } = yield* serveTls(server)
        const proxy = `https://127.0.0.1:${(yield* serveProxy(port, { ...demanding, maxVersion })).port}`
        const error = yield* told(url, { proxy, ca: ours.cert })
        expect(error).toMatchObject({ failure: "proxy", mayHaveExecuted: false })
        expect(error.message).toContain("no trusted TLS connection to the proxy itself")
        expect(error.message).toContain("DB_POOL_CLIENT_CERT")
      })
    )
  }

  it.scoped("a server behind it that nobody vouches for is named, and both the proxy and the option", () =>
    Effect.gen(function* () {
      const { port } = yield* serveTls(others.sign("a company's proxy", { hosts: ["db.invalid"] }))
      const proxy = `http://127.0.0.1:${(yield* serveProxy(port)).port}`
      const error = yield* told(url, { proxy, ca: ours.cert })
      expect(error).toMatchObject({ failure: "tls", mayHaveExecuted: false })
      expect(error.message).toContain(`no trusted TLS connection to ${url} through the proxy ${proxy}`)
      expect(error.message).toContain("DB_POOL_CA")
    })
  )
})
