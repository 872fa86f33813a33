/**
 * Each fault against a database that keeps a ledger of what it executed. While the fault lasts: which error a write
 * gets. When it hits the first attempt only: what is tried again, and that nothing was executed twice and nothing that was
 * acknowledged is missing.
 */
import { readFileSync } from "node:fs"
import type * as Http from "node:http"
import * as Tls from "node:tls"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Logger, LogLevel, Option, type Scope, TestClock } from "effect"
import * as Db from "../../src/Db.js"
import { json, layer, listen, problem, serve } from "../support/httpServer.js"
import { type FaultRow, shows } from "../support/reliability.js"
import { closedPort, type Fault, make as makeProxy } from "../support/tcpProxy.js"

const requestTimeout = 400
const connectionTimeout = 3_000

/** Long enough for a fault to be over at the next attempt. */
const retryDelay = 100

/** Counts what it executes, and answers as it is told. */
class Ledger {
  executed = 0
  /** What becomes of a request; `undefined`: executed, and answered well. */
  fault: ((response: Http.ServerResponse) => { readonly executes: boolean }) | undefined
  /** The fault is over after its first request. */
  once = false

  readonly answer = (response: Http.ServerResponse): void => {
    const { fault } = this
    if (this.once) this.fault = undefined
    if (fault === undefined) {
      this.executed += 1
      json(response, [{ id: 1 }])
    } else if (fault(response).executes) this.executed += 1
  }
}

interface World {
  readonly ledger: Ledger
  readonly url: string
  /** The fault is over, where it does not end by itself. */
  readonly clear: Effect.Effect<void>
}

/** A fault that lasts, or one that is over when it has met the first attempt. */
type Arrange = (once: boolean) => Effect.Effect<World, never, Scope.Scope>

const proxied = Effect.gen(function* () {
  const ledger = new Ledger()
  const server = yield* serve(ledger.answer)
  const proxy = yield* makeProxy(server.port)
  return { ledger, proxy, url: proxy.url, clear: Effect.void }
})

/** By the proxy; each of the two pools has one connection, and opens it at once. */
const network =
  (fault: Fault): Arrange =>
  (once) =>
    Effect.tap(proxied, ({ proxy }) =>
      Effect.sync(() => {
        if (once) proxy.script.push(fault, fault)
        else proxy.fault = fault
      })
    )

/** By the server: an answer of its own, with or without executing the request. */
const answered =
  (reply: (response: Http.ServerResponse) => void, executes: boolean): Arrange =>
  (once) =>
    Effect.tap(proxied, ({ ledger }) =>
      Effect.sync(() => {
        ledger.once = once
        ledger.fault = (response) => {
          reply(response)
          return { executes }
        }
      })
    )

const refused: Arrange = () =>
  Effect.map(
    Effect.tap(proxied, ({ proxy }) => proxy.down),
    (world) => ({ ...world, clear: Effect.delay(world.proxy.up, retryDelay / 2) })
  )

const status =
  (code: number, headers: Http.OutgoingHttpHeaders = {}) =>
  (response: Http.ServerResponse) =>
    void response.writeHead(code, { "content-type": "text/html", ...headers }).end("<html>")

const postgrest = (code: number, name: string) => (response: Http.ServerResponse) => problem(response, code, name)

const operations = {
  read: Db.read((client) => client.from("notes").select("id")),
  insert: Db.write((client) => client.from("notes").insert({ id: 1 }).select()),
  "idempotent write": Db.write((client) => client.from("notes").upsert({ id: 1 }).select(), { idempotent: true })
} as const satisfies Record<string, Effect.Effect<unknown, Db.DbError, Db.Provided>>

type Kind = keyof typeof operations

