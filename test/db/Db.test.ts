/** Operations from the caller's side: repeated where that is safe, passed through where they are the caller's own. */
import { describe, expect, it } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Cause, Data, Duration, Effect, Exit, Fiber, Option, Schema, Stream, TestClock, type Tracer } from "effect"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { type Answer, against, failureOf, json, layer, problem, type TestServer } from "../support/httpServer.js"

const read = Db.read((client) => client.from("products").select("id"))
const insert = Db.write((client) => client.from("products").insert({ id: 1 }))

const retrying = { maxRetries: 3, retryDelay: "1 second" } as const

/** The first answers are failures. */
const failingFirst =
  (failures: ReadonlyArray<Answer>): Answer =>
  (response, seen, nth) =>
    (failures[nth - 1] ?? ((last) => json(last, [{ id: 1 }])))(response, seen, nth)

const failing =
  (status: number, code: string, headers = {}): Answer =>
  (response) =>
    problem(response, status, code, headers)

const active = Effect.map(
  Effect.flatMap(Effect.all([Pool.ReadPool, Pool.WritePool]), (pools) =>
    Effect.forEach(pools, ({ metrics }) => metrics)
  ),
  (metrics) => metrics.reduce((sum, { active }) => sum + active, 0)
)

/** Lets sockets have their events. */
const tick = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Until the fiber waits for a retry: the server has answered so often and nobody has a connection. */
const waits = (server: TestServer, requests: number) =>
  Effect.zipRight(
    server.until(() => server.seen.length === requests),
    Effect.repeat(Effect.zipRight(tick, active), { until: (n) => n === 0 })
  )

describe("a retry", () => {
  it.effect("comes after 1 s, 2 s and 4 s, and the connection is in the pool meanwhile", () =>
    against(
      failing(503, "PGRST001"),
      retrying
    )((server) =>
      Effect.gen(function* () {
        const reading = yield* Effect.fork(failureOf(read))
        for (const [n, wait] of [1, 2, 4].entries()) {
          yield* waits(server, n + 1)
          yield* TestClock.adjust(Duration.millis(wait * 1_000 - 1))
          yield* tick
          expect(server.seen.length).toBe(n + 1)
          expect(yield* active).toBe(0)
          yield* TestClock.adjust("1 millis")
        }
        expect(yield* Fiber.join(reading)).toMatchObject({ _tag: "QueryError", code: "PGRST001" })
        expect(server.seen.length).toBe(4)
      })
    )
  )

  it.effect("waits as long as the server asks with Retry-After", () =>
    against(
      failingFirst([failing(429, "", { "retry-after": "17" })]),
      retrying
    )((server) =>
      Effect.gen(function* () {
        const reading = yield* Effect.fork(read)
        yield* waits(server, 1)
        yield* TestClock.adjust("16 seconds")
        expect(server.seen.length).toBe(1)
        yield* TestClock.adjust("1 seconds")
        expect(yield* Fiber.join(reading)).toEqual([{ id: 1 }])
      })
    )
  )

  it.effect("of a write is made when nothing was executed", () =>
    against(
      failingFirst([failing(500, "40001")]),
      retrying
    )((server) =>
      Effect.gen(function* () {
        const writing = yield* Effect.fork(insert)
        yield* waits(server, 1)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(writing)
        expect(server.seen.length).toBe(2)
      })
    )
  )

  it.effect("of a write is not made when it may have been executed", () =>
    against(
      failingFirst([(response) => void response.writeHead(502).end()]),
      retrying
    )((server) =>
      Effect.gen(function* () {
        expect(yield* failureOf(insert)).toMatchObject({ _tag: "QueryError", status: 502, mayHaveExecuted: true })
        expect(server.seen.length).toBe(1)
      })
    )
  )

  it.effect("of an idempotent write is made although it may have been executed", () =>
    against(
      failingFirst([(response) => void response.writeHead(502).end()]),
      retrying
    )((server) =>
      Effect.gen(function* () {
        const writing = yield* Effect.fork(
          Db.write((client) => client.from("a").upsert({ id: 1 }), { idempotent: true })
        )
        yield* waits(server, 1)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(writing)
        expect(server.seen.length).toBe(2)
      })
    )
  )

  it.effect("that fails without an answer does not hide that an earlier attempt may have been executed", () =>
    against(failingFirst([(response) => void response.writeHead(502).end(), failing(503, "PGRST001")]), {
      ...retrying,
      maxRetries: 1
    })((server) =>
      Effect.gen(function* () {
        const writing = yield* Effect.fork(
          failureOf(Db.write((client) => client.from("a").upsert({ id: 1 }), { idempotent: true }))
        )
        yield* waits(server, 1)
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(writing)).toMatchObject({ status: 502, mayHaveExecuted: true })
        expect(server.seen.length).toBe(2)
      })
    )
  )

  it.effect("is not waited for when the caller is interrupted", () =>
    against(
      failing(503, "PGRST001"),
      retrying
    )((server) =>
      Effect.gen(function* () {
        const reading = yield* Effect.fork(read)
        yield* waits(server, 1)
        expect(Exit.isInterrupted(yield* Fiber.interrupt(reading))).toBe(true)
        yield* TestClock.adjust("10 seconds")
        expect(server.seen.length).toBe(1)
      })
    )
  )

  it.effect("is not made when an earlier write of the same operation was executed", () =>
    against((response, { url }) => (url.includes("second") ? problem(response, 503, "PGRST001") : json(response, [])), {
      ...retrying
    })((server) =>
      Effect.gen(function* () {
        const both = Db.write((client) =>
          Effect.gen(function* () {
            yield* Effect.promise(async () => client.from("first").insert({}))
            yield* Effect.promise(async () => client.from("second").insert({}))
            return yield* new Db.QueryError({ code: "PGRST001", reason: "", details: "", hint: "", status: 503 })
          })
        )
        expect(yield* failureOf(both)).toMatchObject({ code: "PGRST001" })
        expect(server.seen.length).toBe(2)
      })
    )
  )

  it.effect("is not made while a write of the same operation is under way", () =>
    against(
      (response, { url }) => (url.includes("slow") ? undefined : json(response, [])),
      retrying
    )((server) =>
      Effect.gen(function* () {
        const sloppy = Db.write((client) =>
          Effect.gen(function* () {
            void Promise.resolve(client.from("slow").insert({})).catch(() => {})
            yield* server.until(() => server.seen.length === 1)
            return yield* new Db.QueryError({ code: "40001", reason: "", details: "", hint: "", status: 500 })
          })
        )
        yield* failureOf(sloppy)
        yield* server.until(() => !server.sockets.has(server.seen[0]?.socket ?? 0))
        expect(server.seen.length).toBe(1)
      })
    )
  )
})

