/** `pooledFetch` against servers that write down what came, and beside the platform's `fetch`, which it stands for. */
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { createClient, type SupabaseClient } from "@supabase/supabase-js"
import { FastCheck as fc } from "effect"
import { afterEach, describe, expect, it, vi } from "vitest"
import { ConfigInvalid } from "../../src/Config.js"
import { AcquireTimeout, ConnectionFailed, PoolClosed, QueryError, RequestTimeout } from "../../src/Errors.js"
import { NoRealtime } from "../../src/internal/connection/supabaseClient.js"
import { clientOn } from "../../src/internal/promise/client.js"
import { membersOf } from "../../src/internal/promise/facade.js"
import { Hosts } from "../../src/internal/promise/hosts.js"
import type { PrivateDatabase } from "../../src/promise.js"
import { type Options, smallDatabase } from "../support/smallDatabase.js"

type Fetch = typeof globalThis.fetch

interface Came {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: Buffer
  /** Of the socket. */
  readonly port: number
}

type Answer = (came: Came, response: ServerResponse, nth: number) => unknown

const closers: Array<() => Promise<unknown>> = []

afterEach(async () => {
  vi.unstubAllEnvs()
  for (const close of closers.splice(0).reverse()) await close()
})

const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers })
  response.end(JSON.stringify(body))
}

const rows: Answer = (_, response) => json(response, 200, [{ id: 1 }])

const noConnection: Answer = (_, response) =>
  json(response, 503, { code: "PGRST001", message: "no database connection", details: null, hint: null })

/** Answers are counted from 1. */
const serve = async (answer: Answer = rows) => {
  const came: Array<Came> = []
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const { headers, method = "", url: path = "" } = request
      const one: Came = { method, path, headers, body: Buffer.concat(chunks), port: request.socket.remotePort ?? 0 }
      came.push(one)
      answer(one, response, came.length)
    })
    server.emit("asked")
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, came, server, asked: () => once(server, "asked") }
}

const anonKey = "anon-key-of-the-pool-never-printed"
const serviceRoleKey = "service-key-of-the-pool-never-printed"

const database = (url: string, options: Options = {}): PrivateDatabase => {
  const made = smallDatabase({ url, anonKey, serviceRoleKey }, options)
  closers.push(() => made.close())
  return made
}

const rejection = async (promise: Promise<unknown>): Promise<unknown> => {
  const outcome = await promise.then(
    () => ({ rejected: false, error: undefined }),
    (error: unknown) => ({ rejected: true, error })
  )
  expect(outcome.rejected).toBe(true)
  return outcome.error
}

const stream = (...texts: ReadonlyArray<string>): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start: (controller) => {
      for (const text of texts) controller.enqueue(new TextEncoder().encode(text))
      controller.close()
    }
  })

/** Asked for with a stream, and unknown to the types of `fetch` for Node 20. */
const half = { duplex: "half" }

const form = (): FormData => {
  const form = new FormData()
  form.set("name", "Ann")
  form.set("file", new Blob(["bytes"], { type: "text/plain" }), "a.txt")
  return form
}

/** Each twice, since a body can be read once. */
const calls: Readonly<Record<string, (url: string) => Parameters<Fetch>>> = {
  "an address": (url) => [`${url}/rest/v1/things?id=eq.1`],
  "an address with what has to be encoded": (url) => [`${url}/rest/v1/things?name=eq.Zoë Ünal#part`],
  "an address with dots in it": (url) => [`${url}/rest/v1/more/../things`],
  "a URL": (url) => [new URL(`${url}/rest/v1/things`), { method: "head" }],
  "a Request": (url) => [new Request(`${url}/rest/v1/things`, { headers: { "x-one": "1" } })],
  "a Request with a body": (url) => [new Request(`${url}/rest/v1/things`, { method: "POST", body: "a=1" })],
  "a Request and other options": (url) => [
    new Request(`${url}/rest/v1/things`, { method: "POST", body: "a=1", headers: { "x-one": "1" } }),
    { method: "PUT", body: "b=2", headers: { "x-two": "2" } }
  ],
  Headers: (url) => [`${url}/rest/v1/things`, { headers: new Headers({ "X-One": "1", accept: "text/csv" }) }],
  "a list of headers": (url) => [
    `${url}/rest/v1/things`,
    {
      headers: [
        ["x-one", "1"],
        ["X-One", "2"]
      ]
    }
  ],
  "a text": (url) => [`${url}/rest/v1/things`, { method: "POST", body: "text" }],
  "an empty text": (url) => [`${url}/rest/v1/things`, { method: "post", body: "" }],
  JSON: (url) => [
    `${url}/rest/v1/things`,
    { method: "PATCH", body: '{"a":"Zoë"}', headers: { "Content-Type": "application/json" } }
  ],
  bytes: (url) => [`${url}/rest/v1/things`, { method: "POST", body: new Uint8Array([0, 1, 255]) }],
  "a part of bytes": (url) => [`${url}/rest/v1/things`, { method: "POST", body: new Uint8Array(9).subarray(2, 5) }],
  "an ArrayBuffer": (url) => [`${url}/rest/v1/things`, { method: "POST", body: new Uint8Array([7, 8]).buffer }],
  "a Blob": (url) => [`${url}/rest/v1/things`, { method: "POST", body: new Blob(["a,b\n1,2"], { type: "text/csv" }) }],
  parameters: (url) => [`${url}/rest/v1/things`, { method: "POST", body: new URLSearchParams({ a: "1 2" }) }],
  "a stream": (url) => [`${url}/rest/v1/things`, { method: "POST", body: stream("one", "two"), duplex: "half" }],
  "no body": (url) => [`${url}/rest/v1/things`, { method: "DELETE" }],
  "a large text": (url) => [`${url}/rest/v1/things`, { method: "POST", body: "x".repeat(3_000_000) }]
}

