/** Names, ids, tokens and headers from outside: none makes another request of the one that the program wrote. */
import { describe, expect, it, layer as withLayer } from "@effect/vitest"
import { Effect, FastCheck, Layer, Schema } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { SharedSupabase } from "../support/embedded.js"
import { against, anonKey, failureOf, json, type Seen } from "../support/httpServer.js"
import { shows } from "../support/reliability.js"

/** Pieces that mean something to somebody between here and the rows. */
const pieces = [
  ..."/\\.?#&=%:;,'\"`()[]{}*|<>@ \t\r\n\0",
  ...["..", "../", "//", "%2e%2e%2f", "%2F", "%0d%0a", "\r\nx-evil: 1", "\r\n\r\nDELETE /rest/v1/a HTTP/1.1\r\n\r\n"],
  ...["rest/v1", "rpc/", "auth/v1", "id=eq.1", "select=*", "or=(", "not.", "http://evil.invalid", "ü", "\u2028"],
  ...["__proto__", "constructor", "toString", "a", "public", "Host", "x-http-method-override"]
]

const hostile = FastCheck.array(FastCheck.constantFrom(...pieces), { minLength: 1, maxLength: 6 }).map((parts) =>
  parts.join("")
)

/** What a read sends; whatever else arrives was put in from outside. */
const usual = [
  "accept-encoding",
  "accept-profile",
  "apikey",
  "authorization",
  "connection",
  "host",
  "user-agent",
  "x-client-info"
]

/** The query's parameters as the database takes them apart. */
const parameters = ({ url }: Seen): ReadonlyArray<readonly [string, string]> => [
  ...new URL(url, "http://server").searchParams
]

/** What a filter compares with. */
const valuesOf = (filter: string): ReadonlyArray<string> =>
  filter.startsWith("eq.")
    ? [filter.slice(3)]
    : [...filter.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, text = ""]) => text.replaceAll(/\\(.)/gs, "$1"))

type Read = (text: string) => Effect.Effect<unknown, unknown, Db.ReadDb | Db.Db>

/** For any text: what arrives, if anything does, is one GET of the table with the key, and what `check` says. */
const holds = (read: Read, check: (seen: Seen, text: string) => void) =>
  against((response) => json(response, []))((server) =>
    Effect.gen(function* () {
      const context = yield* Effect.context<Db.Provided>()
      const property = FastCheck.asyncProperty(hostile, async (text) => {
        const before = server.seen.length
        await Effect.runPromiseExit(Effect.provide(read(text), context))
        const arrived = server.seen.slice(before)
        expect(arrived.length).toBeLessThanOrEqual(1)
        for (const seen of arrived) {
          expect([seen.method, seen.headers.host, seen.body.length]).toEqual(["GET", `127.0.0.1:${server.port}`, 0])
          expect(seen.headers["apikey"]).toBe(anonKey)
          check(seen, text)
        }
      })
      yield* Effect.promise(() => FastCheck.assert(property, { numRuns: 300 }))
      expect(server.seen.length).toBeGreaterThan(0)
      // Nothing that a request carried was left on its socket for the next to begin with.
      yield* Db.read((client) => client.from("a").select("id"))
      expect(server.seen.at(-1)?.url).toBe("/rest/v1/a?select=id")
    })
  )

const usualHeaders = ({ headers }: Seen): void => expect(Object.keys(headers).sort()).toEqual(usual)

/** White space around a header's value is no part of it (Fetch standard, normalize). */
const withoutPadding = (text: string): string => text.replaceAll(/^[\t\n\r ]+|[\t\n\r ]+$/g, "")

