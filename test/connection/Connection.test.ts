/** One socket, one client: what goes through it, what does not, and how it ends. Real sockets, a real server. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Redacted, Runtime, TestClock } from "effect"
import type { Connection } from "../../src/Connection.js"
import * as Db from "../../src/Db.js"
import { HandlerTransport } from "../../src/internal/connection/handlerTransport.js"
import { make as makeConnection } from "../../src/internal/connection/pooledConnection.js"
import * as Pool from "../../src/Pool.js"
import { settle } from "../support/fakeResource.js"
import { type Answer, against, anonKey, failureOf, json, serviceRoleKey } from "../support/httpServer.js"

const rows: Answer = (response) => json(response, [{ id: 1 }])

const silent: Answer = () => {}

const read = Db.read((client) => client.from("products").select("id"))
const insert = Db.write((client) => client.from("products").insert({ id: 1 }))

const onRead = <A>(f: (connection: Connection) => PromiseLike<A>) =>
  Effect.flatMap(Pool.ReadPool, (pool) => pool.use((connection) => Effect.promise(async () => f(connection))))

const onWrite = <A>(f: (connection: Connection) => PromiseLike<A>) =>
  Effect.flatMap(Pool.WritePool, (pool) => pool.use((connection) => Effect.promise(async () => f(connection))))

const fetchOf = ({ client }: Connection): typeof fetch => {
  const found: unknown = Reflect.get(client, "fetch")
  if (typeof found !== "function") throw new Error("no fetch")
  return (input, init) => found(input, init)
}

describe("the client", () => {
  it.scoped("is made while the socket connects, so that the first operation need not wait for it", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const credentials = { key: Redacted.make(anonKey), token: Redacted.make(anonKey) }
      const connection = yield* makeConnection({
        mode: "read",
        url: "http://127.0.0.1:1",
        credentials: new Proxy(credentials, {
          get: (target, name, self) => {
            asked.push(String(name))
            return Reflect.get(target, name, self)
          }
        }),
        makeTransport: () =>
          new HandlerTransport({
            mode: "read",
            origin: "http://127.0.0.1:1",
            handler: () => Response.json([]),
            runtime: Runtime.defaultRuntime,
            clock: Clock.make(),
            requestTimeout: Duration.seconds(1),
            maxAnswer: 1_000
          }),
        onClose: () => {}
      })
      expect(asked).toEqual([])
      yield* connection.open
      yield* settle
      expect(asked).toEqual(["key", "token"])
    })
  )
})

describe("the socket", () => {
  it.effect("a connection is one socket, and a hundred requests in turn use it", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        for (let i = 0; i < 100; i++) yield* read
        expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(1)
        expect(server.opened()).toBeLessThanOrEqual(2)
      })
    )
  )

  it.effect("requests at once on one connection follow each other on its socket", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        yield* onRead(({ client }) => Promise.all(Array.from({ length: 10 }, () => client.from("a").select("*"))))
        expect(server.seen.length).toBe(10)
        expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(1)
      })
    )
  )

  it.effect("HEAD does not close the socket, and gives the count", () =>
    against((response) => {
      response.writeHead(200, { "content-range": "*/42" })
      response.end()
    })((server) =>
      Effect.gen(function* () {
        const head = Db.response((client) => client.from("a").select("*", { count: "exact", head: true }))
        expect((yield* head).count).toBe(42)
        expect((yield* head).count).toBe(42)
        expect(server.seen.map(({ method }) => method)).toEqual(["HEAD", "HEAD"])
        expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(1)
      })
    )
  )

  it.effect("a server that closes after its answer costs the socket, and the next operation gets another", () =>
    against((response) => json(response, [], 200, { connection: "close" }))((server) =>
      Effect.gen(function* () {
        yield* read
        yield* read
        expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(2)
        expect((yield* (yield* Pool.ReadPool).metrics).active).toBe(0)
      })
    )
  )
})