const run = (kind: Kind, url: string, maxRetries: number): Effect.Effect<Exit.Exit<unknown, Db.DbError>> => {
  const operation: Effect.Effect<unknown, Db.DbError, Db.Provided> = operations[kind]
  return Effect.exit(operation).pipe(
    Effect.provide(layer(url, { maxRetries, retryDelay, requestTimeout, connectionTimeout })),
    // Nothing takes longer than its connection and its requests together, whatever happens.
    Effect.timeout(connectionTimeout + (maxRetries + 1) * (requestTimeout + 2_000)),
    Effect.orDie,
    Logger.withMinimumLogLevel(LogLevel.None)
  )
}

const errorOf = (exit: Exit.Exit<unknown, Db.DbError>): Db.DbError | undefined =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined

const worded = (error: Db.DbError | undefined): string => {
  if (error === undefined) return "none"
  const detail =
    error._tag === "ConnectionFailed" ? ` (${error.failure})` : error._tag === "QueryError" ? ` (${error.status})` : ""
  return `\`${error._tag}\`${detail}, \`mayHaveExecuted: ${error.mayHaveExecuted}\``
}

const boundOf = (error: Db.DbError | undefined): string => {
  if (error?._tag === "RequestTimeout") return "`requestTimeout`"
  if (error?._tag === "AcquireTimeout") return "`connectionTimeout`"
  return "at once"
}

/** While it lasts, without retries. */
const lasting = (arrange: Arrange) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { ledger, url } = yield* arrange(false)
      const error = errorOf(yield* run("insert", url, 0))
      expect(ledger.executed).toBeLessThanOrEqual(1)
      if (error?.mayHaveExecuted === false) expect(ledger.executed).toBe(0)
      if (error === undefined) expect(ledger.executed).toBe(1)
      return error
    })
  )

/** With retries. */
const passing = (arrange: Arrange, kind: Kind) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { clear, ledger, url } = yield* arrange(true)
      const fiber = yield* Effect.fork(run(kind, url, 3))
      yield* clear
      const exit = yield* Fiber.join(fiber)
      return { succeeded: Exit.isSuccess(exit), executed: ledger.executed, error: errorOf(exit) }
    })
  )

const counted = ({ executed, succeeded }: { readonly executed: number; readonly succeeded: boolean }): string =>
  `${executed}${succeeded ? ", acknowledged" : ", error"}`

/**
 * A socket that is reset while it is idle may be noticed before it is used, or after. Either is right; the page says what
 * holds in both cases.
 */
const isEither = "reset as soon as connected"

const either = (shown: FaultRow): FaultRow => ({
  ...shown,
  error: "`ConnectionFailed` (closed)",
  retried: "reads, idempotent writes; plain writes unless they were sent",
  executed: "insert at most 1; idempotent at least 1, acknowledged"
})

const row = (what: string, arrange: Arrange): Effect.Effect<FaultRow> =>
  Effect.gen(function* () {
    const error = yield* lasting(arrange)
    const read = yield* passing(arrange, "read")
    const insert = yield* passing(arrange, "insert")
    const idempotent = yield* passing(arrange, "idempotent write")
    // Not twice; and what was acknowledged was executed.
    expect(insert.executed).toBe(insert.succeeded ? 1 : Math.min(1, insert.executed))
    if (insert.error?.mayHaveExecuted === false) expect(insert.executed).toBe(0)
    expect(idempotent.executed).toBeGreaterThanOrEqual(idempotent.succeeded ? 1 : 0)
    expect(read.succeeded).toBe(true)
    expect(idempotent.succeeded).toBe(true)
    const again = [
      ["reads", read],
      ["plain writes", insert],
      ["idempotent writes", idempotent]
    ] as const
    return {
      kind: "fault",
      what,
      error: worded(error),
      atMost: boundOf(error),
      retried: again.flatMap(([name, { succeeded }]) => (succeeded ? [name] : [])).join(", "),
      executed: `insert ${counted(insert)}; idempotent ${counted(idempotent)}`
    }
  })