const wireOf = ({ body, headers, method, path }: Came) => ({
  method,
  path,
  body: body.toString("latin1"),
  type: headers["content-type"],
  length: headers["content-length"] ?? (headers["transfer-encoding"] === undefined ? undefined : String(body.length)),
  one: headers["x-one"],
  two: headers["x-two"],
  accept: headers.accept ?? "*/*"
})

describe("pooledFetch sends what the platform's fetch sends", () => {
  it.each(Object.entries(calls))("for %s", async (_, call) => {
    const { came, url } = await serve()
    const { pooledFetch } = database(url)
    const theirs = await fetch(...call(url))
    const ours = await pooledFetch(...call(url))
    const [expected, found] = came
    expect(expected === undefined ? undefined : wireOf(expected)).toEqual(
      found === undefined ? undefined : wireOf(found)
    )
    expect(await ours.text()).toBe(await theirs.text())
    expect([ours.status, ours.ok, ours.url, ours.redirected]).toEqual([
      theirs.status,
      theirs.ok,
      theirs.url,
      theirs.redirected
    ])
    expect(ours.headers.get("Content-Type")).toBe(theirs.headers.get("Content-Type"))
  })

  it("for a form, whose boundary is each time another", async () => {
    const { came, url } = await serve()
    await database(url).pooledFetch(`${url}/rest/v1/things`, { method: "POST", body: form() })
    const [{ body, headers } = { body: Buffer.of(), headers: {} }] = came
    const sent = await new Response(new Uint8Array(body), {
      headers: { "content-type": headers["content-type"] ?? "" }
    }).formData()
    expect(sent.get("name")).toBe("Ann")
    const file = sent.get("file")
    expect(file instanceof File ? [file.name, await file.text()] : file).toEqual(["a.txt", "bytes"])
  })
})

describe("what pooledFetch answers is a Response", () => {
  const answered = async (answer: Answer = rows) => {
    const { url } = await serve(answer)
    return database(url).pooledFetch(`${url}/rest/v1/things`)
  }

  it("by its class, and so are its headers", async () => {
    const response = await answered()
    expect(response instanceof Response).toBe(true)
    expect(response.headers instanceof Headers).toBe(true)
    expect([...response.headers].map(([name]) => name)).toContain("content-type")
  })

  it("that is read in each way, once", async () => {
    const readers: ReadonlyArray<(response: Response) => Promise<unknown>> = [
      (response) => response.text(),
      (response) => response.json(),
      async (response) => new TextDecoder().decode(await response.arrayBuffer()),
      async (response) => (await response.blob()).text(),
      (response) => new Response(response.body).text()
    ]
    for (const read of readers) {
      const response = await answered()
      const seen = await read(response)
      expect(typeof seen === "string" ? JSON.parse(seen) : seen).toEqual([{ id: 1 }])
      expect(response.bodyUsed).toBe(true)
      expect(await rejection(response.text())).toBeInstanceOf(TypeError)
    }
  })

  it("that can be cloned until it is read", async () => {
    const response = await answered()
    const copy = response.clone()
    const third = copy.clone()
    expect(await response.json()).toEqual([{ id: 1 }])
    expect(await copy.json()).toEqual([{ id: 1 }])
    expect(third.url).toBe(response.url)
    expect(await third.json()).toEqual([{ id: 1 }])
    expect(() => response.clone()).toThrow(TypeError)
  })

  it("that another Response can be made of, as a route handler does", async () => {
    const response = await answered()
    const passed = new Response(response.body, response)
    expect([passed.status, await passed.json()]).toEqual([200, [{ id: 1 }]])
    expect(passed.headers.get("content-type")).toBe("application/json")
  })

  it("with the words of the server, also where a builder of ours is told others", async () => {
    const response = await answered((_, to) => {
      to.writeHead(404)
      to.end()
    })
    expect([response.status, await response.text()]).toEqual([404, ""])
  })

  it("of nine megabytes", async () => {
    const response = await answered((_, to) => json(to, 200, "x".repeat(9_000_000)))
    expect((await response.text()).length).toBe(9_000_002)
  })
})