describe("what is sent", () => {
  it.effect("a read carries the anon key, a write the service-role key, both as apikey and as bearer", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        yield* read
        yield* insert
        yield* Db.read((client) => client.from("users").select("*"), { as: "service" })
        const sent = server.seen.map(({ headers }) => [headers["apikey"], headers.authorization])
        expect(sent).toEqual([
          [anonKey, `Bearer ${anonKey}`],
          [serviceRoleKey, `Bearer ${serviceRoleKey}`],
          [serviceRoleKey, `Bearer ${serviceRoleKey}`]
        ])
      })
    )
  )

  it.effect("a user's request carries the anon key and the user's token, also on a write connection", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        yield* Effect.zipRight(read, insert).pipe(Db.withAccessToken("jwt-of-a-user-never-printed"))
        yield* read
        const sent = server.seen.map(({ headers }) => [headers["apikey"], headers.authorization])
        expect(sent).toEqual([
          [anonKey, "Bearer jwt-of-a-user-never-printed"],
          [anonKey, "Bearer jwt-of-a-user-never-printed"],
          [anonKey, `Bearer ${anonKey}`]
        ])
      })
    )
  )

  it.effect("storage and functions carry the key of the connection too", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        yield* onWrite(({ client }) => client.storage.from("pictures").upload("a b/ü.txt", "text"))
        yield* onWrite(({ client }) => client.functions.invoke("hello", { body: { a: 1 } }))
        yield* onWrite(({ client }) => client.functions.invoke("own", { headers: { Authorization: "Bearer own" } }))
        expect(server.seen.map(({ headers, url }) => [url, headers["apikey"], headers.authorization])).toEqual([
          ["/storage/v1/object/pictures/a%20b/%C3%BC.txt", serviceRoleKey, `Bearer ${serviceRoleKey}`],
          ["/functions/v1/hello", serviceRoleKey, `Bearer ${serviceRoleKey}`],
          ["/functions/v1/own", serviceRoleKey, "Bearer own"]
        ])
      })
    )
  )

  it.effect("a compressed answer is asked for, as fetch does", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        yield* read
        expect(server.seen[0]?.headers["accept-encoding"]).toMatch(/^br, gzip(, zstd)?$/)
      })
    )
  )

  it.effect("fetch takes a Request, a URL, forms, blobs, bytes and header lists", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        const form = new FormData()
        form.set("name", "value")
        yield* onWrite(async (connection) => {
          const send = fetchOf(connection)
          await send(new Request(`${server.url}/request`, { method: "POST", body: "one" }))
          await send(new URL(`${server.url}/url`))
          await send(`${server.url}/form`, { method: "POST", body: form })
          await send(`${server.url}/blob`, { method: "PUT", body: new Blob(["blob"], { type: "text/x-blob" }) })
          await send(`${server.url}/bytes`, { method: "post", body: new Uint8Array([0, 255]) })
          await send(`${server.url}/list`, { headers: [["x-list", "yes"]] })
          await send(`${server.url}/fragment#part`)
        })
        expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
          "POST /request",
          "GET /url",
          "POST /form",
          "PUT /blob",
          "POST /bytes",
          "GET /list",
          "GET /fragment"
        ])
        expect(server.seen[0]?.body.toString()).toBe("one")
        expect(server.seen[2]?.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/)
        expect(server.seen[2]?.body.toString()).toContain("value")
        expect(server.seen[3]?.headers["content-type"]).toBe("text/x-blob")
        expect([...(server.seen[4]?.body ?? [])]).toEqual([0, 255])
        expect(server.seen[5]?.headers["x-list"]).toBe("yes")
      })
    )
  )
})

