/** `withAccessToken` of the Promise API: whose token goes out, when it is asked for, and what has no more rights than it. */
import { AsyncLocalStorage } from "node:async_hooks"
import { createClient } from "@supabase/supabase-js"
import { afterEach, describe, expect, it } from "vitest"
import { NoRealtime } from "../../src/internal/connection/supabaseClient.js"
import type { Members, PrivateDatabase } from "../../src/promise.js"
import { type Answer, type Asked, asked, reply } from "../support/asked.js"
import { as, embedded, ids, userToken } from "../support/embedded.js"
import { type Options, smallDatabase } from "../support/smallDatabase.js"

const closers: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const anonKey = "anon-key-never-printed"
const serviceRoleKey = "service-key-never-printed"

const database = (url: string, options: Options = {}): PrivateDatabase => {
  const made = smallDatabase({ url, anonKey, serviceRoleKey }, options)
  closers.push(() => made.close())
  return made
}

const server = async (answer: Answer = () => []): Promise<Asked> => {
  const made = await asked(answer)
  closers.push(made.close)
  return made
}

const bearers = ({ seen }: Asked): ReadonlyArray<string | undefined> => seen.map(({ headers }) => headers.authorization)

/** One row of whatever is asked for, and what a transaction answers. */
const rowAnswer: Answer = ({ headers, path, query }) => {
  if (path.endsWith("supabase_pool_transaction")) return { replayed: false, results: [[]] }
  if (path.includes("/rpc/")) return []
  if (query.get("offset") === "1") return []
  const row = { id: 1, name: "n" }
  return headers.accept?.includes("vnd.pgrst.object") === true ? row : [row]
}

type Way = (db: Members, url: string) => Promise<unknown>

const drained = async (rows: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of rows);
}

/** Every member that sends something. */
const ways: Readonly<Record<string, Way>> = {
  "executeWithPool, a read": (db) => db.executeWithPool((client) => client.from("t").select("*")),
  "executeWithPool, a write": (db) => db.executeWithPool((client) => client.from("t").insert({ a: 1 }), "write"),
  "read of getPooledClient": (db) => db.getPooledClient().read((client) => client.from("t").select("*")),
  "write of getPooledClient": (db) => db.getPooledClient().write((client) => client.from("t").insert({ a: 1 })),
  "rpc by POST": (db) => db.rpc("f", { a: 1 }),
  "rpc by GET": (db) => db.rpc("f", { a: 1 }, { get: true }),
  stream: (db) => drained(db.stream((client) => client.from("t").select("*").order("id"), { pageSize: 1 })),
  "a transaction": (db) => db.db.transaction([(client) => client.from("t").insert({ a: 1 })]),
  "table.get": (db) => db.table("t", { as: "service" }).get(1),
  "table.find": (db) => db.table("t").find(1),
  "table.getMany": (db) => db.table("t").getMany([1]),
  "table.list": (db) => db.table("t", { as: "service" }).list(),
  "table.search": (db) => db.table("t", { search: ["name"] }).search({ query: "n" }),
  "table.page": (db) => db.table("t", { as: "service" }).page({ limit: 1 }),
  "table.count": (db) => db.table("t", { as: "service" }).count(),
  "table.stream": (db) => drained(db.table("t", { as: "service" }).stream({ pageSize: 1 })),
  "table.create": (db) => db.table("t").create({ name: "n" }),
  "table.createMany": (db) => db.table("t").createMany([{ name: "n" }]),
  "table.update": (db) => db.table("t").update(1, { name: "n" }),
  "table.updateMany": (db) => db.table("t").updateMany({ name: "n" }, { name: "m" }),
  "table.upsert": (db) => db.table("t").upsert({ id: 1, name: "n" }),
  "table.remove": (db) => db.table("t").remove(1),
  "table.removeMany": (db) => db.table("t").removeMany({ name: "n" }),
  "the marketplace's hidden tables": (db) => db.db.orders.count(),
  "the marketplace's reports": (db) => db.db.analytics.get("sales"),
  "pooledFetch of the database": (db, url) =>
    db.pooledFetch(`${url}/rest/v1/t`, { headers: { apikey: "k", authorization: "Bearer somebody-with-more-rights" } }),
  "pooledFetch of the database, by POST": (db, url) =>
    db.pooledFetch(`${url}/rest/v1/t`, { method: "POST", body: "{}" }),
  "pooledFetch of another service": (db, url) =>
    db.pooledFetch(
      new Request(`${url}/auth/v1/user`, { headers: { authorization: "Bearer somebody-with-more-rights" } })
    ),
  "a connection by hand": async (db) => {
    const pool = db.getConnectionPool()
    const connection = await pool.getConnection("write")
    await connection.client.from("t").select("*")
    pool.releaseConnection(connection)
  }
}

