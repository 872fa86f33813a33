/** Answers of every shape that HTTP allows: what a caller gets from them, and what the connection is worth afterwards. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import { LeanResponse } from "../../src/internal/connection/leanResponse.js"
import * as Pool from "../../src/Pool.js"
import { against, failureOf, json, problem, serviceRoleKey } from "../support/httpServer.js"
import { shows } from "../support/reliability.js"
import { shown } from "../support/secrets.js"

const read = Db.read((client) => client.from("a").select("*"))
const insert = Db.write((client) => client.from("a").insert({ id: 1 }))

const oneSocket = (server: { readonly seen: ReadonlyArray<{ readonly socket: number }> }): void => {
  expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(1)
}

describe("a body", () => {
  it.effect("of ten megabytes arrives whole", () => {
    const rows = Array.from({ length: 10_000 }, (_, id) => ({ id, text: "ü".repeat(500) }))
    return against((response) => json(response, rows))((server) =>
      Effect.gen(function* () {
        const got = yield* read
        expect(got.length).toBe(10_000)
        expect(got.every((row) => row["text"] === rows[0]?.text)).toBe(true)
        yield* Db.read((client) => client.from("a").select("*").limit(1))
        oneSocket(server)
      })
    )
  })

  it.effect("in chunks that part characters is put together byte by byte", () =>
    against((response) => {
      response.writeHead(200, { "content-type": "application/json" })
      for (const byte of Buffer.from('[{"text":"ü€😀"}]')) response.write(Buffer.of(byte))
      response.end()
    })(() => Effect.map(read, (rows) => expect(rows).toEqual([{ text: "ü€😀" }])))
  )

  it.effect("in chunks of one byte is whole however many there are", () => {
    const text = JSON.stringify(["x".repeat(5_000)])
    return against((response) => {
      for (const byte of Buffer.from(text)) response.write(Buffer.of(byte))
      response.end()
    })(() => Effect.map(read, (rows) => expect(JSON.stringify(rows)).toBe(text)))
  })

  it.effect("with a byte order mark is JSON all the same", () =>
    against((response) => void response.end(Buffer.from("\uFEFF[1]")))(() =>
      Effect.map(read, (rows) => expect(rows).toEqual([1]))
    )
  )

  it.effect("that is missing (201, 204) is no data and no error, and keeps the socket", () =>
    against((response, _, nth) => void response.writeHead(nth % 2 === 0 ? 204 : 201).end())((server) =>
      Effect.gen(function* () {
        for (let i = 0; i < 4; i++) expect(yield* insert).toBe(null)
        oneSocket(server)
      })
    )
  )

  it.effect("after a 103 is the answer that counts", () =>
    against((response) => response.writeEarlyHints({ link: "</a>; rel=preload" }, () => json(response, [1])))(() =>
      Effect.map(read, (rows) => expect(rows).toEqual([1]))
    )
  )

  it.effect("that is not JSON is an error, cut to one line, and the write may have been executed", () =>
    against((response) => void response.end(`<html>\n${"x".repeat(100_000)}`))(() =>
      Effect.gen(function* () {
        const error = yield* failureOf(insert)
        expect(error).toMatchObject({ _tag: "QueryError", status: 200, isTransient: false, mayHaveExecuted: true })
        expect(error.message).toMatch(
          /^Query failed: the answer is not JSON: <html> x+… \(HTTP 200\)\. It may have been/
        )
        expect(JSON.stringify(error).length).toBeLessThan(10_000)
      })
    )
  )

  it.effect("of JSON null with a failure's status is a failure", () =>
    against((response) => json(response, null, 500))(() =>
      Effect.map(failureOf(insert), (error) =>
        expect(error).toMatchObject({ _tag: "QueryError", status: 500, mayHaveExecuted: true })
      )
    )
  )

  const locations: Readonly<Record<string, readonly [location: string, told: RegExp]>> = {
    "that ends a terminal's line": ["/a\u0001\u001b[31mb", /^Connection failed: an answer that is not proper HTTP/],
    "that deletes": ["/a\u007fb", /^Connection failed: an answer that is not proper HTTP/],
    "of the second set": ["http://other.invalid/a\u009b31m\u0085b", /redirect.*http:\/\/other\.invalid\/a/],
    "where there is no address": ["http://[\u009b31m\u0085", /redirect/]
  }
  for (const [name, [location, told]] of Object.entries(locations)) {
    it.effect(`a redirection to control characters ${name} is told without them, and without any key`, (context) =>
      against((response) => {
        const head = `HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`
        response.socket?.write(Buffer.from(head, "latin1"))
      })((server) =>
        Effect.gen(function* () {
          const error = yield* failureOf(insert)
          expect(error.message).toMatch(told)
          expect(error.message).not.toMatch(/\p{Cc}/u)
          expect(shown(error)).not.toContain(serviceRoleKey)
          expect(server.seen).toHaveLength(1)
          shows(context, { kind: "promise", section: "Answers", what: context.task.name })
        })
      )
    )
  }

  it.effect("a redirection is not followed, and is a failure", () =>
    against((response) => void response.writeHead(302, { location: "http://elsewhere.invalid/" }).end())((server) =>
      Effect.gen(function* () {
        expect(yield* failureOf(read)).toMatchObject({ _tag: "QueryError", status: 302 })
        expect(server.seen.length).toBe(1)
      })
    )
  )
})

describe("a count", () => {
  it.effect("is read from content-range", () =>
    against((response) => json(response, [1, 2], 206, { "content-range": "0-1/3573458" }))(() =>
      Effect.gen(function* () {
        const answer = yield* Db.response((client) => client.from("a").select("*", { count: "exact" }))
        expect([answer.count, answer.status, answer.data]).toEqual([3_573_458, 206, [1, 2]])
      })
    )
  )
})

describe("an error of the server", () => {
  const transient = { isTransient: true, mayHaveExecuted: false }
  const doubtful = { isTransient: true, mayHaveExecuted: true }
  const final = { isTransient: false, mayHaveExecuted: false }

  it.effect.each<readonly [status: number, code: string, expected: object]>([
    [503, "PGRST000", transient],
    [503, "PGRST001", transient],
    [503, "PGRST002", transient],
    [504, "PGRST003", transient],
    [500, "40001", transient],
    [500, "40P01", transient],
    [503, "53300", transient],
    [503, "57P03", transient],
    [429, "", transient],
    [502, "", doubtful],
    [503, "", doubtful],
    [504, "", doubtful],
    [520, "", doubtful],
    [524, "", doubtful],
    [502, "gateway_down", doubtful],
    [500, "", { isTransient: false, mayHaveExecuted: true }],
    [503, "08006", doubtful],
    [409, "23505", final],
    [403, "42501", final],
    [404, "PGRST205", final]
  ])("%i with code %j is told as what it is", ([status, code, expected]) =>
    against((response) =>
      code === "" ? void response.writeHead(status).end("<html>") : problem(response, status, code)
    )((server) =>
      Effect.gen(function* () {
        expect(yield* failureOf(insert)).toMatchObject({ _tag: "QueryError", status, code, ...expected })
        expect(server.seen.length).toBe(1)
        expect((yield* (yield* Pool.WritePool).metrics).active).toBe(0)
      })
    )
  )
})

describe("a single row", () => {
  it.effect("that is not there is RowNotFound, and names the table", () =>
    against((response) =>
      json(response, { code: "PGRST116", message: "Cannot coerce", details: "The result contains 0 rows" }, 406)
    )(() =>
      Effect.gen(function* () {
        const error = yield* failureOf(Db.read((client) => client.from("users").select("*").eq("id", 1).single()))
        expect(error).toMatchObject({ _tag: "RowNotFound", table: "users", mayHaveExecuted: false })
      })
    )
  )

  it.effect("of which a write with maybeSingle() made two is an error that says that the write was executed", () =>
    against((response) => json(response, [1, 2]))(() =>
      Effect.gen(function* () {
        const error = yield* failureOf(
          Db.write((client) => client.from("users").update({ a: 1 }).eq("b", 2).select().maybeSingle())
        )
        expect(error).toMatchObject({ _tag: "QueryError", code: "PGRST116", mayHaveExecuted: true })
        expect(error.message).toContain("It was executed. One row was asked for: narrow the filter")
        const ofRead = yield* failureOf(Db.read((client) => client.from("users").select().maybeSingle()))
        expect(ofRead).toMatchObject({ _tag: "QueryError", code: "PGRST116", mayHaveExecuted: false })
      })
    )
  )
})

describe("the lean response", () => {
  const raw = ["Content-Type", "text/plain", "X-Twice", "a", "x-twice", "b", "Set-Cookie", "c=1"].map((s) =>
    Buffer.from(s)
  )
  const make = (body: Buffer | string = "text", status = 200) =>
    new LeanResponse({
      url: "http://a/b",
      status,
      statusText: "Fine",
      headers: raw,
      body: Buffer.from(body),
      instead: undefined
    })

  it("has the headers of a Response, in any letter case and joined where they come twice", () => {
    const { headers } = make()
    expect(headers.get("CONTENT-type")).toBe("text/plain")
    expect(headers.get("x-twice")).toBe("a, b")
    expect(headers.has("nothing")).toBe(false)
    expect([...headers].map(([name]) => name)).toEqual(["content-type", "set-cookie", "x-twice"])
    expect([...headers.keys()].length).toBe(3)
    expect([...headers.values()]).toContain("a, b")
    expect(headers.getSetCookie()).toEqual(["c=1"])
    expect(new Headers(headers).get("x-twice")).toBe("a, b")
    headers.set("x-twice", "c")
    expect(headers.get("x-twice")).toBe("c")
    headers.delete("x-twice")
    expect(headers.has("x-twice")).toBe(false)
  })

  it("can be read once", async () => {
    const response = make('{"a":1}')
    expect(response.bodyUsed).toBe(false)
    expect(await response.json()).toEqual({ a: 1 })
    expect(response.bodyUsed).toBe(true)
    await expect(response.text()).rejects.toThrow(TypeError)
    await expect(response.json()).rejects.toThrow(TypeError)
    await expect(response.arrayBuffer()).rejects.toThrow(TypeError)
    await expect(response.bytes()).rejects.toThrow(TypeError)
    await expect(response.blob()).rejects.toThrow(TypeError)
    expect(() => response.clone()).toThrow(TypeError)
  })

  it("can be read after it was cloned, and its clone too", async () => {
    const response = make("ü")
    const clone = response.clone()
    expect([await response.text(), await clone.text()]).toEqual(["ü", "ü"])
    await expect(response.text()).rejects.toThrow(TypeError)
  })

  it("keeps every byte", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    expect(Buffer.from(await make(bytes).arrayBuffer())).toEqual(bytes)
    expect(Buffer.from(await make(bytes).bytes())).toEqual(bytes)
    expect(Buffer.from(await (await make(bytes).blob()).arrayBuffer())).toEqual(bytes)
    const streamed: Array<number> = []
    const reader = make(bytes).body?.getReader()
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read())
      streamed.push(...part.value)
    expect(Buffer.from(streamed)).toEqual(bytes)
  })

  it("has no body where its status has none", async () => {
    for (const status of [204, 205, 304]) {
      const response = make("", status)
      expect(response.body).toBe(null)
      expect(await response.text()).toBe("")
    }
    expect([make().ok, make("", 404).ok, make().status, make().statusText, make().url, make().redirected]).toEqual([
      true,
      false,
      200,
      "Fine",
      "http://a/b",
      false
    ])
  })

  it("is a syntax error when asked for JSON that is none", async () => {
    await expect(make("").json()).rejects.toThrow(SyntaxError)
  })
})
