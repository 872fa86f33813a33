/** Answers that come encoded, asked for or not, and those that say so and are not. */
import * as Zlib from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as Db from "../../src/Db.js"
import { target } from "../../src/internal/connection/connect.js"
import { codings } from "../../src/internal/connection/contentCoding.js"
import { aborted } from "../../src/internal/connection/fetchErrors.js"
import { SocketFetch } from "../../src/internal/connection/socketFetch.js"
import { type Answer, against, failureOf, json, serve } from "../support/httpServer.js"
import { eachShows, withSuite } from "../support/reliability.js"

const limit = 262_144
const one = { minConnections: 1, maxConnections: 2, maxAnswer: limit, maxRetries: 0 }

const read = Db.read((client) => client.from("a").select("*"))
const insert = Db.write((client) => client.from("a").insert({ id: 1 }).select("*"))

const few = [{ id: 1, name: "ÄÖÜ" }]
const many = Array.from({ length: 3_000 }, (_, id) => ({ id, name: `${Math.sin(id)}` }))

const encodings: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: (body) => Zlib.gzipSync(body),
  GZIP: (body) => Zlib.gzipSync(body),
  "x-gzip": (body) => Zlib.gzipSync(body),
  br: (body) => Zlib.brotliCompressSync(body),
  deflate: (body) => Zlib.deflateSync(body),
  // As some servers understand the word.
  "deflate ": (body) => Zlib.deflateRawSync(body),
  identity: (body) => body,
  "gzip, br": (body) => Zlib.brotliCompressSync(Zlib.gzipSync(body)),
  "gzip,, identity": (body) => Zlib.gzipSync(body)
}

const encoded =
  (encoding: string, body: Buffer, status = 200): Answer =>
  (response) => {
    response.writeHead(status, {
      "content-type": "application/json",
      "content-encoding": encoding,
      "content-length": body.length
    })
    response.end(body)
  }

describe("an answer that is encoded", () => {
  for (const [name, encode] of Object.entries(encodings)) {
    for (const rows of [few, many]) {
      it.effect(`as ${name} (${rows.length} rows) is read as if it were not, on the same connection`, () =>
        against(encoded(name, encode(Buffer.from(JSON.stringify(rows)))), { ...one, compression: false })((server) =>
          Effect.gen(function* () {
            expect(yield* read).toEqual(rows)
            expect(yield* read).toEqual(rows)
            expect(yield* insert).toEqual(rows)
            expect(server.opened()).toBe(2)
          })
        )
      )
    }
  }

  it.effect("in two headers is decoded in the order of both", () =>
    against((response) => {
      response.writeHead(200, [
        ["Content-Encoding", "gzip"],
        ["Content-Encoding", "br"]
      ])
      response.end(Zlib.brotliCompressSync(Zlib.gzipSync(JSON.stringify(many))))
    }, one)(() => Effect.map(read, (rows) => expect(rows).toEqual(many)))
  )

  it.effect("and is an error says the database's words", () =>
    against(
      encoded(
        "gzip",
        Zlib.gzipSync(JSON.stringify({ code: "23505", message: "duplicate key", details: null, hint: null })),
        409
      ),
      one
    )(() =>
      Effect.map(failureOf(insert), (error) =>
        expect(error).toMatchObject({ code: "23505", reason: "duplicate key", mayHaveExecuted: false })
      )
    )
  )

  it.effect("and has no body is an answer without one", () =>
    against(
      (response, { method }) =>
        void response.writeHead(method === "HEAD" ? 200 : 204, { "content-encoding": "gzip" }).end(),
      one
    )(() =>
      Effect.gen(function* () {
        yield* Db.response((client) => client.from("a").select("*", { head: true }))
        yield* Db.write((client) => client.from("a").insert({ id: 1 }))
      })
    )
  )

  it.effect("is whole although the server hangs up behind it", () =>
    against((response) => {
      response.writeHead(200, { "content-encoding": "br", connection: "close" })
      response.end(Zlib.brotliCompressSync(JSON.stringify(many)))
    }, one)(() => Effect.map(read, (rows) => expect(rows).toEqual(many)))
  )

  it.effect("ends its connection where a gateway gave up, as one that is not encoded does", () =>
    against(
      (response, seen, nth) =>
        nth === 1
          ? encoded("gzip", Zlib.gzipSync("<html>too late</html>"), 504)(response, seen, nth)
          : json(response, few),
      one
    )((server) =>
      Effect.gen(function* () {
        expect(yield* failureOf(read)).toMatchObject({ status: 504 })
        expect(yield* read).toEqual(few)
        expect(server.seen[0]?.socket).not.toBe(server.seen[1]?.socket)
      })
    )
  )
})

