/** What a server, a gateway and a tracer are told of who asks. Real sockets, a real server. */
import { channel } from "node:diagnostics_channel"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, Option, Redacted } from "effect"
import * as fc from "effect/FastCheck"
import { load } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { configuration, connection } from "../../src/internal/cli/findings.js"
import { keySources, plainHttp } from "../../src/internal/config/supabase.js"
import { version } from "../../src/internal/shared/version.js"
import { type Answer, against, json, layer, problem, serve } from "../support/httpServer.js"

const rows: Answer = (response) => json(response, [])

const newKeys = { anonKey: "sb_publishable_never-printed", serviceRoleKey: "sb_secret_never-printed" }

const read = Db.read((client) => client.from("products").select("id"))

const onClient = (use: (client: Parameters<Parameters<typeof Db.read>[0]>[0]) => PromiseLike<unknown>) =>
  Db.write((client) => Effect.promise(async () => use(client)))

describe("User-Agent", () => {
  it.live("names the package and its version in every request: rows, files, functions and pings", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve(rows)
        yield* Effect.gen(function* () {
          yield* read
          yield* onClient((client) => client.storage.listBuckets())
          yield* onClient((client) => client.functions.invoke("f"))
          yield* server.until(() => server.pings.length > 0)
        }).pipe(Effect.provide(layer(server.url, { keepaliveInterval: 20 })))
        expect(server.seen.length).toBe(3)
        for (const { headers } of [...server.seen, ...server.pings]) {
          expect(headers["user-agent"]).toBe(`effect-supabase-pool/${version}`)
        }
        for (const { headers } of server.pings) expect(headers["x-supabase-pool"]).toBe("ping")
        for (const { headers } of server.seen) expect(headers["x-supabase-pool"]).toBeUndefined()
      })
    )
  )

  it.effect("is the caller's own where it has one", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        yield* Db.read((client) => client.from("products").select("id").setHeader("User-Agent", "mine/1"))
        yield* onClient((client) => client.functions.invoke("f", { headers: { "User-Agent": "mine/2" } }))
        expect(server.seen.map(({ headers }) => headers["user-agent"])).toEqual(["mine/1", "mine/2"])
      })
    )
  )
})

describe("keys of today", () => {
  it.effect("functions get the key alone, and database and storage also as a bearer", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve(rows)
        yield* Effect.gen(function* () {
          yield* onClient((client) => client.from("products").select("id"))
          yield* onClient((client) => client.storage.listBuckets())
          yield* onClient((client) => client.functions.invoke("f"))
          yield* Db.withAccessToken("a.user.token-never-printed")(onClient((client) => client.functions.invoke("f")))
        }).pipe(Effect.provide(layer(server.url, {}, newKeys)))
        const both = { apikey: newKeys.serviceRoleKey, authorization: `Bearer ${newKeys.serviceRoleKey}` }
        expect(server.seen.map(({ headers: { apikey, authorization } }) => ({ apikey, authorization }))).toEqual([
          both,
          both,
          { apikey: newKeys.serviceRoleKey, authorization: undefined },
          { apikey: expect.stringMatching(/^sb_/), authorization: "Bearer a.user.token-never-printed" }
        ])
      })
    )
  )

  it.effect("a legacy key is a token, and functions get it as one", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        yield* onClient((client) => client.functions.invoke("f"))
        expect(server.seen[0]?.headers.authorization).toMatch(/^Bearer /)
      })
    )
  )

  it.effect("where one is refused, check says where it came from, and which variable holds another", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve((response) => problem(response, 401, "PGRST301"))
        const sources = keySources(
          new Map([
            ["SUPABASE_PUBLISHABLE_KEY", newKeys.anonKey],
            ["SUPABASE_ANON_KEY", "legacy-never-printed"],
            ["NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY", newKeys.anonKey],
            ["SUPABASE_SECRET_KEY", newKeys.serviceRoleKey]
          ])
        )
        const found = yield* connection(server.url, sources).pipe(Effect.provide(layer(server.url)))
        const remedies = new Map(found.map(({ name, remedy }) => [name, remedy]))
        expect(remedies.get("anon key")).toBe(
          "Check SUPABASE_PUBLISHABLE_KEY, where the key comes from. SUPABASE_ANON_KEY holds another: if your project accepts that one, unset SUPABASE_PUBLISHABLE_KEY."
        )
        expect(remedies.get("service-role key")).toBe("Check SUPABASE_SECRET_KEY, where the key comes from.")
      })
    )
  )
})

