/** Errors as values: they survive being sent elsewhere, speak in three parts, and keep secrets. */
import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Cause, Duration, Effect, FastCheck, Logger, Match, Schema } from "effect"
import * as Db from "../../src/Db.js"
import { failureOf, json, layer, serve } from "../support/httpServer.js"

const encode = Schema.encodeSync(Db.DbError)
const decode = Schema.decodeUnknownSync(Db.DbError)

describe("an error", () => {
  it("is the same after it was encoded, sent as JSON and decoded", () => {
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(Db.DbError), (error) => {
        const wire = JSON.stringify(encode(error))
        // JSON has no infinity, and no error of ours has one.
        FastCheck.pre(!wire.includes(":null"))
        const back = decode(JSON.parse(wire))
        expect(JSON.stringify(encode(back))).toBe(wire)
        expect(back.message).toBe(error.message)
        expect(back.isTransient).toBe(error.isTransient)
        expect(back.mayHaveExecuted).toBe(error.mayHaveExecuted)
      }),
      { numRuns: 500 }
    )
  })

  it("is an Error, has its tag for a name, and is known as one of ours", () => {
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(Db.DbError), (error) => {
        expect(error).toBeInstanceOf(Error)
        expect(error.name).toBe(error._tag)
        expect(Db.isDbError(error)).toBe(true)
      })
    )
    expect(Db.isDbError(new Error("no"))).toBe(false)
    expect(Db.isDbError({ _tag: "PoolClosed", pool: "read", sent: false })).toBe(false)
  })

  it("speaks on one line, in sentences, whatever the server said", () => {
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(Db.QueryError), FastCheck.lorem(), (error, text) => {
        const said = new Db.QueryError({ ...error, reason: `${text}\n\n${text}`, details: `${text}\r\n`, hint: "" })
        expect(said.message).toMatch(/^Query failed: /)
        expect(said.message).not.toMatch(/[\r\n]/)
        expect(said.message.length).toBeLessThan(1_200)
      })
    )
  })

  it("can be matched without a rest", () => {
    const kind = Match.type<Db.DbError>().pipe(
      Match.tag("AcquireTimeout", "PoolOverloaded", "PoolClosed", "RateLimited", () => "no connection"),
      Match.tag("ConnectionFailed", "RequestTimeout", "ConnectionReclaimed", () => "broken"),
      Match.tag(
        "QueryError",
        "RowNotFound",
        "DecodeError",
        "TransactionFailed",
        "GuardFailed",
        "ReadOnlyConnection",
        () => "answer"
      ),
      Match.exhaustive
    )
    expect(kind(new Db.PoolClosed({ pool: "read", sent: false }))).toBe("no connection")
  })
})