describe("a read connection", () => {
  const refused = (f: (connection: Connection) => PromiseLike<unknown>) =>
    against(rows)((server) =>
      Effect.gen(function* () {
        yield* onRead(async (connection) => {
          await Promise.resolve(f(connection)).catch(() => {})
        })
        yield* read
        expect(server.seen.map(({ method }) => method)).toEqual(["GET"])
      })
    )

  it.effect("refuses insert before anything is sent", () => refused(({ client }) => client.from("a").insert({})))
  it.effect("refuses update before anything is sent", () =>
    refused(({ client }) => client.from("a").update({}).eq("id", 1))
  )
  it.effect("refuses delete before anything is sent", () =>
    refused(({ client }) => client.from("a").delete().eq("id", 1))
  )
  it.effect("refuses rpc by POST before anything is sent", () => refused(({ client }) => client.rpc("f")))
  it.effect("refuses a storage upload before anything is sent", () =>
    refused(({ client }) => client.storage.from("b").upload("p", "text"))
  )
  it.effect("refuses an edge function by POST before anything is sent", () =>
    refused(({ client }) => client.functions.invoke("f"))
  )
  it.effect("refuses a Request object that writes before anything is sent", () =>
    refused((connection) => fetchOf(connection)(new Request("http://127.0.0.1/rest/v1/a", { method: "PATCH" })))
  )

  it.effect("names method and path, and no filter, when it refuses", () =>
    against(rows)(() =>
      Effect.gen(function* () {
        const error = yield* failureOf(Db.read((client) => client.from("a").delete().eq("secret", "value")))
        expect(error._tag).toBe("ReadOnlyConnection")
        expect(error.message).toContain("DELETE /rest/v1/a was refused")
        expect(error.message).not.toContain("value")
        expect(error.mayHaveExecuted).toBe(false)
      })
    )
  )
})

describe("aborting", () => {
  it.effect("a signal that is aborted already sends nothing", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        const error = yield* failureOf(
          Db.write((client) => client.from("a").insert({}).abortSignal(AbortSignal.abort()))
        )
        expect(error).toMatchObject({ _tag: "QueryError", code: "ABORTED_UNSENT", mayHaveExecuted: false })
        yield* read
        expect(server.seen.length).toBe(1)
      })
    )
  )

  it.effect("a signal that is aborted while the answer is awaited closes the request at once", () =>
    against((response, { method }) => (method === "GET" ? json(response, []) : undefined))((server) =>
      Effect.gen(function* () {
        const controller = new AbortController()
        const writing = yield* Effect.fork(
          failureOf(Db.write((client) => client.from("a").insert({}).abortSignal(controller.signal)))
        )
        yield* server.until(() => server.seen.length === 1)
        controller.abort()
        expect(yield* Fiber.join(writing)).toMatchObject({ _tag: "QueryError", code: "ABORTED", mayHaveExecuted: true })
        yield* server.until(() => !server.sockets.has(server.seen[0]?.socket ?? 0))
        yield* read
      })
    )
  )

  it.effect("a signal that is aborted after the answer changes nothing, and leaves no listener behind", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        const controller = new AbortController()
        const query = Db.read((client) => client.from("a").select("*").abortSignal(controller.signal))
        expect(yield* query).toEqual([{ id: 1 }])
        controller.abort()
        yield* read
        expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(1)
      })
    )
  )

  it.effect("interrupting an operation closes its request at once", () =>
    against(silent)((server) =>
      Effect.gen(function* () {
        const reading = yield* Effect.fork(read)
        yield* server.until(() => server.seen.length === 1)
        const exit = yield* Fiber.interrupt(reading)
        expect(Exit.isInterrupted(exit)).toBe(true)
        yield* server.until(() => !server.sockets.has(server.seen[0]?.socket ?? 0))
        expect((yield* (yield* Pool.ReadPool).metrics).active).toBe(0)
      })
    )
  )
})