/** In the path as it is, and as a server sees it that decodes it first. */
const inside = ({ url }: Seen): void => {
  const path = url.split("?", 1)[0] ?? ""
  expect(path).toMatch(/^\/rest\/v1\//)
  const decoded = path.replaceAll(/%2e/gi, ".").replaceAll(/%2f/gi, "/").replaceAll(/%5c/gi, "/")
  expect(new URL(decoded, "http://server").pathname).toMatch(/^\/rest\/v1\//)
}

const notes = Db.table("notes", Schema.Struct({ id: Schema.String, body: Schema.String }), { search: ["body"] })

describe("text from outside", () => {
  it.effect("as the name of a table stays in the database's API", (context) =>
    holds(
      (text) => Db.read((client) => client.from(text).select("id")),
      (seen) => {
        usualHeaders(seen)
        inside(seen)
      }
    ).pipe(
      Effect.tap(() =>
        shows(context, {
          kind: "promise",
          section: "Security",
          what: "any text as the name of a table: what is sent, if anything, is one GET inside of `/rest/v1/`, also where dots and slashes are in code"
        })
      )
    )
  )

  it.effect("as the name of a function stays in the database's API", () =>
    holds(
      (text) => Db.rpc(text, {}, { get: true }),
      (seen) => {
        usualHeaders(seen)
        inside(seen)
      }
    )
  )

  it.effect("as the name of a schema is one header, or is not sent", () =>
    holds(
      (text) => Db.read((client) => client.schema(text).from("a").select("id")),
      (seen, text) => {
        usualHeaders(seen)
        expect(seen.headers["accept-profile"]).toBe(withoutPadding(text))
        expect(seen.url).toBe("/rest/v1/a?select=id")
      }
    )
  )

  it.effect("as a token is the token and nothing else, or is not sent", (context) =>
    holds(
      (text) => Db.withAccessToken(text)(Db.read((client) => client.from("a").select("id"))),
      (seen, text) => {
        usualHeaders(seen)
        expect(seen.headers.authorization).toBe(`Bearer ${text}`)
        expect(seen.url).toBe("/rest/v1/a?select=id")
      }
    ).pipe(
      Effect.tap(() =>
        shows(context, {
          kind: "promise",
          section: "Security",
          what: "any text as a token: it is sent as the token and nothing else, or nothing is sent"
        })
      )
    )
  )

  it.effect("as a header's value is in that header only, or is not sent", () =>
    holds(
      (text) => Db.read((client) => client.from("a").select("id").setHeader("x-note", text)),
      (seen) => {
        expect(Object.keys(seen.headers).filter((name) => !usual.includes(name))).toEqual(["x-note"])
        expect(seen.url).toBe("/rest/v1/a?select=id")
      }
    )
  )

  it.effect("as a header's name is one header, or is not sent", () =>
    holds(
      (text) => Db.read((client) => client.from("a").select("id").setHeader(text, "1")),
      (seen, text) => {
        const others = Object.keys(seen.headers).filter((name) => !usual.includes(name))
        // Node's own object of headers cannot hold that name.
        if (text !== "__proto__") expect(others).toEqual(usual.includes(text.toLowerCase()) ? [] : [text.toLowerCase()])
        expect(seen.url).toBe("/rest/v1/a?select=id")
      }
    )
  )

  it.effect("as an id is one value of one parameter", (context) =>
    holds(
      (text) => notes.get(text),
      (seen, text) => {
        usualHeaders(seen)
        const [select, [name, value] = ["", ""], ...more] = parameters(seen)
        expect([select, name, more]).toEqual([["select", "id,body"], "id", []])
        expect(valuesOf(value)).toEqual([text])
      }
    ).pipe(
      Effect.tap(() =>
        shows(context, {
          kind: "promise",
          section: "Security",
          what: "any text as an id: one value of one parameter"
        })
      )
    )
  )

  it.effect("as a column and its value is one parameter", () =>
    holds(
      (text) => Db.read((client) => client.from("a").select("id").eq(text, text)),
      (seen, text) =>
        expect(parameters(seen)).toEqual([
          ["select", "id"],
          [text, `eq.${text}`]
        ])
    )
  )

  it.effect("in a list and as what is searched for adds no parameter and no value", () =>
    holds(
      (text) => notes.list({ where: { id: [text, "b"] }, query: text, limit: 5 }),
      (seen, text) => {
        const all = new Map(parameters(seen))
        const known = ["select", "id", "body", "or", "and", "order", "limit", "offset"]
        expect([...all.keys()].filter((name) => !known.includes(name))).toEqual([])
        expect(parameters(seen).filter(([name]) => name === "id").length).toBe(1)
        // Beside what is in quotes the tree has the program's words only.
        const tree = (all.get("and") ?? all.get("or") ?? "()").replaceAll(/"(?:[^"\\]|\\.)*"/gs, "?")
        expect(tree).toMatch(/^(?:[(),]|and|or|body\.imatch\.\?)+$/)
        expect(valuesOf(all.get("id") ?? "")).toEqual([text, "b"])
        expect([all.get("select"), all.get("limit")]).toEqual(["id,body", "5"])
      }
    )
  )
})

describe("the name of a file", () => {
  it.effect.each(["../../../auth/v1/admin/users", "a/../../b", "..", "%2e%2e/x", "a%2f..%2fb", "..\\b"])(
    "%s does not lead out of its bucket",
    (name) =>
      against((response) => json(response, []))((server) =>
        Effect.gen(function* () {
          const write = yield* Pool.WritePool
          const { error } = yield* write.use(({ client }) =>
            Effect.promise(() => client.storage.from("pictures").upload(name, "text"))
          )
          expect(error?.message).toContain("the name of the file leads out of its bucket")
          expect(server.seen.length).toBe(0)
        })
      )
  )
})

describe("a header that would make another request of one", () => {
  it.effect("is refused before anything is sent, on both pools, by queries and functions", (context) =>
    against((response) => json(response, []))((server) =>
      Effect.gen(function* () {
        for (const name of ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "Host"]) {
          const operations: ReadonlyArray<Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>> = [
            Db.read((client) => client.from("a").select("id").setHeader(name, "DELETE")),
            Db.write((client) => client.from("a").insert({}).setHeader(name, "DELETE"))
          ]
          for (const operation of operations) {
            const error = yield* failureOf(operation)
            expect(error).toMatchObject({ _tag: "QueryError", code: "INVALID_REQUEST", mayHaveExecuted: false })
            expect(error.message).toContain(`the header ${name.toLowerCase()} could make another request of this one`)
          }
          const invoked = Effect.flatMap(Pool.ReadPool, (pool) =>
            pool.use(({ client }) =>
              Effect.promise(() => client.functions.invoke("f", { method: "GET", headers: { [name]: "DELETE" } }))
            )
          )
          expect(String((yield* invoked).error?.context)).toContain("INVALID_REQUEST")
        }
        expect(server.seen.length).toBe(0)
        shows(context, {
          kind: "promise",
          section: "Security",
          what: "`X-HTTP-Method-Override`, its like and `Host` are refused on both pools before anything is sent"
        })
      })
    )
  )

  it.effect.each(["Transfer-Encoding", "Upgrade", "Expect", "Keep-Alive"])(
    "%s is refused, and not repeated as if the connection had broken",
    (name) =>
      against((response) => json(response, []), { maxRetries: 2, retryDelay: 1 })((server) =>
        Effect.gen(function* () {
          const error = yield* failureOf(Db.read((client) => client.from("a").select("id").setHeader(name, "chunked")))
          expect(error).toMatchObject({ _tag: "QueryError", code: "INVALID_REQUEST", mayHaveExecuted: false })
          expect(server.seen.length).toBe(0)
        })
      )
  )

  it.effect("Content-Length is what the body has, so that no request begins inside of another", () =>
    against((response) => json(response, []))((server) =>
      Effect.gen(function* () {
        yield* Db.read((client) => client.from("a").select("id").setHeader("Content-Length", "40"))
        yield* Db.read((client) => client.from("b").select("id"))
        expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
          "GET /rest/v1/a?select=id",
          "GET /rest/v1/b?select=id"
        ])
        const error = yield* failureOf(
          Db.write((client) => client.from("a").insert({}).setHeader("Content-Length", "1"))
        )
        expect(error).toMatchObject({ _tag: "QueryError", code: "INVALID_REQUEST" })
      })
    )
  )
})