describe("the words", () => {
  const words: ReadonlyArray<readonly [Db.DbError, string]> = [
    [
      new Db.AcquireTimeout({
        pool: "read",
        waited: Duration.seconds(30),
        active: 10,
        max: 10,
        pending: 37,
        longestHeld: Duration.seconds(58)
      }),
      "Connection timeout: waited 30 s for a read connection (10 of 10 busy, 37 waiting). Nothing was sent. " +
        "Raise DB_POOL_MAX_CONNECTIONS or look for a leak: one connection has been held for 58 s."
    ],
    [
      new Db.AcquireTimeout({
        pool: "write",
        waited: Duration.seconds(2),
        active: 0,
        max: 10,
        pending: 1,
        longestHeld: Duration.zero,
        connectingTo: "https://a.supabase.co"
      }),
      "Connection timeout: waited 2 s for a write connection (0 of 10 busy, 1 waiting; still connecting to " +
        "https://a.supabase.co). Nothing was sent. Check the network and firewalls between here and SUPABASE_URL."
    ],
    [
      new Db.ConnectionFailed({
        pool: "read",
        origin: "http://a:1",
        failure: "refused",
        code: "ECONNREFUSED",
        sent: false
      }),
      "Connection failed: nothing listens at http://a:1 (ECONNREFUSED). Nothing was sent. " +
        "Check SUPABASE_URL and that the project runs."
    ],
    [
      new Db.ConnectionFailed({
        pool: "write",
        origin: "http://a",
        failure: "closed",
        code: "UND_ERR_SOCKET",
        sent: true
      }),
      "Connection failed: the connection was closed by http://a (UND_ERR_SOCKET). It may have been executed: check before " +
        "sending it again. The usual cause is a restart or a proxy's idle limit; lower DB_POOL_KEEPALIVE_INTERVAL if it repeats."
    ],
    [
      new Db.RequestTimeout({ pool: "read", timeout: Duration.seconds(30), sent: true }),
      "Request timeout: no complete answer within 30 s on a read connection. It was a read: nothing was changed. " +
        "Make the query faster, or raise DB_POOL_REQUEST_TIMEOUT."
    ],
    [
      new Db.QueryError({
        code: "23505",
        reason: "duplicate key.",
        details: "Key (id)=(1) exists.",
        hint: "",
        status: 409
      }),
      "Query failed: duplicate key (23505, HTTP 409). Nothing was executed. Fix the query."
    ],
    [
      new Db.QueryError({
        code: "PGRST201",
        reason: "which one?",
        details: "shops and users",
        hint: "Say it.",
        status: 300,
        method: "GET"
      }),
      "Query failed: which one? (PGRST201, HTTP 300). shops and users. It was a read: nothing was changed. Say it."
    ],
    [
      new Db.QueryError({ code: "", reason: "<html>\n  Bad Gateway", details: "", hint: "", status: 502 }),
      "Query failed: <html> Bad Gateway (HTTP 502). It may have been executed: check before sending it again. Try again in a moment."
    ],
    [
      new Db.RowNotFound({ table: "users", details: "The result contains 0 rows" }),
      "Row not found in users: The result contains 0 rows. Nothing was changed. Use maybeSingle() where no row is acceptable."
    ],
    [
      new Db.RowNotFound({ table: "users", details: "", id: "7" }),
      "Row not found in users: no row has the key 7. Nothing was changed. " +
        "Check the key, and whether row level security hides the row from the caller."
    ],
    [
      new Db.TransactionFailed({
        step: 1,
        operation: "select notes",
        code: "54000",
        reason: "the step gives back more than 1000 rows",
        hint: "Narrow it."
      }),
      "Transaction failed at step 1 (select notes): the step gives back more than 1000 rows (54000). " +
        "No changes were kept. Narrow it."
    ],
    [
      new Db.TransactionFailed({
        step: -1,
        operation: "",
        code: "RESULT_GONE",
        reason: "it was executed before",
        hint: "Read it.",
        executed: true
      }),
      "Transaction failed: it was executed before (RESULT_GONE). It was executed, once. Read it."
    ],
    [
      new Db.RowNotFound({ table: "users", details: "", id: "7", step: 2 }),
      "Row not found in users at step 2: no row has the key 7. Nothing was changed. " +
        "Check the key, and whether row level security hides the row from the caller."
    ],
    [
      new Db.GuardFailed({ step: 1, operation: "update products", id: "7", column: "stock", guard: "at least 2" }),
      "Guard failed at step 1 (update products 7): stock is not at least 2. The whole transaction was rolled back. " +
        "Read the row again, and decide again."
    ],
    [
      new Db.DecodeError({ table: "users", id: "7", path: "n", issue: "Expected number", stage: "write", step: 0 }),
      "Row does not decode at step 0: users 7 at n: Expected number. The transaction is committed: do not send it again. " +
        "Make the schema and the table agree."
    ],
    [
      new Db.DecodeError({
        table: "users",
        id: "7",
        path: "tags.0",
        issue: "Expected string, actual 1",
        stage: "encode"
      }),
      "Row does not encode: users 7 at tags.0: Expected string, actual 1. Nothing was sent. Fix the value."
    ],
    [
      new Db.DecodeError({ table: "users", id: "", path: "limit", issue: "Expected a whole number", stage: "filter" }),
      "Filter not understood: users at limit: Expected a whole number. Nothing was sent. Fix the filter."
    ]
  ]

  it.each(words)("%s", (error, message) => {
    expect(error.message).toBe(message)
  })
})