describe("keys and tokens", () => {
  it("are those of the request: the pool adds none of its own", async () => {
    const { came, url } = await serve()
    const { pooledFetch } = database(url)
    await pooledFetch(`${url}/rest/v1/a`)
    await pooledFetch(`${url}/rest/v1/b`, { method: "POST", body: "{}" })
    await pooledFetch(`${url}/rest/v1/c`, { headers: { apikey: "mine", Authorization: "Bearer me" } })
    expect(came.map(({ headers }) => [headers["apikey"], headers.authorization])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
      ["mine", "Bearer me"]
    ])
  })

  it("are never those of another caller, whoever waits for whom, and whatever callers do with their objects afterwards", async () => {
    const { came, url } = await serve((_, response, nth) =>
      setTimeout(() => (nth % 5 === 0 ? noConnection : rows)({} as Came, response, nth), nth % 4)
    )
    const { pooledFetch } = database(url, { maxConnections: 4, maxRetries: 10 })
    const kinds = ["same object", "Headers", "list", "Request"] as const
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ user: fc.nat(200), kind: fc.constantFrom(...kinds), writes: fc.boolean() }), {
          minLength: 20,
          maxLength: 60,
          size: "max"
        }),
        async (asked) => {
          came.splice(0)
          const same = { authorization: "" }
          const all = asked.map(({ kind, user, writes }, n) => {
            const authorization = `Bearer user-${user}`
            const to = `${url}/rest/v1/things?of=${user}&n=${n}`
            const how = writes ? { method: "POST", body: "{}" } : {}
            same.authorization = authorization
            if (kind === "same object") return pooledFetch(to, { ...how, headers: same })
            if (kind === "Request") return pooledFetch(new Request(to, { ...how, headers: { authorization } }))
            const headers = new Headers({ authorization })
            const sent = pooledFetch(to, { ...how, headers: kind === "Headers" ? headers : [...headers] })
            headers.set("authorization", "Bearer nobody")
            return sent
          })
          same.authorization = "Bearer nobody"
          await Promise.all(all)
          for (const { headers, path } of came) {
            expect(headers.authorization).toBe(`Bearer user-${new URL(path, url).searchParams.get("of")}`)
          }
        }
      ),
      { numRuns: 15 }
    )
  })

  it("are in no error and no metric, not even where the server repeats them", async () => {
    const { url } = await serve((came, response) =>
      json(response, 500, {
        code: "XX000",
        message: `you sent ${came.headers.authorization}`,
        details: null,
        hint: null
      })
    )
    const made = database(url)
    const response = await made.pooledFetch(`${url}/rest/v1/t`, {
      headers: { authorization: "Bearer secret-user-token" }
    })
    // The answer is the server's own.
    expect(await response.text()).toContain("secret-user-token")
    const figures = made.getDatabaseConnectionService().getQueryMetrics("minute")
    expect(JSON.stringify(figures)).not.toContain("secret-user-token")
    expect(figures.failedQueries).toBe(1)
  })
})