describe("the request timeout", () => {
  it.effect("ends a request whose answer does not come, and says that it was sent", () =>
    against(silent, { requestTimeout: "7 seconds" })((server) =>
      Effect.gen(function* () {
        const writing = yield* Effect.fork(failureOf(insert))
        yield* server.until(() => server.seen.length === 1)
        yield* TestClock.adjust("7 seconds")
        const error = yield* Fiber.join(writing)
        expect(error).toMatchObject({ _tag: "RequestTimeout", sent: true, mayHaveExecuted: true })
        expect(error.message).toMatch(
          /^Request timeout: no complete answer within 7 s on a write connection\. It may have/
        )
        yield* server.until(() => !server.sockets.has(server.seen[0]?.socket ?? 0))
      })
    )
  )

  it.effect("says that nothing was sent of a request that waited behind another on the same socket", () =>
    against(silent, { requestTimeout: "7 seconds" })((server) =>
      Effect.gen(function* () {
        const asking = yield* Effect.fork(
          onWrite(({ client }) =>
            Promise.all([client.from("a").insert({}), client.from("b").insert({})].map((query) => query.then(String)))
          )
        )
        yield* server.until(() => server.seen.length === 1)
        yield* TestClock.adjust("7 seconds")
        yield* Fiber.join(asking)
        expect(server.seen.length).toBe(1)
      })
    )
  )
})

describe("after its release", () => {
  it.effect("nothing is sent on a connection that has gone back", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        const pool = yield* Pool.ReadPool
        const kept = yield* pool.use(Effect.succeed)
        const answer = yield* Effect.promise(async () => kept.client.from("a").select("*"))
        expect(answer.error?.message).toContain("was already returned to the pool")
        expect(kept.isActive).toBe(false)
        expect(server.seen.length).toBe(0)
      })
    )
  )

  it.effect("a socket on which a request is under way is not lent again", () =>
    against((response, { url }) => (url.includes("slow") ? undefined : json(response, [])))((server) =>
      Effect.gen(function* () {
        const pool = yield* Pool.ReadPool
        const late = yield* pool.use((connection) =>
          Effect.sync(() => ({ answer: Promise.resolve(connection.client.from("slow").select("*")) }))
        )
        const answer = yield* Effect.promise(() => late.answer)
        expect(answer.error?.message).toContain("was already returned to the pool")
        yield* read
        expect(server.seen.at(-1)?.url).toContain("products")
        expect((yield* pool.metrics).active).toBe(0)
        expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(server.seen.length)
      })
    )
  )

  it.effect("a request that was prepared for one borrower is not sent for the next", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        const pool = yield* Pool.WritePool
        let prepared = (): void => {}
        const body = new ReadableStream<Uint8Array>({
          start: (stream) => {
            prepared = () => {
              stream.enqueue(new Uint8Array([1]))
              stream.close()
            }
          }
        })
        const init = { method: "POST", body, duplex: "half" }
        const late = yield* pool.use((connection) =>
          Effect.sync(() => ({ answer: restFetch(connection)(`${server.url}/late`, init) }))
        )
        const outcome = yield* pool.use(() =>
          Effect.promise(() => {
            prepared()
            return late.answer.then(() => "sent", String)
          })
        )
        expect(outcome).toContain("was already returned to the pool")
        expect(server.seen.length).toBe(0)
      })
    )
  )
})

/** Without supabase-js's wrapper. */
const restFetch = (connection: Connection): typeof fetch => {
  const transport: unknown = Reflect.get(connection, "transport")
  const found: unknown = typeof transport === "object" && transport !== null && Reflect.get(transport, "fetch")
  if (typeof found !== "function") throw new Error("no fetch")
  return (input, init) => found(input, init)
}

describe("what supabase-js does beside", () => {
  it.effect("realtime says that a pooled client has none", () =>
    against(rows)(() =>
      onRead(async ({ client }) => {
        expect(() => client.channel("room").subscribe()).toThrow("This client has no realtime")
      })
    )
  )

  for (const status of [503, 520]) {
    it.effect(`supabase-js does not repeat a read that was answered with ${status}`, () =>
      against((response) => json(response, {}, status))((server) =>
        Effect.gen(function* () {
          yield* failureOf(read)
          yield* failureOf(Db.read((client) => client.schema("api").from("a").select("*")))
          yield* failureOf(Db.rpc("f", {}, { get: true }))
          expect(server.seen.length).toBe(3)
        })
      )
    )
  }

  it.effect("supabase-js does not repeat a read whose connection broke", () =>
    against((response) => response.destroy())((server) =>
      Effect.gen(function* () {
        yield* failureOf(read)
        expect(server.seen.length).toBe(1)
      })
    )
  )
})