describe("traceparent", () => {
  const theirs = "00-11111111111111111111111111111111-2222222222222222-01"
  const instrumented = (add: boolean) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const listener = (message: unknown): void => {
          const request: unknown =
            typeof message === "object" && message !== null ? Reflect.get(message, "request") : {}
          const addHeader: unknown = Reflect.get(Object(request), "addHeader")
          if (add && typeof addHeader === "function") addHeader.call(request, "traceparent", theirs)
        }
        channel("undici:request:create").subscribe(listener)
        return listener
      }),
      (listener) => Effect.sync(() => channel("undici:request:create").unsubscribe(listener))
    )
  const sentWith = (add: boolean) =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve(rows)
        yield* instrumented(add)
        yield* Effect.withSpan(read, "request").pipe(Effect.zipRight(read), Effect.provide(layer(server.url)))
        return server.seen.map(({ headers }) => headers["traceparent"])
      })
    )

  it.effect("is one where an instrumentation of undici adds its own, inside a span and outside", () =>
    Effect.gen(function* () {
      // Node joins what it is sent twice.
      expect(yield* sentWith(true)).toEqual([theirs, theirs])
    })
  )

  it.effect("is the span's where somebody listens who adds none", () =>
    Effect.gen(function* () {
      const [inside, outside] = yield* sentWith(false)
      expect(inside).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
      expect(outside).toBeUndefined()
    })
  )
})

describe("http without TLS", () => {
  const local = [
    "localhost",
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "kong",
    "db.internal",
    "[::1]",
    "[fd00::1]"
  ]
  const remote = ["abc.supabase.co", "8.8.8.8", "172.32.0.1", "11.0.0.1", "db.example.internal.com", "[2001:db8::1]"]

  it("is warned of where the host is not local", () => {
    for (const host of local) expect([host, plainHttp(`http://${host}:8000`)]).toEqual([host, Option.none()])
    for (const host of remote) expect([host, Option.isSome(plainHttp(`http://${host}`))]).toEqual([host, true])
    fc.assert(fc.property(fc.domain(), (host) => Option.isNone(plainHttp(`https://${host}`))))
  })

  const urlOf = (url: string) => ({ url, anonKey: Redacted.make("a"), serviceRoleKey: Redacted.make("b") })

  it.effect("check warns of it, and it is no mistake", () =>
    Effect.gen(function* () {
      const loaded = yield* load
      const found = configuration({ ...loaded, supabase: Option.some(urlOf("http://db.example.com")) })
      expect(found.filter(({ warning }) => warning)).toEqual([
        {
          name: "address",
          ok: true,
          warning: true,
          detail: "http to db.example.com, which is not local: the keys and every row cross the network unencrypted",
          remedy: "SUPABASE_URL: give an address that begins with https://."
        }
      ])
      expect(configuration({ ...loaded, supabase: Option.some(urlOf("http://127.0.0.1:1")) })).toHaveLength(1)
    })
  )

  it.effect("the log warns of it once", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void said.push(String(message)))
      )
      // 192.0.2.1 is nobody's (RFC 5737).
      yield* Effect.scoped(Layer.build(Layer.provide(layer("http://192.0.2.1:1"), logger)))
      expect(said.filter((line) => line.includes("unencrypted"))).toHaveLength(1)
    })
  )
})