describe("who is asked", () => {
  it("another host is refused by name, and nothing is sent", async () => {
    const { came, url } = await serve()
    const other = await serve()
    const { pooledFetch } = database(url)
    const others = [
      [other.url, other.url],
      [`${url}@evil.test`, "http://evil.test"],
      [`${url}1`, "not one that can be asked"],
      [`${url}.evil.test`, "not one that can be asked"],
      ["", "not one that can be asked"]
    ]
    for (const [host = "", named = ""] of others) {
      const headers = { authorization: "Bearer secret-user-token" }
      const error = await rejection(pooledFetch(`${host}/rest/v1/things`, { headers }))
      expect(error).toBeInstanceOf(QueryError)
      expect(String(error)).toContain(named)
      expect(String(error)).not.toContain("secret-user-token")
    }
    expect([came.length, other.came.length]).toEqual([0, 0])
  })

  it("auth, storage and functions are asked by the global fetch, and hold no connection of the pool", async () => {
    const { came, url } = await serve()
    const made = database(url)
    const paths = [
      "/auth/v1/user",
      "/storage/v1/object/a/b.png",
      "/functions/v1/hello",
      "/rest/v1",
      "/rest/v1/../../auth/v1/x"
    ]
    for (const path of paths) await (await made.pooledFetch(`${url}${path}`, { method: "POST", body: "x" })).text()
    expect(came.map(({ path }) => path)).toEqual([...paths.slice(0, 4), "/auth/v1/x"])
    expect(came.every(({ headers }) => !String(headers["user-agent"]).includes("effect-supabase-pool"))).toBe(true)
    expect(made.getConnectionPool().getMetrics().totalRequests).toBe(0)
  })

  it("what leads out of the database's API in code is refused", async () => {
    const { came, url } = await serve()
    const error = await rejection(database(url).pooledFetch(`${url}/rest/v1/..%2f..%2fauth/v1/admin/users`))
    expect(String(error)).toContain("leads out")
    expect(came).toEqual([])
  })

  it("a header that could make another request of it is refused by name", async () => {
    const { came, url } = await serve()
    for (const name of ["Host", "X-HTTP-Method-Override"]) {
      const error = await rejection(database(url).pooledFetch(`${url}/rest/v1/t`, { headers: { [name]: "x" } }))
      expect(String(error)).toContain(name.toLowerCase())
    }
    expect(came).toEqual([])
  })

  it("GET and HEAD go through the read pool, everything else through the write pool", async () => {
    const { url } = await serve()
    const made = database(url, { maxConnections: 2, connectionTimeout: 50, maxRetries: 0 })
    const held = await made.getConnectionPool().getConnection("write")
    expect((await made.pooledFetch(`${url}/rest/v1/t`)).status).toBe(200)
    expect((await made.pooledFetch(`${url}/rest/v1/t`, { method: "HEAD" })).status).toBe(200)
    for (const method of ["POST", "PATCH", "PUT", "DELETE", "OPTIONS"]) {
      expect(await rejection(made.pooledFetch(`${url}/rest/v1/t`, { method }))).toBeInstanceOf(AcquireTimeout)
    }
    made.getConnectionPool().releaseConnection(held)
  })

  it("a GET with a body is the TypeError that fetch has for it", async () => {
    const { came, url } = await serve()
    expect(await rejection(database(url).pooledFetch(`${url}/rest/v1/t`, { body: "x" }))).toBeInstanceOf(TypeError)
    expect(came).toEqual([])
  })
})

describe("retries", () => {
  it("repeat a read whose answer may pass, and a write that was not executed", async () => {
    const { came, url } = await serve((c, response, nth) => (nth % 3 === 0 ? rows : noConnection)(c, response, nth))
    const { pooledFetch } = database(url)
    expect((await pooledFetch(`${url}/rest/v1/t`)).status).toBe(200)
    expect((await pooledFetch(`${url}/rest/v1/t`, { method: "POST", body: stream("a"), ...half })).status).toBe(200)
    expect(came.map(({ body, method }) => `${method} ${body}`)).toEqual([
      "GET ",
      "GET ",
      "GET ",
      "POST a",
      "POST a",
      "POST a"
    ])
  })

  it("give the last answer when all have failed, and count one failed request", async () => {
    const { came, url } = await serve(noConnection)
    const made = database(url, { maxRetries: 2 })
    const response = await made.pooledFetch(`${url}/rest/v1/t`)
    expect([response.status, await response.json()]).toEqual([503, expect.objectContaining({ code: "PGRST001" })])
    expect(came.length).toBe(3)
    const { failedRequests, totalRequests } = made.getConnectionPool().getMetrics()
    expect([totalRequests, failedRequests]).toEqual([1, 1])
  })

  it("repeat no write that may have been executed, and nothing that stays wrong", async () => {
    const { came, url } = await serve((_, response) => json(response, 502, {}))
    const { pooledFetch } = database(url)
    expect((await pooledFetch(`${url}/rest/v1/t`, { method: "POST", body: "{}" })).status).toBe(502)
    expect(came.length).toBe(1)
    const missing = await serve((_, response) => json(response, 404, { code: "PGRST205", message: "none" }))
    expect((await database(missing.url).pooledFetch(`${missing.url}/rest/v1/t`)).status).toBe(404)
    expect(missing.came.length).toBe(1)
  })

  it("are supabase-js's own where it repeats a read: the pool asks once for each of those", async () => {
    const { came, url } = await serve(noConnection)
    const { pooledFetch } = database(url)
    await pooledFetch(`${url}/rest/v1/t`, { headers: { "X-Retry-Count": "1" } })
    expect(came.length).toBe(1)
  })

  it("are not in the way of a socket that the server closed while it was idle", async () => {
    const { server, url } = await serve((_, response) => json(response, 200, [], { connection: "keep-alive" }))
    const { pooledFetch } = database(url)
    await pooledFetch(`${url}/rest/v1/t`)
    server.closeIdleConnections()
    expect((await pooledFetch(`${url}/rest/v1/t`, { method: "POST", body: "{}" })).status).toBe(200)
    expect((await pooledFetch(`${url}/rest/v1/t`)).status).toBe(200)
  })
})