describe("a socket that was closed under a read", () => {
  it.effect("is replaced at once: only a second failure is followed by a delay", () => {
    let requests = 0
    const gone = { pool: "read", origin: "http://db.test", failure: "closed", code: "", sent: true } as const
    const database = Db.layerTest(
      () => {
        requests += 1
        return requests % 3 === 0 ? Response.json([]) : Effect.fail(new Db.ConnectionFailed(gone))
      },
      { ...retrying, retryJitter: false }
    )
    return Effect.gen(function* () {
      const reading = yield* Effect.fork(read)
      yield* Effect.repeatN(tick, 20)
      expect(requests).toBe(2)
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(reading)).toEqual([])
      expect(requests).toBe(3)
    }).pipe(Effect.provide(database))
  })
})

describe("a database that refuses connections", () => {
  it.effect("is not asked again where the delay alone would outlast connectionTimeout", () =>
    Effect.map(failureOf(read), (error) => expect(error._tag).toBe("ConnectionFailed")).pipe(
      // The clock stands still: whoever waits for the delay waits for ever.
      Effect.provide(layer("http://127.0.0.1:9", { ...retrying, connectionTimeout: "300 millis" }))
    )
  )
})

describe("the retry budget", () => {
  type Gone = "refused" | "closed"

  const kinds: ReadonlyArray<Gone> = ["refused", "closed"]

  // A socket that was closed under a request is replaced at once, without a delay; that is no way round the budget.
  it.live.each(kinds)("lets a hundred operations try again (%s), and then one for five that succeed", (failure) => {
    let away = true
    let requests = 0
    const gone = new Db.ConnectionFailed({ pool: "read", origin: "http://db.test", failure, code: "", sent: true })
    const database = Db.layerTest(
      () => {
        requests += 1
        return away ? Effect.fail(gone) : Response.json([])
      },
      { maxRetries: 1, retryDelay: 1, minConnections: 1, maxConnections: 2 }
    )
    const asking = (operations: number) =>
      Effect.suspend(() => {
        requests = 0
        return Effect.map(Effect.replicateEffect(Effect.exit(read), operations), () => requests)
      })
    return Effect.gen(function* () {
      expect(yield* asking(110)).toBe(210)
      away = false
      yield* asking(11)
      away = true
      expect(yield* asking(5)).toBe(7)
    }).pipe(Effect.provide(database))
  })
})

