/** An error whose words nobody can read: its status and its head say what it means, from a socket as from a handler. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as Db from "../../src/Db.js"
import { against, failureOf } from "../support/httpServer.js"

const limit = 65_536

const read = Db.read((client) => client.from("a").select("*"))
const insert = Db.write((client) => client.from("a").insert({ id: 1 }))
const once = Db.write((client) => client.from("a").insert({ id: 1 }), { retry: false })
const upsert = Db.write((client) => client.from("a").upsert({ id: 1 }), { idempotent: true })
const rpc = Db.rpc("take", { n: 1 })

interface Head {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
}

const unread: Readonly<Record<string, readonly [headers: Readonly<Record<string, string>>, body: string]>> = {
  "is no gzip": [{ "content-encoding": "gzip" }, "no gzip"],
  "is encoded as nobody knows": [{ "content-encoding": "rot13" }, "x"],
  "is too large": [{}, JSON.stringify("x".repeat(70_000))]
}

/** Both ways give the same: what was asked, and how it ended. */
const ways = {
  "from a socket":
    (given: () => readonly [Head, string]) =>
    <A, E>(test: (asked: () => number) => Effect.Effect<A, E, Db.Provided>) =>
      against(
        (response) => {
          const [{ headers = {}, status }, body] = given()
          response.writeHead(status, headers).end(body)
        },
        { maxAnswer: limit, maxRetries: 1, retryDelay: 1 }
      )((server) => test(() => server.seen.length)),
  "from a handler":
    (given: () => readonly [Head, string]) =>
    <A, E>(test: (asked: () => number) => Effect.Effect<A, E, Db.Provided>) => {
      let asked = 0
      return test(() => asked).pipe(
        Effect.provide(
          Db.layerTest(
            () => {
              asked += 1
              const [{ headers = {}, status }, body] = given()
              return new Response(body, { status, headers })
            },
            { maxAnswer: limit, maxRetries: 1, retryDelay: 1 }
          )
        )
      )
    }
}

const lost = { status: 400, headers: { "proxy-status": "PostgREST; error=" } }
const ofSql = { status: 402, headers: { "content-range": "0-0/*" } }

interface Expected {
  readonly of: Effect.Effect<unknown, Db.DbError, Db.Provided>
  readonly head: Head
  readonly error: object
  readonly says: RegExp
  /** Requests, of two at most. */
  readonly requests: number
}

const notRead = /Content-Encoding|says that it is gzip|larger than 65536 bytes/