const garbage = "SSH-2.0-OpenSSH_9.2\r\n\r\n"

const faults: Record<string, Arrange> = {
  "nobody listens": refused,
  "connected, then silence": network({ kind: "silence" }),
  [isEither]: network({ kind: "resetOnAccept" }),
  "reset within the request": network({ kind: "resetAfterRequest", bytes: 20 }),
  "reset after the request, before the answer": network({ kind: "cutAnswer", bytes: 0, how: "reset" }),
  "closed after the request, before the answer": network({ kind: "cutAnswer", bytes: 0, how: "end" }),
  "the answer is cut in its head": network({ kind: "cutAnswer", bytes: 40, how: "reset" }),
  "the answer lacks its last byte": network({ kind: "cutAnswer", bytes: 129, how: "end" }),
  "the answer comes a byte a second": network({ kind: "drip", millis: 1_000 }),
  "garbage for an answer": network({ kind: "garbage", text: garbage }),
  "502 of a gateway": answered(status(502), true),
  "503 of a gateway": answered(status(503), true),
  "504 of a gateway": answered(status(504), true),
  "503 PGRST001: PostgREST has no database": answered(postgrest(503, "PGRST001"), false),
  "504 PGRST003: PostgREST waits for a slot in vain": answered(postgrest(504, "PGRST003"), false),
  "500 40001: serialisation failure, rolled back": answered(postgrest(500, "40001"), false),
  "429": answered(status(429), false)
}

describe("every fault, with a ledger at the database", () => {
  for (const [what, arrange] of Object.entries(faults)) {
    it.live(`${what}: nothing is executed twice, and nothing acknowledged is missing`, (context) =>
      Effect.map(row(what, arrange), (shown) => shows(context, what === isEither ? either(shown) : shown))
    )
  }
})

describe("a server that closes idle sockets while we send", () => {
  it.live(
    "a plain write says that it may have been executed, a read and an idempotent write are sent once more",
    (context) =>
      Effect.gen(function* () {
        const on = (kind: Kind) =>
          Effect.scoped(
            Effect.gen(function* () {
              const ledger = new Ledger()
              const used = new Set<number>()
              const server = yield* serve((response, { socket }) => {
                if (used.has(socket)) {
                  used.delete(socket)
                  ledger.executed += 1
                  response.destroy()
                  return
                }
                used.add(socket)
                ledger.answer(response)
              })
              const exits = yield* Effect.replicateEffect(Effect.exit(asOperation(kind)), 2).pipe(
                Effect.provide(layer(server.url, { maxRetries: 3, retryDelay, requestTimeout, connectionTimeout })),
                Logger.withMinimumLogLevel(LogLevel.None)
              )
              const [, second = Exit.void] = exits
              return { succeeded: Exit.isSuccess(second), error: errorOf(second), executed: ledger.executed - 1 }
            })
          )
        const read = yield* on("read")
        const insert = yield* on("insert")
        const idempotent = yield* on("idempotent write")
        expect([read.succeeded, insert.succeeded, idempotent.succeeded]).toEqual([true, false, true])
        expect(insert.executed).toBe(1)
        shows(context, {
          kind: "fault",
          what: "the server closes an idle socket while we send",
          error: worded(insert.error),
          atMost: boundOf(insert.error),
          retried: "reads, idempotent writes, at once on another socket",
          executed: `insert ${counted(insert)}; idempotent ${counted(idempotent)}`
        })
      })
  )

  const asOperation = (kind: Kind): Effect.Effect<unknown, Db.DbError, Db.Provided> => operations[kind]
})