describe("where a request may go", () => {
  it.effect("the name of a table cannot lead out of the database's API", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        for (const name of [
          "../../auth/v1/admin/users",
          "../auth",
          "..",
          "%2e%2e/%2e%2e/auth/v1/settings",
          "\\..\\..\\auth"
        ]) {
          for (const schema of ["public", "api"]) {
            const error = yield* failureOf(Db.write((client) => client.schema(schema).from(name).select("*")))
            expect(error).toMatchObject({ _tag: "QueryError", code: "INVALID_REQUEST", mayHaveExecuted: false })
          }
          const error = yield* failureOf(Db.write((client) => client.from(name).select("*")))
          expect(error).toMatchObject({ _tag: "QueryError", code: "INVALID_REQUEST", mayHaveExecuted: false })
        }
        expect(server.seen.length).toBe(0)
      })
    )
  )

  it.effect("an absolute URL as the name of a table stays on the server", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        yield* Db.read((client) => client.from("http://elsewhere.invalid/a").select("*"))
        expect(server.seen[0]?.url).toMatch(/^\/rest\/v1\/http:/)
      })
    )
  )

  it.effect("fetch refuses another server, also one whose address begins the same", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        const outcomes = yield* onWrite((connection) =>
          Promise.all(
            ["http://elsewhere.invalid/a", `${server.url}0/a`, `${server.url}@evil.invalid/a`, "no url"].map((url) =>
              fetchOf(connection)(url).then(
                () => "sent",
                (error: unknown) => String(error)
              )
            )
          )
        )
        for (const outcome of outcomes) expect(outcome).toContain("INVALID_REQUEST")
        expect(server.seen.length).toBe(0)
      })
    )
  )

  for (const token of ["a\r\nx-evil: 1", "a\nb", "", "two words", "ü"]) {
    it.effect(`a token that no header can carry is refused and not repeated: ${JSON.stringify(token)}`, () =>
      against(rows)((server) =>
        Effect.gen(function* () {
          const error = yield* failureOf(read.pipe(Db.withAccessToken(token)))
          expect(error).toMatchObject({ _tag: "QueryError", code: "INVALID_TOKEN", mayHaveExecuted: false })
          if (token.length > 1) expect(JSON.stringify(error) + error.message).not.toContain(token)
          expect(server.seen.length).toBe(0)
        })
      )
    )
  }

  it.effect("a header that cannot be sent is refused without its value", () =>
    against(rows)((server) =>
      Effect.gen(function* () {
        const outcomes = yield* onWrite((connection) => {
          const send = restFetch(connection)
          const secret = "secret\r\nx-evil: 1"
          return Promise.all([
            send(`${server.url}/a`, { headers: { authorization: secret } }).then(String, String),
            send(`${server.url}/a`, { headers: [["authorization", secret]] }).then(String, String)
          ])
        })
        for (const outcome of outcomes) {
          expect(outcome).toContain("INVALID_REQUEST")
          expect(outcome).not.toContain("secret")
        }
        expect(server.seen.length).toBe(0)
      })
    )
  )
})

describe("several requests of one operation", () => {
  it.effect("share its connection, and each has the whole of requestTimeout from when it is sent", () => {
    const held: Array<Parameters<Answer>[0]> = []
    return against((response) => void held.push(response), {
      minConnections: 1,
      maxConnections: 2,
      requestTimeout: "200 millis",
      maxRetries: 0
    })((server) =>
      Effect.gen(function* () {
        const tables = ["a", "b", "c", "d", "e"]
        const reading = yield* Effect.fork(
          Db.read((client) => Effect.promise(() => Promise.all(tables.map((table) => client.from(table).select("*")))))
        )
        for (const [nth] of tables.entries()) {
          yield* server.until(() => held.length === nth + 1)
          yield* TestClock.adjust("150 millis")
          const response = held[nth]
          if (response !== undefined) json(response, [])
        }
        const answers = yield* Fiber.join(reading)
        expect(answers.map(({ error }) => error)).toEqual(tables.map(() => null))
      })
    )
  })
})