const zeros = Buffer.alloc(64 * 2 ** 20, "0")

describe("an answer that says an encoding", () => {
  eachShows("Answers", withSuite)

  const gzip = Zlib.gzipSync(JSON.stringify(many))
  const undecodable: Readonly<Record<string, readonly [encoding: string, body: Buffer, words: RegExp]>> = {
    "that nobody knows": ["rot13", Buffer.from("[]"), /Content-Encoding is "rot13"/],
    "that nobody knows around one that is known": ["gzip, rot13", gzip, /Content-Encoding is "rot13"/],
    "again and again": ["gzip, gzip, gzip, gzip, gzip", gzip, /Content-Encoding is "gzip, gzip/],
    "and is none": ["gzip", Buffer.from(JSON.stringify(many)), /says that it is gzip, and it is not.*Z_DATA_ERROR/],
    "and is none, little": ["br", Buffer.from(JSON.stringify(few)), /says that it is br, and it is not/],
    "and is cut": ["gzip", gzip.subarray(0, -100), /says that it is gzip, and it is not, or not whole/],
    "and is cut, little": ["gzip", Zlib.gzipSync("[]").subarray(0, -9), /says that it is gzip, .* not whole/],
    "and is changed on the way": ["gzip", Buffer.concat([gzip.subarray(0, -8), Buffer.alloc(8, 7)]), /Z_DATA_ERROR/]
  }
  for (const [name, [encoding, body, words]] of Object.entries(undecodable)) {
    it.effect(`${name} fails by name, was executed where it was a write, and costs no connection`, () =>
      against(
        (response, seen, nth) => (nth <= 2 ? encoded(encoding, body)(response, seen, nth) : json(response, few)),
        one
      )((server) =>
        Effect.gen(function* () {
          const reading = yield* failureOf(read)
          expect(reading).toMatchObject({ _tag: "QueryError", code: "ANSWER_UNDECODED", mayHaveExecuted: false })
          expect(reading.message).toMatch(words)
          expect(yield* failureOf(insert)).toMatchObject({ code: "ANSWER_UNDECODED", mayHaveExecuted: true })
          expect(server.seen.length).toBe(2)
          yield* read
          yield* insert
          expect(server.opened()).toBe(2)
        })
      )
    )
  }

  const bombs: Readonly<Record<string, readonly [encoding: string, body: Buffer]>> = {
    gzip: ["gzip", Zlib.gzipSync(zeros)],
    br: ["br", Zlib.brotliCompressSync(zeros)],
    "gzip in gzip": ["gzip, gzip", Zlib.gzipSync(Zlib.gzipSync(zeros))]
  }
  for (const [name, [encoding, body]] of Object.entries(bombs)) {
    it.effect(`and grows beyond DB_POOL_MAX_ANSWER (${name}) is not decoded further`, () =>
      against(
        encoded(encoding, body),
        one
      )(() =>
        Effect.gen(function* () {
          const before = process.memoryUsage().arrayBuffers
          const reading = yield* failureOf(read)
          expect(reading).toMatchObject({ code: "ANSWER_TOO_LARGE", status: 200, mayHaveExecuted: false })
          expect(reading.message).toContain(`larger than ${limit} bytes`)
          expect(yield* failureOf(insert)).toMatchObject({ code: "ANSWER_TOO_LARGE", mayHaveExecuted: true })
          expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(zeros.length / 4)
        })
      )
    )
  }
})

describe("a handler of Db.layerTest", () => {
  const handled = (encoding: string, body: Buffer) =>
    Db.layerTest(() => new Response(new Uint8Array(body), { headers: { "content-encoding": encoding } }), one)

  for (const [name, encode] of Object.entries(encodings)) {
    it.effect(`may answer with ${name}, and is read as a socket is`, () =>
      Effect.map(read, (rows) => expect(rows).toEqual(many)).pipe(
        Effect.provide(handled(name, encode(Buffer.from(JSON.stringify(many)))))
      )
    )
  }

  it.effect("fails by name where a socket does, and was executed where it was a write", () =>
    Effect.gen(function* () {
      expect(yield* failureOf(read)).toMatchObject({ code: "ANSWER_UNDECODED", status: 200, mayHaveExecuted: false })
      expect(yield* failureOf(insert)).toMatchObject({ code: "ANSWER_UNDECODED", mayHaveExecuted: true })
    }).pipe(Effect.provide(handled("rot13", Buffer.from("[]"))))
  )

  it.effect("is not decoded further than DB_POOL_MAX_ANSWER", () =>
    Effect.map(failureOf(read), (error) => expect(error).toMatchObject({ code: "ANSWER_TOO_LARGE" })).pipe(
      Effect.provide(handled("gzip", Zlib.gzipSync(zeros)))
    )
  )

  it.scoped("may hand on what the platform's fetch has decoded, whose head still names the encoding", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(encoded("gzip", Zlib.gzipSync(JSON.stringify(many))))
      const handedOn = Db.layerTest(
        (request) => Effect.promise(() => fetch(`${url}${new URL(request.url).pathname}`)),
        one
      )
      expect(yield* Effect.provide(read, handedOn)).toEqual(many)
    })
  )
})