describe("no way to the database", () => {
  const never = (what: string, url: string, failure: string) =>
    Effect.gen(function* () {
      const error = errorOf(yield* run("insert", url, 0))
      expect(error).toMatchObject({ _tag: "ConnectionFailed", failure, mayHaveExecuted: false })
      return {
        kind: "fault",
        what,
        error: worded(error),
        atMost: boundOf(error),
        retried: "all, `maxRetries` times, until `connectionTimeout`",
        executed: "0"
      } satisfies FaultRow
    })

  it.live("a name without an address", (context) =>
    Effect.map(never("the name has no address", "http://no-such-project.invalid", "dns"), (shown) =>
      shows(context, shown)
    )
  )

  const file = (name: string): string => readFileSync(new URL(`../support/tls/${name}`, import.meta.url), "utf8")

  it.live("a certificate that nobody vouches for: not a byte of the request leaves", (context) =>
    Effect.scoped(
      Effect.gen(function* () {
        let data = 0
        const server = Tls.createServer({ key: file("key.pem"), cert: file("cert.pem") }, (socket) => {
          socket.on("data", () => {
            data += 1
          })
          socket.on("error", () => {})
        })
        server.on("tlsClientError", () => {})
        const port = yield* Effect.acquireRelease(listen(server), () => Effect.sync(() => server.close()))
        const shown = yield* never("the certificate is not trusted", `https://127.0.0.1:${port}`, "tls")
        expect(data).toBe(0)
        shows(context, shown)
      })
    )
  )

  it.live("nobody listens, for longer than anybody waits: an error within connectionTimeout, nothing sent", (context) =>
    Effect.gen(function* () {
      const port = yield* closedPort
      const error = errorOf(yield* run("insert", `http://127.0.0.1:${port}`, 3))
      expect(error).toMatchObject({ _tag: "ConnectionFailed", failure: "refused", mayHaveExecuted: false })
      shows(context, {
        kind: "fault",
        what: "nobody listens, and never will",
        error: worded(error),
        atMost: "`connectionTimeout`, retries included",
        retried: "all, `maxRetries` times, until `connectionTimeout`",
        executed: "0"
      })
    })
  )
})

describe("429 with Retry-After", () => {
  const thursday = "Thu, 01 Jan 1970 00:00:07 GMT"

  const forms: ReadonlyArray<readonly [header: string | undefined, seconds: number, why: string]> = [
    [undefined, 1, "our own delay"],
    ["3", 3, "seconds"],
    ["0", 1, "never less than our own delay"],
    [thursday, 7, "an HTTP date"],
    ["Thu, 01 Jan 1969 00:00:00 GMT", 1, "a date that is over"],
    ["-5", 1, "no number of seconds"],
    ["1.5", 1, "no whole number"],
    ["soon", 1, "no date"],
    ["99999999999", 30, "capped"]
  ]
  for (const [header, seconds, why] of forms) {
    it.effect(`${header ?? "none"}: the next attempt comes after ${seconds} s`, (context) => {
      let requests = 0
      const handler = () => {
        requests += 1
        return requests === 1
          ? new Response("<html>", { status: 429, headers: header === undefined ? {} : { "retry-after": header } })
          : Response.json([])
      }
      return Effect.gen(function* () {
        const reading = yield* Effect.fork(operations.read)
        yield* TestClock.adjust(Duration.millis(seconds * 1_000 - 1))
        yield* ticks
        expect(requests).toBe(1)
        yield* TestClock.adjust("1 millis")
        expect(yield* Fiber.join(reading)).toEqual([])
        expect(requests).toBe(2)
        const shown = header === undefined ? "no `Retry-After`" : `\`Retry-After: ${header}\``
        shows(context, {
          kind: "promise",
          section: "Retry-After",
          what: `${shown}: the next attempt comes after ${seconds} s (${why})`
        })
      }).pipe(
        Effect.provide(
          Layer.orDie(
            Db.layerTest(handler, { retryDelay: "1 second", retryJitter: false, maxRetries: 1, keepaliveInterval: 0 })
          )
        )
      )
    })
  }

  /** Builders resolve in promises, which virtual time does not wait for. */
  const ticks = Effect.repeatN(
    Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void))),
    5
  )
})