describe("with a user's token, everything is sent as that user", () => {
  for (const [what, way] of Object.entries(ways)) {
    it(`${what}: by a token and by a function for it, warm and cold`, async () => {
      const there = await server(rowAnswer)
      const db = database(there.url)
      for (const token of ["token-of-alice", () => "token-of-alice", async () => "token-of-alice"]) {
        const before = there.seen.length
        await way(db.withAccessToken(token), there.url)
        await way(db.withAccessToken(token), there.url)
        const sent = bearers(there).slice(before)
        expect(sent.length).toBeGreaterThanOrEqual(2)
        expect(new Set(sent)).toEqual(new Set(["Bearer token-of-alice"]))
      }
      expect(db.getConnectionPool().getMetrics().activeConnections).toBe(0)
    })
  }

  it("and the members without it are what they were, at the same time on the same sockets", async () => {
    const there = await server(rowAnswer)
    const db = database(there.url, { maxConnections: 2 })
    const users = ["a", "b", "c"].map((name) => db.withAccessToken(`token-of-${name}`))
    const read = (some: Members) => some.executeWithPool((client) => client.from("t").select("*"))
    await Promise.all([db, ...users, db, ...users].map(read))
    const sent = bearers(there)
    for (const bearer of ["token-of-a", "token-of-b", "token-of-c", anonKey]) {
      expect(sent.filter((each) => each === `Bearer ${bearer}`)).toHaveLength(2)
    }
    expect(there.seen.every(({ headers }) => headers["apikey"] === anonKey)).toBe(true)
  })

  it("and of two, the inner one holds", async () => {
    const there = await server()
    const db = database(there.url).withAccessToken("outer").withAccessToken("inner")
    await db.executeWithPool((client) => client.from("t").select("*"))
    expect(bearers(there)).toEqual(["Bearer inner"])
  })

  it("and a connection that the user took may be released by who shares the pool", async () => {
    const there = await server()
    const db = database(there.url)
    const connection = await db.withAccessToken("alice").getConnectionPool().getConnection()
    db.getConnectionPool().releaseConnection(connection)
    expect(db.getConnectionPool().getMetrics().activeConnections).toBe(0)
  })

  it("and gets at the same time never share a request with another's, even where one function serves both", async () => {
    const there = await server(({ headers }) => [{ id: 1, owner: headers.authorization }])
    const who = new AsyncLocalStorage<string>()
    const mine = database(there.url).withAccessToken(async () => `token-of-${who.getStore()}`)
    const table = mine.table("t")
    const names = Array.from({ length: 30 }, (_, n) => `user-${n}`)
    const rows = await Promise.all(names.map((name) => who.run(name, () => table.get(1))))
    expect(rows.map((row) => row["owner"])).toEqual(names.map((name) => `Bearer token-of-${name}`))
  })
})