describe("what is the caller's own", () => {
  class Mine extends Data.TaggedError("Mine")<{ readonly n: number }> {}

  it.effect("a failure of the caller's Effect passes through unchanged, and the connection comes back", () =>
    against(
      failingFirst([]),
      retrying
    )(() =>
      Effect.gen(function* () {
        const mine = new Mine({ n: 1 })
        expect(yield* failureOf(Db.read(() => Effect.fail(mine)))).toBe(mine)
        expect(yield* active).toBe(0)
      })
    )
  )

  it.effect("a defect of the caller's Effect passes through unchanged, and the connection comes back", () =>
    against(
      failingFirst([]),
      retrying
    )(() =>
      Effect.gen(function* () {
        const defect = new Error("defect")
        const exits = [
          yield* Effect.exit(Db.read(() => Effect.die(defect))),
          yield* Effect.exit(
            Db.read((): Effect.Effect<void> => {
              throw defect
            })
          ),
          yield* Effect.exit(Db.read(() => Promise.reject<{ error: null; status: number; data: null }>(defect)))
        ]
        for (const exit of exits) {
          const found = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.dieOption(exit.cause)) : undefined
          expect(found).toBe(defect)
        }
        expect(yield* active).toBe(0)
      })
    )
  )

  it.effect("a name that supabase-js refuses is a defect, and the connection comes back", () =>
    against(failingFirst([]))(() =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(Db.read((client) => client.from(" ").select("*")))
        expect(Exit.isFailure(exit) && Cause.isDie(exit.cause)).toBe(true)
        expect(yield* active).toBe(0)
      })
    )
  )

  it.effect("throwOnError() gives the same errors, retried the same", () =>
    against(
      failingFirst([failing(500, "40001"), failing(409, "23505")]),
      retrying
    )((server) =>
      Effect.gen(function* () {
        const writing = yield* Effect.fork(failureOf(Db.write((client) => client.from("a").insert({}).throwOnError())))
        yield* waits(server, 1)
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(writing)).toMatchObject({ _tag: "QueryError", code: "23505", status: 409 })
        expect(server.seen.length).toBe(2)
      })
    )
  )
})

describe("users", () => {
  it.effect("200 users at once on shared sockets each send their own token, and nobody else's", () =>
    against((response, { headers }) => setImmediate(() => json(response, { token: headers.authorization })), {
      minConnections: 2,
      maxConnections: 6
    })((server) =>
      Effect.gen(function* () {
        const asUser = (n: number) =>
          Effect.gen(function* () {
            for (let i = 0; i < 3; i++) {
              const mine: unknown = yield* Db.read((client) => client.from("a").select("*"))
              expect(mine).toEqual({ token: `Bearer user-${n}` })
              yield* Effect.yieldNow()
            }
          }).pipe(Db.withAccessToken(`user-${n}`))
        const nobody: Effect.Effect<unknown, Db.DbError, Db.ReadDb> = Db.read((client) => client.from("a").select("*"))
        const all = yield* Effect.all(
          [
            Effect.forEach(
              Array.from({ length: 200 }, (_, n) => n),
              asUser,
              { concurrency: "unbounded" }
            ),
            nobody
          ],
          { concurrency: "unbounded" }
        )
        expect(all[1]).toEqual({ token: "Bearer anon-key-never-printed" })
        expect(server.seen.length).toBe(601)
        expect(server.opened()).toBeLessThanOrEqual(6)
      })
    )
  )

  it.effect('{ as: "service" } stands above a user\'s token', () =>
    against((response, { headers }) => json(response, { token: headers.authorization }))(() =>
      Effect.gen(function* () {
        const got: unknown = yield* Db.read((client) => client.from("users").select("*"), { as: "service" }).pipe(
          Db.withAccessToken("user-never-printed")
        )
        expect(got).toEqual({ token: "Bearer service-role-key-never-printed" })
      })
    )
  )
})

