/** What auth, storage and functions of supabase-js send and get over `pooledFetch`, beside the platform's `fetch`. */
import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { createClient, type SupabaseClient } from "@supabase/supabase-js"
import { afterEach, describe, expect, it } from "vitest"
import { NoRealtime } from "../../src/internal/connection/supabaseClient.js"
import { clientOn } from "../../src/internal/promise/client.js"
import { Hosts } from "../../src/internal/promise/hosts.js"
import { createDatabase, type PrivateDatabase } from "../../src/promise.js"

type Fetch = typeof globalThis.fetch

interface Came {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

type Answer = (came: Came, response: ServerResponse) => unknown

const closers: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** Hears a body to its end, then answers. */
const serve = async (answer: Answer) => {
  const came: Array<Came> = []
  const server = createServer(async (request, response) => {
    const { headers, method = "", url: path = "" } = request
    const body = Buffer.concat(await request.toArray())
    const one: Came = { method, path, headers, body }
    came.push(one)
    answer(one, response)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return { came, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const database = (url: string): PrivateDatabase => {
  const made = createDatabase({
    url,
    anonKey: "anon-key-of-the-pool-never-printed",
    serviceRoleKey: "service-key-of-the-pool-never-printed",
    minConnections: 1,
    maxConnections: 4,
    retryDelay: 1,
    enableHealthChecks: false
  })
  closers.push(() => made.close())
  return made
}

const key = "key-of-the-client"
const options = { realtime: { transport: NoRealtime }, auth: { persistSession: false, autoRefreshToken: false } }

/** Every way to have a client whose requests go by the pool, by the name that a test has for it. */
const clients: Readonly<Record<string, (url: string) => SupabaseClient>> = {
  pooledFetch: (url) => createClient(url, key, { ...options, global: { fetch: database(url).pooledFetch } }),
  createPooledClient: (url) => {
    const hosts = new Hosts()
    closers.push(() => hosts.shared.shutdown())
    return clientOn((base) => hosts.of(base))(url, key, options)
  }
}

const stream = (...texts: ReadonlyArray<string>): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start: (controller) => {
      for (const text of texts) controller.enqueue(new TextEncoder().encode(text))
      controller.close()
    }
  })

const form = (): FormData => {
  const form = new FormData()
  form.set("name", "Zoë")
  form.set("file", new Blob([new Uint8Array([0, 255, 10, 13])], { type: "image/png" }), "a b.png")
  return form
}

/** Each call makes its body anew, since one can be read once. */
const calls: Readonly<Record<string, (client: SupabaseClient) => Promise<unknown>>> = {
  "storage: a Blob": ({ storage }) =>
    storage.from("b").upload("a/ü b.txt", new Blob(["text"], { type: "text/plain" }), { upsert: true }),
  "storage: a File": ({ storage }) =>
    storage.from("b").upload("a.csv", new File(["a,b"], "a.csv", { type: "text/csv" })),
  "storage: a form": ({ storage }) => storage.from("b").upload("a.png", form()),
  "storage: bytes": ({ storage }) =>
    storage.from("b").upload("a.bin", new Uint8Array([0, 1, 255]).buffer, { metadata: { by: "Ann" } }),
  "storage: a view of bytes": ({ storage }) => storage.from("b").upload("a.bin", new Uint8Array(9).subarray(2, 5)),
  "storage: a stream": ({ storage }) =>
    storage.from("b").update("a.txt", stream("one", "two"), { duplex: "half", contentType: "text/plain" }),
  "storage: parameters": ({ storage }) => storage.from("b").upload("a.txt", new URLSearchParams({ a: "1 2" })),
  "storage: nine megabytes": ({ storage }) => storage.from("b").upload("a.txt", "x".repeat(9_000_000)),
  "storage: a signed upload": ({ storage }) =>
    storage.from("b").uploadToSignedUrl("a.txt", "token", new Blob(["text"])),
  "storage: a download": ({ storage }) => storage.from("b").download("binary"),
  "storage: a download as a stream": ({ storage }) => storage.from("b").download("binary").asStream(),
  "storage: a download that is refused": ({ storage }) => storage.from("b").download("refused"),
  "storage: whether a file exists": ({ storage }) => storage.from("b").exists("refused"),
  "storage: a list": ({ storage }) => storage.from("b").list("folder", { limit: 2 }),
  "storage: a removal": ({ storage }) => storage.from("b").remove(["a", "b"]),
  "functions: JSON": ({ functions }) => functions.invoke("json", { body: { a: "Zoë" }, headers: { "x-own": "1" } }),
  "functions: a text": ({ functions }) => functions.invoke("text", { body: "text", method: "PUT" }),
  "functions: a form": ({ functions }) => functions.invoke("json", { body: form() }),
  "functions: a Blob": ({ functions }) => functions.invoke("binary", { body: new Blob(["b"]) }),
  "functions: bytes": ({ functions }) => functions.invoke("form", { body: new Uint8Array([1, 2]).buffer }),
  "functions: no body": ({ functions }) => functions.invoke("nothing", { method: "GET" }),
  "functions: an error": ({ functions }) => functions.invoke("refused"),
  "functions: events": ({ functions }) => functions.invoke("events"),
  "auth: a password": ({ auth }) => auth.signInWithPassword({ email: "a@example.com", password: "x" }),
  "auth: a user": ({ auth }) => auth.getUser("a.token.of-somebody"),
  "auth: users": ({ auth }) => auth.admin.listUsers({ page: 2, perPage: 3 }),
  "auth: a registration": ({ auth }) =>
    auth.signUp({ email: "a@example.com", password: "x", options: { data: { a: 1 } } })
}

const multipart = (): { readonly type: string; readonly body: string } => ({
  type: "multipart/form-data; boundary=of-the-server",
  body: '--of-the-server\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--of-the-server--\r\n'
})

const answer: Answer = ({ path }, response) => {
  const send = (status: number, type: string, body: string | Uint8Array): void => {
    response.writeHead(status, { "content-type": type })
    response.end(body)
  }
  const name = /\/(\w+)(?:\?.*)?$/.exec(path)?.[1]
  if (name === "never") return
  if (name === "binary") return send(200, "application/octet-stream", new Uint8Array([0, 255, 10, 13]))
  if (name === "refused")
    return send(404, "application/json", '{"statusCode":"404","error":"not_found","message":"No such"}')
  if (name === "text") return send(200, "text/plain; charset=utf-8", "\ufeffZoë")
  if (name === "form") return send(200, multipart().type, multipart().body)
  if (name === "events") return send(200, "text/event-stream", "data: 1\n\ndata: 2\n\n")
  if (name === "nothing") return void response.writeHead(204).end()
  return send(200, "application/json", '{"id":"u","name":"Zoë","Key":"b/a"}')
}

/** Of a form, whose boundary is each time another. */
const withoutBoundary = (text: string, type: string | undefined): string => {
  const boundary = /boundary=(\S+)/.exec(type ?? "")?.[1]
  return boundary === undefined ? text : text.replaceAll(boundary, "boundary")
}

const wireOf = ({ body, headers, method, path }: Came) => {
  const { "content-type": type, host: _, connection: __, ...others } = headers
  return {
    method,
    path,
    type: type === undefined ? undefined : withoutBoundary(type, type),
    body: withoutBoundary(body.toString("latin1"), type),
    others
  }
}

/** All that a caller can see of a result. */
const shown = async (value: unknown): Promise<unknown> => {
  if (value instanceof Blob) return ["blob", value.type, [...new Uint8Array(await value.arrayBuffer())]]
  if (value instanceof ReadableStream) return ["stream", await new Response(value).text()]
  if (value instanceof FormData) return ["form", [...value]]
  if (value instanceof Response) return ["response", value.status, value.url, value.bodyUsed || (await value.text())]
  if (value instanceof Error) return [value.name, value.message, await shown(Reflect.get(value, "context"))]
  if (typeof value !== "object" || value === null) return value
  const fields = Object.entries(value).map(async ([name, field]) => [name, await shown(field)])
  return Object.fromEntries(await Promise.all(fields))
}

describe.each(Object.entries(clients))("over %s the other services are asked as without it", (_, make) => {
  it.each(Object.entries(calls))("%s", async (_, call) => {
    const { came, url } = await serve(answer)
    const theirs = await shown(await call(createClient(url, key, options)))
    const sent = came.splice(0).map(wireOf)
    const ours = await shown(await call(make(url)))
    expect(ours).toEqual(theirs)
    expect(came.map(wireOf)).toEqual(sent)
    expect(sent.length).toBeGreaterThan(0)
  })
})

/** Taken back by its caller, who may be sooner than the server hears of it. */
const takenBack: Readonly<Record<string, (client: SupabaseClient) => Promise<unknown>>> = {
  "functions: a signal": ({ functions }) => functions.invoke("never", { signal: AbortSignal.timeout(30) }),
  "functions: a timeout": ({ functions }) => functions.invoke("never", { timeout: 30 }),
  "storage: a signal": ({ storage }) =>
    storage.from("b").download("never", undefined, { signal: AbortSignal.timeout(30) })
}

describe.each(Object.entries(clients))("over %s they are taken back as without it", (_, make) => {
  it.each(Object.entries(takenBack))("%s", async (_, call) => {
    const { url } = await serve(answer)
    const theirs = await shown(await call(createClient(url, key, options)))
    expect(await shown(await call(make(url)))).toEqual(theirs)
  })
})

/** Where a request goes by the pool, and where it does not. */
const places: Readonly<Record<string, string>> = { "the database": "/rest/v1/", storage: "/storage/v1/object/b/" }

const readers: Readonly<Record<string, (response: Response) => Promise<unknown>>> = {
  arrayBuffer: async (response) => [...new Uint8Array(await response.arrayBuffer())],
  blob: (response) => response.blob(),
  text: (response) => response.text(),
  json: (response) => response.json(),
  formData: (response) => response.formData(),
  "the body, chunk by chunk": async ({ body }) => {
    const chunks: Array<Uint8Array> = []
    const reader = body?.getReader()
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read())
      chunks.push(part.value)
    return [body === null, Buffer.concat(chunks).toString("latin1")]
  },
  "a clone after the body was looked at": async (response) => [
    response.body === null,
    await response.clone().text(),
    response.bodyUsed,
    await response.text()
  ],
  "both parts of a body that was split": async ({ body }) =>
    Promise.all((body?.tee() ?? []).map((part) => new Response(part).text())),
  "twice, which fails where there was a body": async (response) => [
    await response.text(),
    await response.text().catch((error: Error) => error.name),
    response.bodyUsed
  ],
  "a body that is taken and given up": async (response) => {
    await response.body?.cancel()
    return response.bodyUsed
  }
}

const read = async (fetched: Promise<Response>, reader: (response: Response) => Promise<unknown>): Promise<unknown> => {
  const { headers, ok, redirected, status, statusText, url } = await fetched
  const seen = await reader(await fetched).then(shown, (error: Error) => error.name)
  return [ok, redirected, status, statusText, url, headers.get("content-type"), seen]
}

describe.each(Object.entries(places))("an answer of %s is read as that of fetch", (_, place) => {
  it.each(Object.entries(readers))("%s", async (_, reader) => {
    const { url } = await serve(answer)
    const { pooledFetch } = database(url)
    for (const name of ["json", "binary", "text", "form", "events", "nothing", "refused"]) {
      for (const method of ["GET", "POST", "HEAD"]) {
        const ask = (by: Fetch): Promise<unknown> => read(by(`${url}${place}${name}`, { method }), reader)
        expect(await ask(pooledFetch), `${method} ${name}`).toEqual(await ask(fetch))
      }
    }
  })

  it("and so is what a signal, an aborted one or a wrong call ends with", async () => {
    const { url } = await serve(answer)
    const { pooledFetch } = database(url)
    const to = `${url}${place}never`
    const aborted = AbortSignal.abort(new RangeError("mine"))
    const asks: ReadonlyArray<(by: Fetch) => Promise<Response>> = [
      (by) => by(to, { signal: AbortSignal.timeout(30) }),
      (by) => by(to, { signal: AbortSignal.any([AbortSignal.timeout(30), new AbortController().signal]) }),
      (by) => by(new Request(to, { signal: AbortSignal.timeout(30) })),
      (by) => by(new Request(to), { signal: AbortSignal.timeout(30) }),
      (by) => by(to, { signal: aborted }),
      (by) => by(new Request(to, { signal: aborted })),
      (by) => by(to, { signal: AbortSignal.abort() }),
      (by) =>
        by(to, { method: "POST", body: stream("a"), duplex: "half", signal: AbortSignal.timeout(30) } as RequestInit),
      (by) => by(to, { body: "a" })
    ]
    const ended = (asked: Promise<Response>): Promise<unknown> =>
      asked.then(
        () => "an answer",
        (error: Error) => [error.name, error instanceof Error, error.name === "RangeError" ? error.message : ""]
      )
    for (const [at, ask] of asks.entries())
      expect([at, await ended(ask(pooledFetch))]).toEqual([at, await ended(ask(fetch))])
  })
})

describe("what cannot be sent", () => {
  it.each([{ headers: { "a b": "c" } }, { headers: { a: "b\nc" } }, { headers: { a: "日" } }, { method: "a b" }])(
    "is not: %j",
    async (init) => {
      const { came, url } = await serve(answer)
      const { pooledFetch } = database(url)
      await expect(fetch(`${url}/rest/v1/json`, init)).rejects.toThrow(TypeError)
      await expect(pooledFetch(`${url}/rest/v1/json`, init)).rejects.toMatchObject({ code: "INVALID_REQUEST" })
      await expect(pooledFetch(`${url}/storage/v1/json`, init)).rejects.toThrow(TypeError)
      expect(came).toEqual([])
    }
  )
})

describe("a user's pooledFetch", () => {
  const asks: Readonly<Record<string, (by: Fetch, url: string) => Promise<Response>>> = {
    "an address": (by, url) => by(`${url}json`, { headers: { "x-own": "1" } }),
    "a Request with a form": (by, url) => by(new Request(`${url}json`, { method: "POST", body: form() })),
    "a Request and other headers": (by, url) =>
      by(new Request(`${url}json`, { method: "POST", body: "a", headers: { "x-own": "1" } }), {
        headers: { "x-two": "2" }
      }),
    "a stream": (by, url) => by(`${url}json`, { method: "PUT", body: stream("a", "b"), duplex: "half" } as RequestInit),
    "a Blob": (by, url) => by(`${url}json`, { method: "POST", body: new Blob(["b"], { type: "text/csv" }) })
  }

  it.each(Object.entries(asks))("sends %s as fetch does, with the token of the user", async (_, ask) => {
    const { came, url } = await serve(answer)
    const mine = database(url).withAccessToken("token-of-the-user")
    for (const place of Object.values(places)) {
      await (await ask(fetch, `${url}${place}`)).text()
      await (await ask(mine.pooledFetch, `${url}${place}`)).text()
      const [theirs, ours] = came.splice(0).map(wireOf)
      const own = (all: IncomingHttpHeaders | undefined) => [all?.["x-own"], all?.["x-two"]]
      expect(ours?.others.authorization).toBe("Bearer token-of-the-user")
      expect([ours?.type, ours?.body, own(ours?.others)]).toEqual([theirs?.type, theirs?.body, own(theirs?.others)])
    }
  })
})

describe("an answer of storage", () => {
  it("is given while it comes: its first part can be read before there is a second", async () => {
    const responses: Array<ServerResponse> = []
    const { url } = await serve((_, response) => {
      responses.push(response)
      response.write("first")
    })
    const { body } = await database(url).pooledFetch(`${url}/storage/v1/object/b/a`)
    const reader = body?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("first")
    responses[0]?.end("second")
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("second")
    expect((await reader?.read())?.done).toBe(true)
  })

  it("is taken back by its signal while it comes", async () => {
    const { url } = await serve((_, response) => response.write("first"))
    const controller = new AbortController()
    const { signal } = controller
    const response = await database(url).pooledFetch(`${url}/storage/v1/object/b/a`, { signal })
    const reader = response.body?.getReader()
    await reader?.read()
    controller.abort(new RangeError("mine"))
    await expect(reader?.read()).rejects.toBe(signal.reason)
  })
})