const Real = Db.layer.pipe(
  Layer.provide(SharedSupabase),
  Layer.provide(PoolConfig.layerOf({ minConnections: 1, maxConnections: 4, maxRetries: 0 }))
)

withLayer(Real)("a read connection", (it) => {
  it.effect("writes nothing by GET, whatever is preferred and whoever's key it has", (context) =>
    Effect.gen(function* () {
      const body = `by GET ${crypto.randomUUID()}`
      const written = yield* Db.write((client) => client.from("notes").insert({ body }).select("id, body"))
      const wishes = "tx=commit, return=representation, resolution=merge-duplicates, handling=lenient, missing=default"
      const reading = Db.read(
        (client) => client.from("notes").select("id, body").eq("body", body).setHeader("Prefer", wishes),
        { as: "service" }
      )
      expect(yield* reading).toEqual(written)
      const byName = Db.read(
        (client) => client.from("notes?_method=DELETE&method=DELETE").select("id").eq("body", body),
        { as: "service" }
      )
      expect((yield* failureOf(byName))._tag).toBe("QueryError")
      expect(yield* reading).toEqual(written)
      yield* Db.write((client) => client.from("notes").delete().eq("body", body))
      shows(context, {
        kind: "promise",
        section: "Security",
        what: "on a read connection neither `Prefer` nor `?_method=` makes a write of a GET, not with the service-role key either"
      })
    })
  )

  it.effect("calls functions by GET, which the database does in a transaction that cannot write", (context) =>
    Effect.gen(function* () {
      const body = `by GET ${crypto.randomUUID()}`
      const steps = JSON.stringify([
        { op: "insert", schema: "public", table: "notes", rows: [{ body }], columns: ["body"] }
      ])
      const args = { idempotency_key: crypto.randomUUID(), steps }
      const error = yield* failureOf(
        Db.read((client) => client.rpc("supabase_pool_transaction", args, { get: true }), { as: "service" })
      )
      expect(error).toMatchObject({ _tag: "QueryError", code: "25006", status: 405 })
      const { count } = yield* Db.response(
        (client) => client.from("notes").select("id", { count: "exact", head: true }).eq("body", body),
        { as: "service" }
      )
      expect(count).toBe(0)
      shows(context, {
        kind: "promise",
        section: "Security",
        what: "a function that is called by GET on a read connection runs in a read-only transaction: what writes is refused by the database (25006)"
      })
    })
  )
})