describe("compression", () => {
  const asked = (compression: boolean) =>
    against((response) => json(response, few), { ...one, compression })((server) =>
      Effect.gen(function* () {
        yield* read
        yield* insert
        yield* Db.response((client) => client.from("a").select("*", { head: true }))
        yield* Db.read((client) => client.from("a").select("*").setHeader("Accept-Encoding", "gzip;q=0.1"))
        yield* Db.read((client) => client.from("a").select("*").setHeader("Range", "0-1"))
        return server.seen.map(({ headers }) => headers["accept-encoding"])
      })
    )

  it.effect("is asked for where there may be a body, unless the caller chose itself or wants bytes of it", () =>
    Effect.map(asked(true), (seen) =>
      expect(seen).toEqual([codings().accepted, codings().accepted, undefined, "gzip;q=0.1", undefined])
    )
  )

  it.effect("is not asked for where it is off", () =>
    Effect.map(asked(false), (seen) => expect(seen).toEqual([undefined, undefined, undefined, "gzip;q=0.1", undefined]))
  )

  it.scoped("leaves no header that is true of the encoded body only", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(encoded("gzip", Zlib.gzipSync(JSON.stringify(many))))
      const deadlines = { add: () => {}, remove: () => {}, now: () => 0 }
      const socket = new SocketFetch({
        target: target("read", new URL(url)),
        requestTimeout: Duration.seconds(30),
        maxAnswer: limit,
        compression: true,
        deadlines,
        answered: { longest: 0 },
        onClose: () => {}
      })
      yield* Effect.acquireRelease(socket.open, () => socket.close(() => aborted(false, "GET")))
      socket.lend()
      const response = yield* Effect.promise(() => socket.fetch(`${url}/rest/v1/a`))
      expect([...response.headers.keys()].filter((name) => /^content-/.test(name))).toEqual(["content-type"])
      expect(yield* Effect.promise(() => response.json())).toEqual(many)
    })
  )
})