const expected: Readonly<Record<string, Expected>> = {
  "lost at COMMIT may have executed a write": {
    of: insert,
    head: lost,
    error: { code: "", status: 400, mayHaveExecuted: true, answeredBy: "PostgREST" },
    says: notRead,
    requests: 1
  },
  "lost at COMMIT is repeated where it may be": {
    of: upsert,
    head: lost,
    error: { code: "", isTransient: true },
    says: notRead,
    requests: 2
  },
  "lost at COMMIT is repeated for a read": {
    of: read,
    head: lost,
    error: { isTransient: true, mayHaveExecuted: false },
    says: notRead,
    requests: 2
  },
  "set by a function was committed": {
    of: rpc,
    head: ofSql,
    error: { status: 402, mayHaveExecuted: true, isTransient: false, answeredBy: "function" },
    says: notRead,
    requests: 1
  },
  "of PostgREST's that had no connection is repeated": {
    of: insert,
    head: { status: 503, headers: { "proxy-status": "PostgREST; error=PGRST001" } },
    error: { code: "PGRST001", isTransient: true, mayHaveExecuted: false },
    says: notRead,
    requests: 2
  },
  "of a serialization failure is repeated": {
    of: insert,
    head: { status: 500, headers: { "proxy-status": "PostgREST; error=40001" } },
    error: { code: "40001", isTransient: true, mayHaveExecuted: false },
    says: notRead,
    requests: 2
  },
  "of a token of the future may be repeated": {
    of: once,
    head: {
      status: 401,
      headers: {
        "proxy-status": "PostgREST; error=PGRST303",
        "www-authenticate": 'Bearer error="invalid_token", error_description="JWT issued at future"'
      }
    },
    error: { code: "PGRST303", isTransient: true, mayHaveExecuted: false },
    says: /JWT issued at future/,
    requests: 1
  },
  "of a redirect names where to": {
    of: insert,
    head: { status: 308, headers: { location: "https://db.example.com/rest/v1/a?apikey=1" } },
    error: { code: "REDIRECTED", isTransient: false, mayHaveExecuted: false },
    says: /redirects to https:\/\/db\.example\.com\/rest\/v1\/a \(/,
    requests: 1
  },
  "of a project that is paused says so": {
    of: insert,
    head: { status: 540 },
    error: { status: 540, isTransient: false, mayHaveExecuted: false },
    says: /The project is paused/,
    requests: 1
  },
  "of a gateway keeps our code": {
    of: insert,
    head: { status: 500 },
    error: { code: expect.stringMatching(/^ANSWER_/), answeredBy: "gateway", mayHaveExecuted: true },
    says: notRead,
    requests: 1
  }
}

describe("an error whose body", () => {
  for (const [how, [headers, body]] of Object.entries(unread)) {
    for (const [way, asking] of Object.entries(ways)) {
      for (const [name, { error, head, of, requests, says }] of Object.entries(expected)) {
        it.live(`${how} (${way}), ${name}`, () =>
          asking(() => [{ ...head, headers: { ...head.headers, ...headers } }, body])((asked) =>
            Effect.gen(function* () {
              const failure = yield* failureOf(of)
              expect(failure).toMatchObject({ _tag: "QueryError", status: head.status, ...error })
              expect(failure.message).toMatch(says)
              expect(asked()).toBe(requests)
            })
          )
        )
      }

      it.effect(`${how} (${way}), of too many requests waits as long as it says`, () =>
        asking(() => [{ status: 429, headers: { "retry-after": "7", ...headers } }, body])((asked) =>
          Effect.gen(function* () {
            const failure = yield* failureOf(once)
            expect(failure).toMatchObject({ status: 429, isTransient: true, mayHaveExecuted: false })
            expect(failure).toMatchObject({ retryAfter: Duration.seconds(7) })
            expect(asked()).toBe(1)
          })
        )
      )
    }
  }
})

const failing = (of: Expected["of"], status: number, headers: Head["headers"] = {}, body = "") =>
  against((response) => response.writeHead(status, headers).end(body))(() =>
    Effect.map(failureOf(of), ({ message }) => message)
  )

describe("an error without words", () => {
  it.live("names its status once", () =>
    Effect.gen(function* () {
      for (const status of [400, 404, 409, 414, 429, 500, 503, 540]) {
        const messages = [
          yield* failing(read, status),
          yield* failing(once, status),
          yield* failing(
            Db.response((client) => client.from("a").select("*", { head: true })),
            status
          )
        ]
        for (const message of messages) expect(message.match(/HTTP/g)).toHaveLength(1)
      }
    })
  )

  it.live("that redirects to what is no address of HTTP says that", () =>
    Effect.gen(function* () {
      for (const location of ["javascript:alert(1)", "data:text/plain,1", "http://[bad", "blob:https://a/b"]) {
        expect(yield* failing(once, 307, { location })).toContain("redirects to what is no address of HTTP (")
      }
    })
  )
})

describe("a success that is none", () => {
  const transaction = Db.transaction([(client) => client.from("a").insert({ id: 1 })])

  for (const [name, [status, body]] of Object.entries<readonly [number, string]>({
    "nothing (200)": [200, ""],
    "nothing (204)": [204, ""],
    "a null": [200, "null"],
    "a page": [200, "<html>Sign in</html>"]
  })) {
    it.live(`to a transaction, ${name}, asks to look at who answers, and may have been executed`, () =>
      against((response) => response.writeHead(status, { "content-type": "application/json" }).end(body))((server) =>
        Effect.gen(function* () {
          const error = yield* failureOf(transaction)
          expect(error).toMatchObject({ _tag: "QueryError", mayHaveExecuted: true, isTransient: false })
          expect(error.message).toContain("Check what answers between here and the database.")
          expect(error.message).not.toMatch(/migration|Fix/)
          expect(server.seen.length).toBe(1)
        })
      )
    )
  }
})