describe("where no answer comes it rejects with the error of the pool", () => {
  it("when nobody listens", async () => {
    const { server, url } = await serve()
    await new Promise((done) => server.close(done))
    const error = await rejection(database(url, { maxRetries: 0 }).pooledFetch(`${url}/rest/v1/t`))
    expect(error).toBeInstanceOf(ConnectionFailed)
    expect(error).toBeInstanceOf(Error)
  })

  it("when the answer takes too long, or is too large, or the pool is closed", async () => {
    const { url } = await serve((_, response, nth) => nth > 1 && json(response, 200, "x".repeat(70_000)))
    const made = database(url, { requestTimeout: 100, maxRetries: 0, maxAnswer: 65_536 })
    expect(await rejection(made.pooledFetch(`${url}/rest/v1/t`))).toBeInstanceOf(RequestTimeout)
    expect(String(await rejection(made.pooledFetch(`${url}/rest/v1/t`)))).toContain("larger than 65536 bytes")
    await made.close()
    expect(await rejection(made.pooledFetch(`${url}/rest/v1/t`))).toBeInstanceOf(PoolClosed)
  })

  it("when a body cannot be read: with its own error, and nothing is sent", async () => {
    const { came, url } = await serve()
    const broken = new Error("the file is gone")
    const body = new ReadableStream({ pull: (controller) => controller.error(broken) })
    const sent = database(url).pooledFetch(`${url}/rest/v1/t`, { method: "POST", body, ...half })
    expect(await rejection(sent)).toBe(broken)
    expect(came).toEqual([])
  })
})

describe("the caller's signal", () => {
  const reason = { why: "the page was left" }

  it("that is aborted already sends nothing", async () => {
    const { came, url } = await serve()
    const signal = AbortSignal.abort(reason)
    expect(await rejection(database(url).pooledFetch(`${url}/rest/v1/t`, { signal }))).toBe(reason)
    const request = new Request(`${url}/rest/v1/t`, { signal: AbortSignal.abort(reason) })
    expect(await rejection(database(url).pooledFetch(request))).toBe(reason)
    expect(came).toEqual([])
  })

  it("takes a request back that is under way, and its connection serves the next", async () => {
    const { asked, url } = await serve((c, response, nth) => nth > 1 && rows(c, response, nth))
    const made = database(url, { maxConnections: 2 })
    const controller = new AbortController()
    const asking = asked()
    const sent = rejection(made.pooledFetch(new Request(`${url}/rest/v1/t`, { signal: controller.signal })))
    await asking
    controller.abort(reason)
    expect(await sent).toBe(reason)
    expect((await made.pooledFetch(`${url}/rest/v1/t`)).status).toBe(200)
  })

  it("lets a caller leave the queue, and those behind it go on", async () => {
    const { came, url } = await serve()
    const made = database(url, { maxConnections: 2 })
    const pool = made.getConnectionPool()
    const held = await pool.getConnection("read")
    const controller = new AbortController()
    const left = rejection(made.pooledFetch(`${url}/rest/v1/left`, { signal: controller.signal }))
    const stayed = made.pooledFetch(`${url}/rest/v1/stayed`)
    expect(pool.getMetrics().pendingRequests).toBe(2)
    controller.abort()
    expect(await left).toBe(controller.signal.reason)
    expect(pool.getMetrics().pendingRequests).toBe(1)
    pool.releaseConnection(held)
    expect((await stayed).status).toBe(200)
    expect(came.map(({ path }) => path)).toEqual(["/rest/v1/stayed"])
  })

  it("ends the wait for a repetition", async () => {
    const { asked, came, url } = await serve(noConnection)
    const made = database(url, { retryDelay: 60_000 })
    const controller = new AbortController()
    const asking = asked()
    const sent = rejection(made.pooledFetch(`${url}/rest/v1/t`, { signal: controller.signal }))
    await asking
    while (made.getConnectionPool().getMetrics().idleConnections < 2) await new Promise((done) => setTimeout(done, 1))
    controller.abort(reason)
    expect(await sent).toBe(reason)
    expect(came.length).toBe(1)
  })

  it("ends the reading of a body", async () => {
    const { came, url } = await serve()
    const controller = new AbortController()
    const body = new ReadableStream({ pull: () => new Promise(() => {}) })
    const { signal } = controller
    const sent = database(url).pooledFetch(`${url}/rest/v1/t`, { method: "POST", body, ...half, signal })
    const rejected = rejection(sent)
    controller.abort(reason)
    expect(await rejected).toBe(reason)
    expect(came).toEqual([])
  })

  it("keeps no listener when the answer is there", async () => {
    const { url } = await serve()
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, "addEventListener")
    const removed = vi.spyOn(signal, "removeEventListener")
    await database(url).pooledFetch(`${url}/rest/v1/t`, { signal })
    expect(added.mock.calls.length).toBeGreaterThan(0)
    expect(removed.mock.calls.length).toBe(added.mock.calls.length)
  })
})

