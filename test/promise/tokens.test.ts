/** A token that a function gives, and that the server refuses: asked for once more, and the request sent once more. */
import { afterEach, describe, expect, it } from "vitest"
import { clientOn } from "../../src/internal/promise/client.js"
import { Host } from "../../src/internal/promise/host.js"
import { fromOptions } from "../../src/internal/promise/layers.js"
import type { Members, PrivateDatabase } from "../../src/promise.js"
import { type Answer, type Asked, asked, reply } from "../support/asked.js"
import { type Options, smallDatabase } from "../support/smallDatabase.js"

const closers: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const keys = { anonKey: "anon-key-never-printed", serviceRoleKey: "service-key-never-printed" }

const database = (url: string, options: Options = {}): PrivateDatabase => {
  const made = smallDatabase({ url, ...keys }, options)
  closers.push(() => made.close())
  return made
}

const server = async (answer: Answer): Promise<Asked> => {
  const made = await asked(answer)
  closers.push(made.close)
  return made
}

interface Refusal {
  readonly code: string
  readonly message: string
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

const expired: Refusal = { code: "PGRST303", message: "JWT expired" }

/** As PostgREST 16 refuses; a HEAD says why in its head alone. */
const refuse = (response: Parameters<Answer>[1], refusal: Refusal): undefined => {
  const { code, headers, message, status = 401 } = refusal
  response.writeHead(status, {
    "content-type": "application/json",
    "proxy-status": `PostgREST; error=${code}`,
    ...(status === 401 ? { "www-authenticate": `Bearer error="invalid_token", error_description="${message}"` } : {}),
    ...headers
  })
  response.end(JSON.stringify({ code, message, details: null, hint: null }))
  return undefined
}

const row = { id: 1, name: "n" }

const rowAnswer: Answer = ({ headers, path, query }) => {
  if (path.endsWith("supabase_pool_transaction")) return { replayed: false, results: [[]] }
  if (path.includes("/rpc/")) return []
  if (query.get("offset") === "1") return []
  return headers.accept?.includes("vnd.pgrst.object") === true ? row : [row]
}

/** Takes `Bearer fresh…` and nothing else. */
const takesFresh =
  (refusal: Refusal = expired): Answer =>
  (question, response) =>
    question.headers.authorization?.startsWith("Bearer fresh") === true
      ? rowAnswer(question, response)
      : refuse(response, refusal)

/** A function for the token that gives these, and the last of them from then on. */
const giving = (...tokens: ReadonlyArray<string>) => {
  let asks = 0
  const token = (): string => {
    const given = tokens[Math.min(asks, tokens.length - 1)] ?? ""
    asks += 1
    return given
  }
  return { token, asks: () => asks }
}

const bearers = ({ seen }: Asked): ReadonlyArray<string | undefined> => seen.map(({ headers }) => headers.authorization)

type Way = (db: Members, url: string) => PromiseLike<unknown>

const good = async (asking: Promise<Response>): Promise<Response> => {
  const response = await asking
  if (!response.ok) throw Object.assign(new Error("refused"), await response.json(), { status: response.status })
  return response
}

const ways: Readonly<Record<string, Way>> = {
  "a read that throws its error": (db) => db.executeWithPool((client) => client.from("t").select("*").throwOnError()),
  "a count by HEAD": (db) => db.table("t").count(),
  "a write": (db) => db.executeWithPool((client) => client.from("t").insert({ a: 1 }).throwOnError(), "write"),
  "rpc by POST": (db) => db.rpc("f", { a: 1 }),
  "rpc by GET": (db) => db.rpc("f", { a: 1 }, { get: true }),
  "a transaction": (db) => db.db.transaction([(client) => client.from("t").insert({ a: 1 })]),
  "table.get": (db) => db.table("t").get(1),
  "table.create": (db) => db.table("t").create({ name: "n" }),
  "table.update": (db) => db.table("t").update(1, { name: "n" }),
  "pooledFetch by GET": (db, url) => good(db.pooledFetch(`${url}/rest/v1/t`)),
  "pooledFetch by POST": (db, url) => good(db.pooledFetch(`${url}/rest/v1/t`, { method: "POST", body: "{}" })),
  "pooledFetch by PATCH, of a stream": (db, url) =>
    good(
      db.pooledFetch(
        new Request(`${url}/rest/v1/t`, {
          method: "PATCH",
          body: new Blob(["{}"]).stream(),
          duplex: "half"
        } as RequestInit)
      )
    )
}

describe.each(Object.entries(ways))("%s", (_, way) => {
  it("is sent once more with a fresh token, and no more than that where there are no retries", async () => {
    const there = await server(takesFresh())
    const { asks, token } = giving("expired", "fresh")
    const db = database(there.url, { maxRetries: 0 }).withAccessToken(token)
    await way(db, there.url)
    expect(bearers(there)).toEqual(["Bearer expired", "Bearer fresh"])
    expect(asks()).toBe(2)
    // The whole request, and not what is left of it.
    expect(there.seen[1]?.body).toBe(there.seen[0]?.body)
  })

  it("is sent once more at most: the second refusal is the caller's", async () => {
    const there = await server(takesFresh())
    const { asks, token } = giving("expired", "expired too", "fresh")
    const db = database(there.url, { maxRetries: 3 }).withAccessToken(() => token().replace(" ", "-"))
    await expect(way(db, there.url)).rejects.toMatchObject({ code: "PGRST303" })
    expect(bearers(there)).toEqual(["Bearer expired", "Bearer expired-too"])
    expect(asks()).toBe(2)
  })

  it("is not, where the token was given as a text", async () => {
    const there = await server(takesFresh())
    const db = database(there.url, { maxRetries: 3 }).withAccessToken("expired")
    await expect(way(db, there.url)).rejects.toMatchObject({ code: "PGRST303" })
    expect(bearers(there)).toEqual(["Bearer expired"])
  })
})

describe("what is taken for a token that another may stand for", () => {
  const requests = async (refusal: Refusal, options: Options = {}): Promise<number> => {
    const there = await server(takesFresh(refusal))
    const db = database(there.url, { maxRetries: 0, ...options }).withAccessToken(giving("expired", "fresh").token)
    await db.executeWithPool((client) => client.from("t").insert({ a: 1 }), "write")
    return there.seen.length
  }

  const rows: ReadonlyArray<readonly [what: string, refusal: Refusal, requests: number]> = [
    ["PGRST303, expired", expired, 2],
    ["PGRST303, another claim", { code: "PGRST303", message: "JWT not in audience" }, 2],
    ["PGRST301, expired, as before PostgREST 13", { code: "PGRST301", message: "JWT expired" }, 2],
    ["PGRST301, a key that is no longer known", { code: "PGRST301", message: "No suitable key or wrong key type" }, 2],
    ["PGRST303, not good yet: that is waited for", { code: "PGRST303", message: "JWT issued at future" }, 1],
    ["PGRST302, nobody may ask without a token", { code: "PGRST302", message: "Anonymous access is disabled" }, 1],
    ["a gateway's 401 without a code", { code: "", message: "Invalid API key" }, 1],
    ["403 with 42501, row level security", { code: "42501", message: "permission denied", status: 403 }, 1],
    ["PGRST303 with another status", { code: "PGRST303", message: "JWT expired", status: 400 }, 1]
  ]

  it.each(rows)("%s", async (_, refusal, expected) => {
    expect(await requests(refusal)).toBe(expected)
  })
})

describe("a token that is renewed", () => {
  it("takes none of the retries, before or after", async () => {
    const there = await server(({ headers }, response) => {
      const bearer = headers.authorization ?? ""
      if (bearer.endsWith("expired")) return refuse(response, expired)
      return bearer.endsWith("good")
        ? [row]
        : refuse(response, { code: "PGRST001", message: "no connection", status: 503 })
    })
    const { token } = giving("busy-1", "expired", "busy-2", "good")
    const db = database(there.url, { maxRetries: 2 }).withAccessToken(token)
    await db.table("t").list({ limit: 1 })
    expect(bearers(there)).toEqual(["Bearer busy-1", "Bearer expired", "Bearer busy-2", "Bearer good"])
  })

  it("is not, where the builder says that it is never to be repeated", async () => {
    const there = await server(takesFresh())
    const db = database(there.url).withAccessToken(giving("expired", "fresh").token)
    const { error } = await db.executeWithPool((client) => client.from("t").select("*").retry(false))
    expect(error?.code).toBe("PGRST303")
    expect(there.seen).toHaveLength(1)
  })

  it("is not, where a write before it in the same operation was executed", async () => {
    const there = await server((question, response) =>
      question.path.endsWith("first") ? [row] : takesFresh()(question, response)
    )
    const db = database(there.url).withAccessToken(giving("expired", "fresh").token)
    const { error } = await db.executeWithPool(async (client) => {
      await client.from("first").insert({ a: 1 })
      return client.from("second").insert({ a: 1 })
    }, "write")
    expect(error?.code).toBe("PGRST303")
    expect(there.seen.map(({ path }) => path)).toEqual(["/rest/v1/first", "/rest/v1/second"])
  })

  it("after an attempt of which nobody knows whether it was executed leaves that open", async () => {
    const there = await server((_, response) =>
      there.seen.length === 1
        ? refuse(response, { code: "57P01", message: "terminated", status: 503 })
        : refuse(response, expired)
    )
    const db = database(there.url).withAccessToken("text")
    await expect(db.rpc("f", {}, { idempotent: true })).rejects.toMatchObject({ mayHaveExecuted: true })
    expect(there.seen).toHaveLength(2)
  })

  it("is the same for 20 users at once, each asked twice", async () => {
    const there = await server(takesFresh())
    const db = database(there.url, { maxConnections: 4 })
    const users = Array.from({ length: 20 }, (_, n) => giving(`expired-${n}`, `fresh-${n}`))
    await Promise.all(users.map(({ token }) => db.withAccessToken(token).table("t").get(1)))
    expect(users.map(({ asks }) => asks())).toEqual(users.map(() => 2))
    expect([...bearers(there)].sort()).toEqual(
      users.flatMap((_, n) => [`Bearer expired-${n}`, `Bearer fresh-${n}`]).sort()
    )
    expect(db.getConnectionPool().getMetrics().activeConnections).toBe(0)
  })
})

describe("createPooledClient with accessToken", () => {
  const client = async (answer: Answer, accessToken: () => Promise<string | null>, options: Options = {}) => {
    const there = await server(answer)
    const host = new Host(fromOptions({ url: there.url, ...keys, minConnections: 1, maxConnections: 2, ...options }))
    closers.push(() => host.close())
    return { there, supabase: clientOn(() => host)(there.url, "key-of-the-client", { accessToken }) }
  }

  it("asks once more for a token that was refused", async () => {
    const refused: Array<unknown> = []
    const { supabase, there } = await client(
      (question, response) => {
        refused.push(question)
        return takesFresh()(question, response)
      },
      async () => (refused.length === 0 ? "expired" : "fresh"),
      { maxRetries: 0 }
    )
    expect((await supabase.from("t").select("*")).data).toEqual([row])
    expect(bearers(there)).toEqual(["Bearer expired", "Bearer fresh"])
  })

  it("sends the key where it gives null, and what the request itself says before either", async () => {
    const { supabase, there } = await client(
      () => [],
      async () => null
    )
    await supabase.from("t").select("*")
    await supabase.from("t").select("*").setHeader("Authorization", "Bearer of-the-request")
    expect(bearers(there)).toEqual(["Bearer key-of-the-client", "Bearer of-the-request"])
  })

  it("asks when the request is sent, and not while it waits for a connection", async () => {
    let token = "expired"
    const held: Array<() => void> = []
    const { supabase, there } = await client(
      ({ path }, response) => (path.endsWith("slow") ? void held.push(() => reply(response, [])) : []),
      async () => token
    )
    const slow = supabase.from("slow").select("*").then()
    await there.times(1)
    const queued = supabase.from("t").select("*").then()
    await new Promise(setImmediate)
    token = "fresh"
    for (const answer of held) answer()
    await Promise.all([slow, queued])
    expect(bearers(there)).toEqual(["Bearer expired", "Bearer fresh"])
  })

  it("rejects as supabase-js does where it throws, and sends nothing", async () => {
    let isMade = false
    // supabase-js asks once for itself when it is made, and prints what that throws.
    const token = async (): Promise<string> => {
      if (isMade) throw new Error("nobody is signed in")
      return "token"
    }
    const { supabase, there } = await client(() => [], token)
    isMade = true
    const { error } = await supabase.from("t").select("*")
    expect(error?.message).toContain("nobody is signed in")
    expect(there.seen).toEqual([])
  })
})