describe("a function for the token", () => {
  it("is asked when the request is sent, and not while it waits for a connection", async () => {
    const there = await server((question, response) =>
      question.path.endsWith("slow") ? void setTimeout(() => reply(response, []), 60) : []
    )
    const db = database(there.url, { maxConnections: 2 })
    let token = "expired"
    const slow = db.executeWithPool((client) => client.from("slow").select("*"))
    const queued = db.withAccessToken(() => token).executeWithPool((client) => client.from("t").select("*"))
    await there.times(1)
    token = "fresh"
    await Promise.all([slow, queued])
    expect(bearers(there)).toEqual([`Bearer ${anonKey}`, "Bearer fresh"])
  })

  it("is asked anew for each attempt and for each page", async () => {
    let asks = 0
    const there = await server(({ query }, response) => {
      if (asks > 2) return query.get("offset") === "2" ? [] : [{ id: asks }]
      reply(response, { code: "PGRST001", message: "no connection", details: null, hint: null }, 503)
      return undefined
    })
    const db = database(there.url).withAccessToken(() => {
      asks += 1
      return `token-${asks}`
    })
    await db.executeWithPool((client) => client.from("t").select("*"))
    expect(bearers(there)).toEqual(["Bearer token-1", "Bearer token-2", "Bearer token-3"])
    await drained(db.stream((client) => client.from("t").select("*").order("id"), { pageSize: 1 }))
    expect(bearers(there).slice(3)).toEqual(["Bearer token-4", "Bearer token-5", "Bearer token-6"])
  })

  it("that gives no text sends nothing, whatever it gives", async () => {
    const there = await server()
    const db = database(there.url)
    for (const wrong of [undefined, null, 7, {}, "", "two words", "line\nbreak", "\u0000", "t\u00f6ken"]) {
      for (const given of [wrong, Promise.resolve(wrong)]) {
        const mine = Reflect.apply(db.withAccessToken, db, [() => given])
        for (const [what, way] of Object.entries(ways)) {
          const told = way(mine, there.url)
          // What is sent on one is answered by supabase-js, which does not throw.
          if (what === "a connection by hand") await told.catch(() => {})
          else await expect(told, what).rejects.toMatchObject({ code: "INVALID_TOKEN" })
        }
      }
    }
    expect(there.seen).toEqual([])
    expect(db.getConnectionPool().getMetrics().activeConnections).toBe(0)
  })

  it("that throws or rejects: the operation rejects with that, once, and nothing is sent", async () => {
    const there = await server()
    const db = database(there.url)
    const mine = new Error("nobody is signed in")
    let asks = 0
    const ask: ReadonlyArray<() => string | Promise<string>> = [
      () => {
        asks += 1
        throw mine
      },
      async () => {
        asks += 1
        throw mine
      }
    ]
    for (const token of ask) {
      for (const way of Object.values(ways)) {
        await expect(way(db.withAccessToken(token), there.url)).rejects.toBe(mine)
      }
    }
    // A page of a table asks twice at the same time, for its rows and for how many there are.
    expect(asks).toBeLessThanOrEqual(2 * Object.keys(ways).length + 2)
    expect(there.seen).toEqual([])
    expect(db.getConnectionPool().getMetrics().activeConnections).toBe(0)
  })

  it("that never ends: the operation ends after requestTimeout, and its connection serves the next", async () => {
    const there = await server()
    const db = database(there.url, { maxConnections: 2, requestTimeout: 50, maxRetries: 0 })
    const never = db.withAccessToken(() => new Promise(() => {}))
    const error: unknown = await never
      .executeWithPool((client) => client.from("t").select("*"))
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: "INVALID_TOKEN", mayHaveExecuted: false })
    expect(String(error)).toContain("within 50 ms")
    await expect(never.pooledFetch(`${there.url}/rest/v1/t`)).rejects.toMatchObject({ code: "INVALID_TOKEN" })
    await db.executeWithPool((client) => client.from("t").select("*"))
    expect(bearers(there)).toEqual([`Bearer ${anonKey}`])
  })

  it("that is waited for is given up when the caller's signal aborts", async () => {
    const there = await server()
    const db = database(there.url, { maxConnections: 2 })
    const never = db.withAccessToken(() => new Promise(() => {}))
    const controller = new AbortController()
    const waiting = never.pooledFetch(`${there.url}/rest/v1/t`, { signal: controller.signal })
    setTimeout(() => controller.abort(new Error("gone")), 5)
    await expect(waiting).rejects.toThrow("gone")
    await db.executeWithPool((client) => client.from("t").select("*"))
    expect(there.seen).toHaveLength(1)
  })
})

describe("a token", () => {
  it("that no header can carry sends nothing, and is in no error", async () => {
    const there = await server()
    const db = database(there.url)
    for (const token of ["", "a b", "a\r\nx-role: service", "a\u0000", "…"]) {
      const error: unknown = await db
        .withAccessToken(token)
        .executeWithPool(async (client) => {
          const { error } = await client.from("t").select("*")
          if (error) throw error
        })
        .catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ _tag: "QueryError", code: "INVALID_TOKEN" })
      if (token.length > 1) expect(String(error)).not.toContain(token)
    }
    expect(there.seen).toEqual([])
  })

  it("that is none is refused at once, by its kind", () => {
    const db = database("http://127.0.0.1:1")
    for (const wrong of [undefined, null, 7, {}, []]) {
      expect(() => Reflect.apply(db.withAccessToken, db, [wrong])).toThrow(/^withAccessToken: .* is no access token/)
    }
  })

  it("that has expired is the database's error, is not tried again, and nothing was executed", async () => {
    const there = await server((_, response) =>
      reply(response, { code: "PGRST303", message: "JWT expired", details: null, hint: null }, 401)
    )
    const db = database(there.url).withAccessToken("expired")
    await expect(db.table("t").list()).rejects.toMatchObject({ code: "PGRST303", status: 401, mayHaveExecuted: false })
    await expect(db.rpc("f")).rejects.toMatchObject({ code: "PGRST303", isTransient: false })
    expect(there.seen).toHaveLength(2)
  })
})