describe("values of rows", () => {
  const value = "ann@example.com"
  const said: ReadonlyArray<readonly [code: string, reason: string, details: string]> = [
    [
      "23505",
      'duplicate key value violates unique constraint "users_email_key"',
      `Key (email)=(${value}) already exists.`
    ],
    ["23502", 'null value in column "name"', `Failing row contains (1, ${value}).`],
    ["22P02", `invalid input syntax for type uuid: "${value} "quoted" too"`, ""],
    ["22003", `value "${value}" is out of range for type integer`, ""],
    ["42601", `syntax error in tsquery: "${value}"`, ""],
    ["PGRST100", `"failed to parse logic tree ((a.eq.${value}))" (line 1, column 4)`, "unexpected end"]
  ]

  const printed = (error: unknown): ReadonlyArray<string> => [
    String(error),
    inspect(error, { depth: 9 }),
    inspect({ within: [error] }, { depth: 9 }),
    JSON.stringify(error),
    Cause.pretty(Cause.fail(error)),
    JSON.stringify({ ...Object(error) })
  ]

  it.each(said)("%s: are in no message, in no log, and in the fields for who asks", (code, reason, details) => {
    const errors = [
      new Db.QueryError({ code, reason, details, hint: "", status: 400 }),
      new Db.TransactionFailed({ step: 0, operation: "insert users", code, reason, details, hint: "" })
    ]
    for (const error of errors) {
      for (const text of [error.message, ...printed(error)]) expect(text).not.toContain(value)
      expect([error.reason, error.details]).toEqual([reason, details])
      expect(error.message).toContain(code)
      expect(JSON.stringify(error)).toContain(JSON.stringify(error.message))
    }
  })

  it.effect("reach none of the loggers", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const into = (logger: Logger.Logger<unknown, unknown>): Logger.Logger<unknown, void> =>
        Logger.map(logger, (line) => void lines.push(typeof line === "string" ? line : inspect(line, { depth: 9 })))
      const error = new Db.QueryError({
        code: "23505",
        reason: "duplicate key",
        details: `Key (email)=(${value}) already exists.`,
        hint: "",
        status: 409
      })
      for (const logger of [Logger.stringLogger, Logger.logfmtLogger, Logger.jsonLogger, Logger.structuredLogger]) {
        const log = Effect.all([Effect.logError("failed", error), Effect.logError("failed", Cause.fail(error))])
        yield* Effect.provide(log, Logger.replace(Logger.defaultLogger, into(logger)))
      }
      expect(lines.length).toBe(8)
      for (const line of lines) {
        expect(line).toContain("23505")
        expect(line).not.toContain(value)
      }
    })
  )
})

describe("secrets", () => {
  const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJl"
  const keys = ["sb_secret_abcdefgh_12345678", "sb_publishable_abcdefgh_12345678", jwt]

  const shown = (error: unknown): string =>
    [String(error), inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error)].join("\n")

  it.effect("a server that repeats the request's headers in its error gives no key or token away", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve((response, { headers }) =>
          json(
            response,
            {
              message: `bad key ${headers["apikey"]}`,
              details: `token ${headers.authorization}`,
              hint: `${headers.authorization}`,
              code: "PGRST301"
            },
            401
          )
        )
        const [serviceRoleKey = "", anonKey = ""] = keys
        yield* Effect.gen(function* () {
          const errors = [
            yield* failureOf(Db.read((client) => client.from("a").select("*"))),
            yield* failureOf(Db.write((client) => client.from("a").insert({}))),
            yield* failureOf(Db.write((client) => client.from("a").insert({}).throwOnError())),
            yield* failureOf(Db.write((client) => client.from("a").insert({})).pipe(Db.withAccessToken(jwt)))
          ]
          for (const error of errors) {
            expect(error._tag).toBe("QueryError")
            for (const key of keys) expect(shown(error)).not.toContain(key)
            expect(shown(error)).toContain("<redacted>")
          }
        }).pipe(Effect.provide(layer(server.url, {}, { anonKey, serviceRoleKey })))
      })
    )
  )

  it.effect("a broken connection gives no key or token away", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* serve((response) => response.destroy())
        const [serviceRoleKey = "", anonKey = ""] = keys
        yield* Effect.gen(function* () {
          const error = yield* failureOf(
            Db.write((client) => client.from("a").insert({})).pipe(Db.withAccessToken(jwt))
          )
          expect(error._tag).toBe("ConnectionFailed")
          for (const key of keys) expect(shown(error)).not.toContain(key)
        }).pipe(Effect.provide(layer(server.url, {}, { anonKey, serviceRoleKey })))
      })
    )
  )
})