describe("redirects", () => {
  const redirecting = (status: number, to: (url: string) => string) =>
    serve(({ headers, path }, response) =>
      path.endsWith("from")
        ? json(response, status, {}, { location: to(`http://${headers.host}`) })
        : json(response, 200, [])
    )

  it.each([301, 302, 303, 307, 308])("within the database's API %i is followed as fetch follows it", async (status) => {
    for (const method of ["GET", "POST", "PUT"]) {
      const { came, url } = await redirecting(status, () => "/rest/v1/to")
      const init = method === "GET" ? {} : { method, body: "{}" }
      const theirs = await fetch(`${url}/rest/v1/from`, init)
      const ours = await database(url).pooledFetch(`${url}/rest/v1/from`, init)
      expect([ours.status, ours.url, ours.redirected]).toEqual([theirs.status, theirs.url, theirs.redirected])
      expect(came.slice(2).map(wireOf)).toEqual(came.slice(0, 2).map(wireOf))
    }
  })

  it("to another host are not followed, since the key would go with it", async () => {
    const other = await serve()
    const { url } = await redirecting(302, () => `${other.url}/rest/v1/to`)
    const error = await rejection(database(url).pooledFetch(`${url}/rest/v1/from`))
    expect(error).toBeInstanceOf(QueryError)
    expect(String(error)).toContain(other.url)
    expect(other.came).toEqual([])
  })

  it("are answers to redirect: manual, and errors to redirect: error", async () => {
    const { url } = await redirecting(302, () => "/rest/v1/to")
    const { pooledFetch } = database(url)
    expect((await pooledFetch(`${url}/rest/v1/from`, { redirect: "manual" })).status).toBe(302)
    expect(await rejection(pooledFetch(`${url}/rest/v1/from`, { redirect: "error" }))).toBeInstanceOf(TypeError)
  })

  it("in a circle end after twenty", async () => {
    const { came, url } = await redirecting(302, () => "/rest/v1/from")
    expect(await rejection(database(url).pooledFetch(`${url}/rest/v1/from`))).toBeInstanceOf(TypeError)
    expect(came.length).toBe(21)
  })
})

const realtime = { transport: NoRealtime }

describe("supabase-js over pooledFetch", () => {
  it("reads, writes and asks auth with the key that it was made with", async () => {
    const { came, url } = await serve()
    const { pooledFetch } = database(url)
    const client = createClient(url, "key-of-the-client", { global: { fetch: pooledFetch }, realtime })
    expect((await client.from("things").select("*")).data).toEqual([{ id: 1 }])
    expect((await client.from("things").insert({ id: 2 }).select()).error).toBeNull()
    await client.auth.signInWithPassword({ email: "a@example.com", password: "x" })
    expect(new Set(came.map(({ headers }) => headers["apikey"]))).toEqual(new Set(["key-of-the-client"]))
    expect(came.map(({ path }) => path.split("?")[0])).toEqual(["/rest/v1/things", "/rest/v1/things", "/auth/v1/token"])
  })
})

/** As the module makes them, but not once per process. */
const fromEnvironment = (variables: Readonly<Record<string, string>>) => {
  for (const name of ["SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY"]) vi.stubEnv(name, undefined)
  for (const [name, value] of Object.entries({ DB_POOL_MIN_CONNECTIONS: "1", DB_POOL_RETRY_DELAY: "1", ...variables }))
    vi.stubEnv(name, value)
  const hosts = new Hosts()
  const members = membersOf(hosts.shared)
  closers.push(() => hosts.shared.shutdown())
  return { ...members, hosts, createPooledClient: clientOn((url) => hosts.of(url)) }
}