describe("the fetch of a user", () => {
  it("takes whatever fetch takes, and sends it with the user's token", async () => {
    const there = await server()
    const mine = database(there.url).withAccessToken(async () => "token-of-alice").pooledFetch
    const address = `${there.url}/rest/v1/t`
    const form = new FormData()
    form.set("name", "a form")
    const stream = new Blob(["a stream"]).stream()
    await mine(new Request(address, { method: "POST", body: "a request", headers: { authorization: "Bearer other" } }))
    await mine(address, { method: "POST", body: form })
    await mine(new URL(address), { method: "POST", body: stream, duplex: "half" } as RequestInit)
    await mine(address, { headers: new Headers({ Authorization: "Bearer other", apikey: "k" }) })
    await mine(address, { headers: [["AUTHORIZATION", "Bearer other"]] })
    expect(bearers(there)).toEqual(Array.from({ length: 5 }, () => "Bearer token-of-alice"))
    expect(there.seen.slice(0, 3).map(({ body }) => /a request|a form|a stream/.exec(body)?.[0])).toEqual([
      "a request",
      "a form",
      "a stream"
    ])
  })

  it("refuses another host by name, asks nobody for a token, and sends nothing", async () => {
    const there = await server()
    let asks = 0
    const mine = database(there.url).withAccessToken(() => {
      asks += 1
      return "token-of-alice"
    }).pooledFetch
    for (const path of ["/rest/v1/t", "/auth/v1/user"]) {
      await expect(mine(`http://other.example${path}`)).rejects.toThrow("http://other.example")
    }
    expect([asks, there.seen.length]).toEqual([0, 0])
  })
})

describe("on a database with row level security", () => {
  it("each of 30 users at once sees their own rows through each member, and changes no other's", async () => {
    const { anonKey, serviceRoleKey, url } = embedded
    const db = database(url, { anonKey, serviceRoleKey, maxConnections: 6, connectionTimeout: 30_000 })
    const users = Array.from({ length: 30 }, (_, n) => `cccc${String(n).padStart(4, "0")}-0000-4000-8000-0000f0e7c401`)
    const { error } = await as
      .service()
      .from("users")
      .insert(users.map((id, n) => ({ id, email: `promise-${n}@example.com`, name: `User ${n}`, role: "buyer" })))
    expect(error).toBeNull()
    closers.push(async () => void (await as.service().from("users").delete().in("id", users)))
    await Promise.all(
      users.map(async (id, n) => {
        const mine = db.withAccessToken(n % 2 === 0 ? userToken(id) : async () => userToken(id))
        const table = mine.table("users", { as: "service", columns: ["id", "name"] })
        const other = users[(n + 1) % users.length] ?? ""
        expect(await table.list()).toEqual([{ id, name: `User ${n}` }])
        expect(await table.count()).toBe(1)
        expect(await table.find(other)).toBeUndefined()
        expect(await mine.executeWithPool(async (client) => (await client.from("users").select("id")).data)).toEqual([
          { id }
        ])
        const seen: Array<unknown> = []
        for await (const row of mine.stream((client) => client.from("users").select("id").order("id"))) seen.push(row)
        expect(seen).toEqual([{ id }])
        await expect(table.update(other, { name: "stolen" })).rejects.toMatchObject({ _tag: "RowNotFound" })
        const client = createClient(url, anonKey, {
          global: { fetch: mine.pooledFetch },
          realtime: { transport: NoRealtime }
        })
        expect((await client.from("users").select("id")).data).toEqual([{ id }])
      })
    )
    expect(
      await db
        .withAccessToken(userToken(ids.user(2)))
        .table("users", { columns: ["id"] })
        .list()
    ).toEqual([{ id: ids.user(2) }])
  })
})
