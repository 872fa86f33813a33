/** However large an answer is and whatever is in it, the exchange ends, and its caller is told how. */
import type * as Http from "node:http"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as Db from "../../src/Db.js"
import { target } from "../../src/internal/connection/connect.js"
import { Exchange } from "../../src/internal/connection/exchange.js"
import { LeanResponse } from "../../src/internal/connection/leanResponse.js"
import { SocketFetch } from "../../src/internal/connection/socketFetch.js"
import { Tenure } from "../../src/internal/connection/tenure.js"
import * as Pool from "../../src/Pool.js"
import { against, failureOf, json } from "../support/httpServer.js"

const limit = 65_536

const read = Db.read((client) => client.from("a").select("*"))
const insert = Db.write((client) => client.from("a").insert({ id: 1 }).select("*"))

/** In chunks, so that nobody knows its length before. */
const inChunks = (response: Http.ServerResponse, bytes: number, status = 200): void => {
  response.writeHead(status, { "content-type": "application/json" })
  for (let left = bytes; left > 0; left -= 10_000) response.write("1".repeat(Math.min(left, 10_000)))
  response.end()
}

const withLength = (response: Http.ServerResponse, bytes: number): void => {
  response.writeHead(200, { "content-type": "application/json", "content-length": bytes })
  // It never comes: the length alone has to do.
  response.flushHeaders()
}

describe("an answer that is larger than DB_POOL_MAX_ANSWER", () => {
  const larger: Readonly<Record<string, (response: Http.ServerResponse) => void>> = {
    "in chunks": (response) => inChunks(response, limit + 1),
    "by its length alone": (response) => withLength(response, limit + 1),
    "by far": (response) => withLength(response, 540_000_000)
  }
  for (const [name, answer] of Object.entries(larger)) {
    it.effect(`(${name}) fails once, names the variable, closes its connection and no other`, () =>
      against((response, _, nth) => (nth <= 2 ? answer(response) : json(response, [])), {
        minConnections: 1,
        maxConnections: 2,
        maxAnswer: limit
      })((server) =>
        Effect.gen(function* () {
          const reading = yield* failureOf(read)
          expect(reading).toMatchObject({
            _tag: "QueryError",
            code: "ANSWER_TOO_LARGE",
            status: 200,
            isTransient: false
          })
          expect(reading.message).toContain("DB_POOL_MAX_ANSWER")
          expect(reading.message).toContain("Db.stream")
          expect(reading.message).toContain(`${limit} bytes`)
          const writing = yield* failureOf(insert)
          // It has been executed, and its rows are what was too much.
          expect(writing).toMatchObject({ code: "ANSWER_TOO_LARGE", mayHaveExecuted: true })
          expect(server.seen.length).toBe(2)
          expect(yield* read).toEqual([])
          expect(yield* insert).toEqual([])
          expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(4)
          for (const pool of [yield* Pool.ReadPool, yield* Pool.WritePool]) expect((yield* pool.metrics).active).toBe(0)
        })
      )
    )
  }

  it.effect(
    "and an error was not executed where the database refused it, and may have been where a gateway broke",
    () =>
      against((response, _, nth) => inChunks(response, limit + 1, nth === 1 ? 400 : 500), {
        minConnections: 1,
        maxConnections: 2,
        maxAnswer: limit
      })(() =>
        Effect.gen(function* () {
          expect(yield* failureOf(insert)).toMatchObject({
            code: "ANSWER_TOO_LARGE",
            status: 400,
            mayHaveExecuted: false
          })
          expect(yield* failureOf(insert)).toMatchObject({
            code: "ANSWER_TOO_LARGE",
            status: 500,
            mayHaveExecuted: true
          })
        })
      )
  )

  it.effect("is one that a handler of Db.layerTest gives, too", () =>
    Effect.gen(function* () {
      expect(yield* failureOf(read)).toMatchObject({ code: "ANSWER_TOO_LARGE", mayHaveExecuted: false })
      expect(yield* Effect.map(insert, (rows) => rows.length)).toBe(1)
    }).pipe(
      Effect.provide(
        Db.layerTest(({ method }) => Response.json(["x".repeat(method === "GET" ? limit : limit - 4)]), {
          maxAnswer: limit
        })
      )
    )
  )

  it.effect("is none as long as it fits to the byte, nor the length that a HEAD tells", () =>
    against(
      (response, { method }) => {
        if (method === "HEAD") return void response.writeHead(200, { "content-length": limit * 100 }).end()
        response.end(JSON.stringify(["x".repeat(limit - 4)]))
      },
      { minConnections: 1, maxConnections: 2, maxAnswer: limit }
    )(() =>
      Effect.gen(function* () {
        expect((yield* read).length).toBe(1)
        yield* Db.response((client) => client.from("a").select("*", { head: true }))
      })
    )
  )
})

describe("an exchange", () => {
  const owner = () =>
    new SocketFetch({
      target: target("write", new URL("http://127.0.0.1:1")),
      requestTimeout: Duration.seconds(1),
      maxAnswer: limit,
      compression: true,
      deadlines: { add: () => {}, remove: () => {}, now: () => 0 },
      answered: { longest: 0 },
      onClose: () => {}
    })

  /** As a text that is longer than JavaScript's longest. */
  const unreadable = Object.assign(Buffer.from("{}"), {
    toString: () => {
      throw Object.assign(new Error("Cannot create a string longer than 0x1fffffe8 characters"), {
        code: "ERR_STRING_TOO_LONG"
      })
    }
  })

  it("whose answer cannot be read fails, and the write in it may have been executed", async () => {
    const socket = owner()
    const tenure = new Tenure()
    const answer = new Promise((resolve, reject) => {
      const exchange = new Exchange(
        socket,
        "http://127.0.0.1:1/a",
        { path: "/a", method: "POST", headers: {}, body: undefined, signal: null, tenure },
        { resolve, reject }
      )
      exchange.onConnect(() => {})
      exchange.onHeaders(500, [], () => {}, "")
      exchange.onData(unreadable)
      exchange.onComplete()
    })
    await expect(answer).rejects.toMatchObject({
      _tag: "ConnectionFailed",
      failure: "protocol",
      code: "ERR_STRING_TOO_LONG",
      mayHaveExecuted: true
    })
    expect(tenure.writes).toBe(1)
    expect(socket.ended).toBe("an answer that cannot be read")
    expect(socket.isBusy).toBe(false)
  })

  it("whose body is no text rejects when it is read, as a body does, and throws nothing", async () => {
    const response = new LeanResponse({
      url: "http://a/",
      status: 200,
      statusText: "",
      headers: [],
      body: unreadable,
      instead: undefined
    })
    await expect(response.text()).rejects.toThrow("Cannot create a string")
  })
})