describe("of the environment", () => {
  it("pooledFetch needs the address only; what sends with the pool's keys says which is missing", async () => {
    const { url } = await serve()
    const { executeWithPool, getConnectionPool, pooledFetch } = fromEnvironment({ NEXT_PUBLIC_SUPABASE_URL: url })
    expect((await pooledFetch(`${url}/rest/v1/t`, { headers: { apikey: "mine" } })).status).toBe(200)
    expect(getConnectionPool().getMetrics().totalRequests).toBe(1)
    const error = await rejection(executeWithPool((client) => client.from("t").select("*")))
    expect(error).toBeInstanceOf(ConfigInvalid)
    expect(String(error)).toContain("SUPABASE_SERVICE_ROLE_KEY")
    expect((await pooledFetch(`${url}/rest/v1/t`)).status).toBe(200)
  })

  it("without an address it says so, and with a mistake it names the mistake", async () => {
    expect(String(await rejection(fromEnvironment({}).pooledFetch("http://127.0.0.1/rest/v1/t")))).toContain(
      "SUPABASE_URL"
    )
    const wrong = fromEnvironment({ SUPABASE_URL: "http://127.0.0.1:1", DB_POOL_MAX_CONNECTIONS: "many" })
    expect(String(await rejection(wrong.pooledFetch("http://127.0.0.1:1/rest/v1/t")))).toContain(
      "DB_POOL_MAX_CONNECTIONS"
    )
  })

  it("createPooledClient shares its pools where the address is the same, and has others where it is not", async () => {
    const own = await serve()
    const other = await serve()
    const { createPooledClient, getConnectionPool, hosts } = fromEnvironment({
      SUPABASE_URL: own.url,
      SUPABASE_ANON_KEY: anonKey,
      SUPABASE_SERVICE_ROLE_KEY: serviceRoleKey
    })
    await createPooledClient(`${own.url}/`, "key").from("t").select("*")
    expect(getConnectionPool().getMetrics().totalRequests).toBe(1)
    await createPooledClient(other.url, "key").from("t").select("*")
    await createPooledClient(other.url, "key").from("t").select("*")
    expect(getConnectionPool().getMetrics().totalRequests).toBe(1)
    expect(other.came.length).toBe(2)
    expect(hosts.of(other.url)).toBe(hosts.of(`${other.url}/`))
    await getConnectionPool().gracefulShutdown()
    expect(hosts.of(other.url).current).toBeUndefined()
  })
})