describe("spans", () => {
  const childrenOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const spans: Array<Tracer.Span> = []
      const native = yield* Effect.tracer
      const keeping: Tracer.Tracer = {
        ...native,
        span: (...args) => {
          const span = native.span(...args)
          spans.push(span)
          return span
        },
        context: (f, fiber) => native.context(f, fiber)
      }
      yield* Effect.exit(effect).pipe(Effect.withTracer(keeping))
      return spans
    })

  it.effect("an operation inside a span has one, which says what was done, where and how it ended", () =>
    against(failing(409, "23505"))((server) =>
      Effect.gen(function* () {
        const spans = yield* childrenOf(Effect.withSpan(insert, "request"))
        expect(spans.map(({ name }) => name)).toEqual(["request", "Db.write"])
        const [, span] = spans
        expect(span?.kind).toBe("client")
        expect(Object.fromEntries(span?.attributes ?? [])).toMatchObject({
          "db.system.name": "postgresql",
          "db.operation.name": "INSERT",
          "db.collection.name": "products",
          "db.client.connection.pool.name": "write",
          "db.response.status_code": "23505",
          "error.type": "QueryError",
          "server.address": "127.0.0.1",
          "server.port": server.port
        })
        expect(span?.status._tag).toBe("Ended")
      })
    )
  )

  it.effect("calling a function is a CALL, and the span of the caller's own Effect is inside the operation's", () =>
    against((response) => json(response, true))(() =>
      Effect.gen(function* () {
        const spans = yield* childrenOf(
          Effect.zipRight(
            Db.rpc("sales", {}, { get: true }),
            Db.read(() => Effect.withSpan(Effect.void, "mine"))
          ).pipe(Effect.withSpan("request"))
        )
        expect(spans.map(({ name }) => name)).toEqual(["request", "CALL sales", "Db.read", "mine"])
        expect(spans[1]?.attributes.get("db.operation.name")).toBe("CALL")
        expect(spans[1]?.attributes.get("db.stored_procedure.name")).toBe("sales")
        expect(Option.getOrUndefined(spans[3]?.parent ?? Option.none())).toBe(spans[2])
      })
    )
  )

  it.effect("a table's operations are named by what they do and by the table, from the beginning", () =>
    against(failing(409, "23505"))(() =>
      Effect.gen(function* () {
        const Note = Schema.Struct({ id: Schema.Int, body: Schema.String })
        const notes = Db.table("notes", Note, { generated: ["id"], search: ["body"] })
        const note = { id: 1, body: "a" }
        const operations: ReadonlyArray<readonly [string, Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>]> = [
          ["SELECT", notes.get(1)],
          ["SELECT", notes.find(1)],
          ["SELECT", notes.getMany([1, 2])],
          ["SELECT", notes.list({ where: { body: "a" } })],
          ["SELECT", notes.search({ query: "a" })],
          ["SELECT", notes.count()],
          ["SELECT", Stream.runDrain(notes.stream({ where: { body: "a" } }))],
          ["INSERT", notes.create(note)],
          ["INSERT", notes.createMany([note])],
          ["INSERT", notes.createMany([note, { body: "b" }])],
          ["UPDATE", notes.update(1, { body: "b" })],
          ["UPDATE", notes.updateMany({ body: "a" }, { body: "b" })],
          ["UPSERT", notes.upsert(note)],
          ["DELETE", notes.remove(1)],
          ["DELETE", notes.removeMany({ body: "a" })]
        ]
        for (const [operation, effect] of operations) {
          const [, span, ...more] = yield* childrenOf(Effect.withSpan(effect, "request"))
          expect(more).toEqual([])
          expect(span?.name).toBe(`${operation} notes`)
        }
        const [, span] = yield* childrenOf(Effect.withSpan(notes.list({ where: { body: "a" } }), "request"))
        expect(Object.fromEntries(span?.attributes ?? [])).toMatchObject({
          "db.operation.name": "SELECT",
          "db.collection.name": "notes",
          "db.query.summary": "SELECT notes"
        })
      })
    )
  )

  it.effect("each page of a table's stream has one, named by the table, and so has each half of a page", () =>
    against((response, _, nth) => json(response, nth <= 2 ? [{ id: nth }] : [], 200, { "content-range": "*/2" }))(() =>
      Effect.gen(function* () {
        const notes = Db.table("notes", Schema.Struct({ id: Schema.Int }))
        const streamed = yield* childrenOf(
          Effect.withSpan(Stream.runCount(notes.stream({ pageSize: 1, orderBy: "id" })), "request")
        )
        expect(streamed.map(({ name }) => name)).toEqual(["request", "SELECT notes", "SELECT notes", "SELECT notes"])
        const paged = yield* childrenOf(Effect.withSpan(notes.page({ limit: 1 }), "request"))
        expect(paged.map(({ name }) => name)).toEqual(["request", "SELECT notes", "SELECT notes"])
      })
    )
  )

  it.effect("a transaction has one, which says how many steps it has", () =>
    against(failing(409, "23505"))(() =>
      Effect.gen(function* () {
        const note = (client: SupabaseClient) => client.from("notes").insert({})
        const sizes = yield* Effect.forEach([[note], [note, note, note]], (steps) =>
          Effect.map(childrenOf(Effect.withSpan(Db.transaction(steps), "request")), ([, span]) => [
            span?.name,
            span?.attributes.get("db.operation.batch.size")
          ])
        )
        expect(sizes).toEqual([
          ["Db.transaction", undefined],
          ["Db.transaction", 3]
        ])
      })
    )
  )

  it.effect("a retried operation says how often", () =>
    against(
      failingFirst([failing(503, "PGRST001")]),
      retrying
    )((server) =>
      Effect.gen(function* () {
        const reading = yield* Effect.fork(childrenOf(Effect.withSpan(read, "request")))
        yield* waits(server, 1)
        yield* TestClock.adjust("1 second")
        const [, span] = yield* Fiber.join(reading)
        expect(span?.attributes.get("http.request.resend_count")).toBe(1)
      })
    )
  )

  it.effect(
    "says which connection, how long it waited for it, what the query was without values, and how many rows came",
    () =>
      against((response) => json(response, [{ id: 1 }, { id: 2 }]))(() =>
        Effect.gen(function* () {
          const select = Db.read((client) => client.from("products").select("id").eq("secret", "s3cr3t"))
          const [, span] = yield* childrenOf(Effect.withSpan(select, "request"))
          expect(Object.fromEntries(span?.attributes ?? [])).toMatchObject({
            "db.query.summary": "SELECT products",
            "db.query.text": "SELECT id FROM products WHERE secret = ?",
            "db.response.returned_rows": 2,
            "supabase.connection.id": expect.stringMatching(/^read-\d+$/),
            "supabase.connection.wait_time": expect.any(Number)
          })
          expect(JSON.stringify([...(span?.attributes ?? [])])).not.toContain("s3cr3t")
        })
      )
  )

  it.effect("the requests of an operation carry its span, those of an operation without one carry none", () =>
    against(failingFirst([]))((server) =>
      Effect.gen(function* () {
        const [, span] = yield* childrenOf(Effect.withSpan(read, "request"))
        yield* read
        expect(server.seen.map(({ headers }) => headers["traceparent"])).toEqual([
          `00-${span?.traceId}-${span?.spanId}-01`,
          undefined
        ])
      })
    )
  )

  it.effect("a tracer whose ids no header can carry sends none", () =>
    against(failingFirst([]))((server) =>
      Effect.gen(function* () {
        const native = yield* Effect.tracer
        const strange: Tracer.Tracer = {
          ...native,
          span: (...args) => Object.assign(native.span(...args), { traceId: "evil\r\nx-header: 1" }),
          context: (f, fiber) => native.context(f, fiber)
        }
        yield* Effect.withSpan(read, "request").pipe(Effect.withTracer(strange))
        expect(server.seen[0]?.headers).not.toHaveProperty("traceparent")
      })
    )
  )

  it.effect("an operation outside of any span makes none", () =>
    against(failingFirst([]))(() =>
      Effect.gen(function* () {
        expect((yield* childrenOf(read)).length).toBe(0)
      })
    )
  )
})