describe("createPooledClient", () => {
  const client = async (answer: Answer = rows, variables: Record<string, string> = {}) => {
    const served = await serve(answer)
    const { createPooledClient } = fromEnvironment({ SUPABASE_URL: served.url, ...variables })
    return {
      ...served,
      createPooledClient: (...[key = "key-of-the-client", options]: [string?, object?]) =>
        createPooledClient(served.url, key, { realtime, ...options })
    }
  }

  const sentBy = ({ headers }: Came) => [headers["apikey"], headers.authorization]

  it("sends the key, or the token that it is given, or that of the session, with each request", async () => {
    const { came, createPooledClient } = await client(({ path }, response, nth) =>
      path.startsWith("/auth")
        ? json(response, 200, {
            access_token: "token-of-the-session",
            token_type: "bearer",
            expires_in: 3_600,
            refresh_token: "r",
            user: { id: "u" }
          })
        : rows({} as Came, response, nth)
    )
    const key = "key-of-the-client"
    await createPooledClient(key).from("t").select("*")
    let n = 0
    // supabase-js asks once for itself when it is made.
    const asUser = createPooledClient(key, { accessToken: async () => `token-${++n}` })
    await asUser.from("t").select("*")
    await asUser.rpc("f")
    await asUser.schema("other").from("t").select("*")
    const headers = { Authorization: "Bearer of-the-header", "x-own": "1" }
    await createPooledClient(key, { global: { headers } }).from("t").select("*")
    for (const auth of [{}, { persistSession: false }]) {
      const signedIn = createPooledClient(key, { auth })
      await signedIn.auth.signInWithPassword({ email: "a@example.com", password: "x" })
      await signedIn.from("t").select("*")
    }
    expect(came.filter(({ path }) => path.startsWith("/rest")).map(sentBy)).toEqual([
      [key, `Bearer ${key}`],
      [key, "Bearer token-2"],
      [key, "Bearer token-3"],
      [key, "Bearer token-4"],
      [key, "Bearer of-the-header"],
      [key, "Bearer token-of-the-session"],
      [key, "Bearer token-of-the-session"]
    ])
    expect(came[3]?.headers["accept-profile"]).toBe("other")
    expect(came[4]?.headers["x-own"]).toBe("1")
    expect(came[4]?.headers["x-client-info"]).toMatch(/^supabase-js/)
  })

  it("sends the headers that its caller gives as createClient does, Prefer joined with the builder's own", async () => {
    const { came, createPooledClient, url } = await client()
    const headers = {
      Prefer: "tx=rollback",
      Accept: "application/vnd.pgrst.object+json",
      "X-Own": "1",
      apikey: "of-the-header"
    }
    const asks: ReadonlyArray<(supabase: SupabaseClient) => unknown> = [
      (supabase) => supabase.from("t").select("*", { count: "exact" }),
      (supabase) => supabase.from("t").insert({ id: 1 }, { count: "planned" }).select(),
      (supabase) => supabase.from("t").upsert({ id: 1 }, { ignoreDuplicates: true, defaultToNull: false }),
      (supabase) => supabase.from("t").update({ id: 1 }).eq("id", 1).maxAffected(1),
      (supabase) => supabase.from("t").delete({ count: "exact" }).eq("id", 1).rollback(),
      (supabase) => supabase.rpc("f", { a: 1 }, { count: "exact" }),
      (supabase) => supabase.rpc("f", { a: 1 }, { get: true }).csv(),
      (supabase) => supabase.schema("other").from("t").select("*").setHeader("x-own", "2")
    ]
    for (const ask of asks) {
      came.splice(0)
      for (const given of [{}, headers]) {
        await ask(createClient(url, "key", { realtime, global: { headers: given } }))
        await ask(createPooledClient("key", { global: { headers: given } }))
      }
      const sent = came.map(({ body, headers: all, method, path }) => ({
        method,
        path,
        body: body.toString(),
        accept: all.accept ?? "*/*",
        prefer: all["prefer"],
        keys: [all["apikey"], all.authorization],
        own: all["x-own"],
        profile: all["accept-profile"]
      }))
      expect(sent.length).toBe(4)
      expect([sent[1], sent[3]]).toEqual([sent[0], sent[2]])
    }
    expect(came[3]?.headers["x-own"]).toBe("2")
  })

  it("repeats nothing by itself, whatever retry is called with", async () => {
    const { came, createPooledClient } = await client(noConnection, { DB_POOL_MAX_RETRIES: "1" })
    const supabase = createPooledClient()
    const asked = [
      () => supabase.from("t").select("*"),
      () => supabase.from("t").select("*").retry(true).limit(1),
      () => supabase.rpc("f", {}, { get: true }).retry(true),
      () => supabase.schema("other").from("t").select("*").retry(true),
      () => supabase.from("t").insert({ id: 1 }).retry(true).select()
    ]
    for (const ask of asked) {
      came.splice(0)
      expect((await ask()).error?.code).toBe("PGRST001")
      expect(came.length).toBe(2)
      expect(came.some(({ headers }) => headers["x-retry-count"] !== undefined)).toBe(false)
    }
    came.splice(0)
    expect((await supabase.from("t").select("*").retry(false)).status).toBe(503)
    expect(came.length).toBe(1)
    expect(came[0]?.headers["x-supabase-pool-once"]).toBeUndefined()
  })

  it("answers as supabase-js does, and tells an error where that would see a success", async () => {
    const { createPooledClient } = await client(({ method }, response) =>
      method === "HEAD"
        ? response.writeHead(404, { "proxy-status": "PostgREST; error=PGRST205" }).end()
        : json(response, 200, [{ id: 1 }], { "content-range": "0-0/7" })
    )
    const supabase = createPooledClient()
    const { count, data, error, status } = await supabase.from("t").select("*", { count: "exact" })
    expect([count, data, error, status]).toEqual([7, [{ id: 1 }], null, 200])
    expect((await supabase.from("t").select("*", { count: "exact", head: true })).error?.code).toBe("PGRST205")
    expect((await supabase.from("t").select("*").maybeSingle()).data).toEqual({ id: 1 })
  })

  it("keeps timeouts, signals and a fetch of the caller's for auth", async () => {
    const { createPooledClient } = await client(
      ({ path }, response) => !path.includes("never") && json(response, 200, [])
    )
    const seen: Array<string> = []
    const own: Fetch = async (input) => {
      seen.push(String(input))
      return new Response("{}", { status: 400 })
    }
    const slow = await createPooledClient("key", { db: { timeout: 30 } })
      .from("never")
      .select("*")
    expect(slow.error?.message).toContain("AbortError")
    const supabase = createPooledClient("key", { global: { fetch: own } })
    const aborted = await supabase.from("never").select("*").abortSignal(AbortSignal.timeout(30))
    expect(aborted.error?.message).toContain("TimeoutError")
    expect((await supabase.from("t").select("*")).data).toEqual([])
    await supabase.auth.signInWithPassword({ email: "a@example.com", password: "x" })
    expect(seen.map((url) => new URL(url).pathname)).toEqual(["/auth/v1/token"])
  })

  it("refuses a table's name that leads out of the database's API", async () => {
    const { came, createPooledClient } = await client()
    const { error } = await createPooledClient().from("../../auth/v1/admin/users").select("*")
    expect(error?.message).toContain("leads out")
    expect(came).toEqual([])
  })
})
