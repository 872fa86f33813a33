/**
 * Lists of a server that gives no more rows at a time than its max rows, as PostgREST does: tables, functions by GET and by
 * POST, and what is said of a caller's own builder.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { describe, expect, it, vi } from "@effect/vitest"
import { Effect, FastCheck as fc, Logger, Schema, type Scope, Stream } from "effect"
import * as Db from "../../src/Db.js"
import { MostRows } from "../../src/internal/table/mostRows.js"
import { createDatabase } from "../../src/promise.js"
import { anonKey, layer as database, failureOf, listen, serviceRoleKey } from "../support/httpServer.js"

const Item = Schema.Struct({ id: Schema.Int, name: Schema.String })
const items = Db.table("items", Item)
const service = Db.table("items", Item, { as: "service" })

interface Row {
  readonly id: number
  readonly name: string
}

const numbered = (count: number): ReadonlyArray<Row> =>
  Array.from({ length: count }, (_, id) => ({ id, name: `item ${id}` }))

interface Asked {
  readonly method: string
  readonly path: string
  readonly params: URLSearchParams
  readonly prefer: string
}

/** Answers as PostgREST 16.2: reads and functions are cut at max rows, what a write gives back is not. */
class Cutting {
  rows: ReadonlyArray<Row> = []
  /** What a function gives that gives one value. */
  value: unknown = true
  maxRows = Number.POSITIVE_INFINITY
  /** A gateway on the way drops `Content-Range`. */
  saysPlace = true
  heedsOffset = true
  /** Counts what it gives where that is asked. */
  counts = true
  /** Says which preferences it heeded (PostgREST 12 and newer). */
  saysApplied = false
  readonly seen: Array<Asked> = []

  readonly answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { headers, method = "", url = "" } = request
    request.resume()
    const { pathname, searchParams: params } = new URL(url, "http://x")
    if (pathname === "/") return void response.end("{}")
    const asked = { method, path: pathname.replace("/rest/v1/", ""), params, prefer: String(headers["prefer"] ?? "") }
    this.seen.push(asked)
    if (asked.path === "rpc/value") {
      this.single(response, asked)
      return
    }
    const isWrite = !["GET", "HEAD"].includes(method) && !asked.path.startsWith("rpc/")
    this.list(
      response,
      asked,
      isWrite ? this.rows : this.chosen(asked),
      isWrite ? Number.POSITIVE_INFINITY : this.maxRows
    )
  }

  private chosen({ params }: Asked): ReadonlyArray<Row> {
    const id = params.get("id")
    if (id === null) return this.rows
    const ids = new Set([...id.matchAll(/\d+/g)].map(Number))
    return this.rows.filter((row) => ids.has(row.id))
  }

  private list(response: ServerResponse, asked: Asked, all: ReadonlyArray<Row>, maxRows: number): void {
    const { method, params, prefer } = asked
    const offset = this.heedsOffset ? Number(params.get("offset") ?? 0) : 0
    const limit = Math.min(Number(params.get("limit") ?? Number.POSITIVE_INFINITY), maxRows)
    const rows = all.slice(offset, offset + limit)
    const total = this.counts && prefer.includes("count=exact") ? String(all.length) : "*"
    const place = rows.length === 0 ? "*" : `${offset}-${offset + rows.length - 1}`
    this.send(response, method, rows, total !== "*" && rows.length < all.length ? 206 : 200, `${place}/${total}`)
  }

  /** From the second row on there is none, of which PostgREST makes null and others an error. */
  private single(response: ServerResponse, { method, params, prefer }: Asked): void {
    const isThere = Number(params.get("offset") ?? 0) === 0
    this.send(response, method, isThere ? this.value : null, 200, `0-0/${prefer.includes("count=exact") ? 1 : "*"}`)
  }

  private send(response: ServerResponse, method: string, body: unknown, status: number, range: string): void {
    const place = this.saysPlace ? { "content-range": range } : {}
    const applied = this.saysApplied && !range.endsWith("/*") ? { "preference-applied": "count=exact" } : {}
    response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...place, ...applied })
    response.end(method === "HEAD" ? undefined : JSON.stringify(body))
  }
}

const cutting: Effect.Effect<{ readonly server: Cutting; readonly url: string }, never, Scope.Scope> = Effect.gen(
  function* () {
    const server = new Cutting()
    const http = createServer(server.answer)
    const port = yield* Effect.acquireRelease(listen(http), () =>
      Effect.sync(() => {
        http.closeAllConnections()
        http.close()
      })
    )
    return { server, url: `http://127.0.0.1:${port}` }
  }
)

/** Each with a database that has seen nothing yet. */
const against = <A, E>(
  rows: number,
  maxRows: number,
  test: (server: Cutting) => Effect.Effect<A, E, Db.Provided>
): Effect.Effect<A, E> =>
  Effect.scoped(
    Effect.flatMap(cutting, ({ server, url }) => {
      server.rows = numbered(rows)
      server.maxRows = maxRows
      return Effect.provide(test(server), database(url, { maxConnections: 8 }))
    })
  )

const idsOf = (rows: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  rows.map((row) => (typeof row === "object" && row !== null && "id" in row ? row.id : row))

const upTo = (count: number, from = 0): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => from + n)

const isList = (u: unknown): u is ReadonlyArray<unknown> => Array.isArray(u)

const rpc = (options?: Omit<Db.RpcOptions, "get">): Effect.Effect<ReadonlyArray<unknown>, Db.DbError, Db.ReadDb> =>
  Effect.map(Db.rpc("items", {}, { ...options, get: true }), (data) => (isList(data) ? data : [data]))

describe("of a server whose max rows are", () => {
  for (const maxRows of [1, 50, 1_000]) {
    const rows = maxRows === 1 ? 7 : 2.5 * maxRows

    const whole: Readonly<Record<string, Effect.Effect<ReadonlyArray<unknown>, Db.DbError, Db.ReadDb | Db.Db>>> = {
      list: items.list(),
      "list in an order": items.list({ orderBy: "name" }),
      "list as the service": service.list(),
      "list with a limit above": items.list({ limit: 10 * rows }),
      stream: Effect.map(Stream.runCollect(items.stream()), (chunk) => [...chunk]),
      getMany: items.getMany(upTo(rows)),
      "as many gets at once": Effect.all(upTo(rows).map(items.get), { concurrency: "unbounded" }),
      page: Effect.map(items.page({ limit: 10 * rows }), (page) => page.rows),
      "updateMany without changes": items.updateMany({ name: Db.not("x") }, {}),
      updateMany: items.updateMany({ name: Db.not("x") }, { name: "y" }),
      removeMany: items.removeMany({ name: Db.not("x") }),
      createMany: items.createMany(numbered(rows)),
      "a function by GET": rpc(),
      "a function by GET with a limit above": rpc({ limit: 10 * rows })
    }
    for (const [operation, asking] of Object.entries(whole)) {
      it.live(`${maxRows}, ${operation} gives all ${rows} rows, each once`, () =>
        against(rows, maxRows, () =>
          Effect.gen(function* () {
            expect(idsOf(yield* asking).toSorted((a, b) => Number(a) - Number(b))).toEqual(upTo(rows))
          })
        )
      )
    }

    it.live(`${maxRows}, a part is what was asked for`, () =>
      against(rows, maxRows, () =>
        Effect.gen(function* () {
          const limit = maxRows + Math.ceil(maxRows / 2)
          expect(idsOf(yield* items.list({ limit, offset: 2 }))).toEqual(upTo(limit, 2))
          expect(idsOf(yield* rpc({ limit, offset: 2 }))).toEqual(upTo(limit, 2))
          expect(idsOf(yield* items.list({ offset: 2 }))).toEqual(upTo(rows - 2, 2))
          expect(idsOf(yield* rpc({ offset: 2 }))).toEqual(upTo(rows - 2, 2))
          expect(yield* items.list({ limit: 0 })).toEqual([])
          expect(yield* rpc({ limit: 0 })).toEqual([])
          const page = yield* items.page({ limit, offset: 2 })
          expect([idsOf(page.rows), page.total]).toEqual([upTo(limit, 2), rows])
          expect(idsOf(yield* items.list({ filter: (query) => query.limit(limit) }))).toEqual(upTo(limit))
          expect(idsOf(yield* items.list({ filter: (query) => query.range(3, limit + 2) }))).toEqual(upTo(limit, 3))
        })
      )
    )

    it.live(`${maxRows}, a part that is a part of it all costs one request`, () =>
      against(rows, maxRows, (server) =>
        Effect.gen(function* () {
          expect((yield* items.list({ limit: maxRows })).length).toBe(maxRows)
          expect((yield* rpc({ limit: maxRows })).length).toBe(maxRows)
          expect((yield* items.list({ where: { id: [0, 1].slice(0, maxRows) } })).length).toBe(Math.min(2, maxRows))
          expect(server.seen.length).toBe(3)
        })
      )
    )
  }
})

const shape = fc.record({
  rows: fc.integer({ min: 0, max: 60 }),
  maxRows: fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constant(Number.POSITIVE_INFINITY)),
  limit: fc.option(fc.integer({ min: 0, max: 80 }), { nil: undefined }),
  offset: fc.option(fc.integer({ min: 0, max: 70 }), { nil: undefined }),
  saysPlace: fc.boolean()
})

describe("whatever rows there are, whatever the server gives at a time, and whatever limit is said", () => {
  it.live("exactly those rows come, and asking again costs one request more at most", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.array(shape, { minLength: 1, maxLength: 4, size: "max" }), (shapes) =>
          Effect.runPromise(
            against(0, 1, (server) =>
              Effect.gen(function* () {
                // One database after the other's habits: what was learned of one shape is not believed of a smaller max rows.
                const least = Math.min(...shapes.map(({ maxRows }) => maxRows))
                for (const { limit, offset, rows, saysPlace } of shapes) {
                  server.rows = numbered(rows)
                  server.maxRows = least
                  server.saysPlace = saysPlace
                  const bounds = {
                    ...(limit === undefined ? {} : { limit }),
                    ...(offset === undefined ? {} : { offset })
                  }
                  const expected = upTo(rows).slice(offset ?? 0, (offset ?? 0) + (limit ?? rows))
                  server.seen.length = 0
                  expect(idsOf(yield* items.list(bounds))).toEqual(expected)
                  // One more for who finds the end, and one that asks whether offsets are heeded.
                  const needed = Math.max(1, Math.ceil(expected.length / least))
                  expect(server.seen.length).toBeLessThanOrEqual(needed + (saysPlace ? 1 : 2))
                  server.saysPlace = true
                  expect(idsOf(yield* rpc(bounds))).toEqual(expected)
                  expect((yield* items.getMany(upTo(rows))).length).toBe(rows)
                }
              })
            )
          )
        ),
        { numRuns: 60 }
      )
    )
  )
})

describe("what was seen", () => {
  it.live("spares the end: a list that is the longest yet costs two requests, any shorter one costs one", () =>
    against(20, 1_000, (server) =>
      Effect.gen(function* () {
        const cost = (rows: number, asking: Effect.Effect<unknown, Db.DbError, Db.ReadDb | Db.Db>) =>
          Effect.gen(function* () {
            server.rows = numbered(rows)
            const before = server.seen.length
            yield* asking
            return server.seen.length - before
          })
        expect(yield* cost(20, items.list())).toBe(2)
        expect(yield* cost(19, items.list())).toBe(1)
        expect(yield* cost(19, rpc())).toBe(1)
        expect(yield* cost(0, items.list())).toBe(1)
        expect(yield* cost(1, items.list({ limit: 100 }))).toBe(1)
        expect(yield* cost(5, items.getMany([0, 1, 2, 77]))).toBe(1)
        expect(yield* cost(21, items.list())).toBe(2)
        expect(yield* cost(20, items.list())).toBe(1)
        expect(yield* cost(30, items.list({ limit: 30 }))).toBe(1)
        expect(yield* cost(29, items.list())).toBe(1)
      })
    )
  )

  it("is believed for a minute, since a project can lower its max rows", () => {
    const seen = new MostRows()
    expect([seen.mayCut(50, 0), seen.mayCut(50, 1), seen.mayCut(49, 2), seen.mayCut(0, 3)]).toEqual([
      true,
      true,
      false,
      false
    ])
    expect(seen.mayCut(49, 60_002)).toBe(true)
    expect(seen.mayCut(48, 60_003)).toBe(false)
  })

  it.live(
    "of a server that says no Content-Range is whether it heeds offsets: it is asked on, or its first answer is all",
    () =>
      against(120, 50, (server) =>
        Effect.gen(function* () {
          server.saysPlace = false
          expect(idsOf(yield* items.list())).toEqual(upTo(120))
        })
      ).pipe(
        Effect.zipRight(
          against(3, Number.POSITIVE_INFINITY, (server) =>
            Effect.gen(function* () {
              server.saysPlace = false
              server.heedsOffset = false
              expect(idsOf(yield* items.list())).toEqual(upTo(3))
              const before = server.seen.length
              for (const rows of [4, 9, 30]) {
                server.rows = numbered(rows)
                expect(idsOf(yield* items.list())).toEqual(upTo(rows))
              }
              expect(server.seen.length - before).toBe(3)
            })
          )
        )
      )
  )

  it.live("of a server that says another place than was asked for is that it gives the same rows for ever", () =>
    against(3, Number.POSITIVE_INFINITY, (server) =>
      Effect.gen(function* () {
        server.heedsOffset = false
        expect(idsOf(yield* items.list())).toEqual(upTo(3))
        expect(idsOf(yield* rpc())).toEqual(upTo(3))
      })
    )
  )
})

describe("a function", () => {
  for (const maxRows of [1, 7, 50]) {
    it.live(`gives all its rows by GET behind a gateway that drops Content-Range, ${maxRows} at a time`, () =>
      Effect.forEach([0, 1, maxRows, maxRows + 1, 2 * maxRows, 2 * maxRows + 1], (rows) =>
        against(rows, maxRows, (server) =>
          Effect.gen(function* () {
            server.saysPlace = false
            expect(yield* Db.rpc("items", {}, { get: true })).toEqual(numbered(rows))
            expect(yield* Db.rpc("items", {}, { get: true, limit: 3 })).toEqual(numbered(Math.min(rows, 3)))
          })
        )
      )
    )
  }

  it.live("of one value is that value there, too, and what heeds no offset is as it came", () =>
    against(3, 50, (server) =>
      Effect.gen(function* () {
        server.saysPlace = false
        for (const value of [[], [1], [1, 2, 3], [[1], [2]], { a: 1 }, null, 7, "text"]) {
          server.value = value
          expect(yield* Db.rpc("value", {}, { get: true })).toEqual(value)
        }
        server.heedsOffset = false
        expect(yield* Db.rpc("items", {}, { get: true })).toEqual(numbered(3))
      })
    )
  )

  it.live("that gives one value gives it as it is, by GET and by POST, lists and null among them", () =>
    against(0, 1, (server) =>
      Effect.gen(function* () {
        for (const value of [[], [1], [1, 2, 3], [[1], [2]], { a: 1 }, null, 7, "text", true]) {
          server.value = value
          expect(yield* Db.rpc("value", {}, { get: true })).toEqual(value)
          expect(yield* Db.rpc("value")).toEqual(value)
        }
      })
    )
  )

  it.live(
    "that is called by POST and whose set was cut is an error with both numbers, executed, and not called again",
    () =>
      against(120, 50, (server) =>
        Effect.gen(function* () {
          const error = yield* failureOf(Db.rpc("items", {}, { idempotent: true, retry: { times: 3 } }))
          expect(error).toMatchObject({ code: "RESULT_CUT", status: 206, mayHaveExecuted: true, isTransient: false })
          expect(error.message).toContain("the function items gave 120 rows, and the server sent 50 of them")
          expect(error.message).toContain("It was executed. Say limit where a part is enough")
          expect(server.seen.map(({ method }) => method)).toEqual(["POST"])
        })
      )
  )

  it.live("that is called by POST gives its whole set where that is no longer than the server gives", () =>
    Effect.forEach([0, 1, 49, 50], (rows) =>
      against(rows, 50, (server) =>
        Effect.gen(function* () {
          expect(yield* Db.rpc("items")).toEqual(numbered(rows))
          expect(server.seen).toMatchObject([{ method: "POST", prefer: "count=exact" }])
        })
      )
    )
  )

  it.live("that is called by POST for a part gives that, and nothing is counted", () =>
    against(120, 50, (server) =>
      Effect.gen(function* () {
        expect(idsOf([yield* Db.rpc("items", {}, { limit: 10 })].flat())).toEqual(upTo(10))
        expect(idsOf([yield* Db.rpc("items", {}, { limit: 10, offset: 115 })].flat())).toEqual(upTo(5, 115))
        expect(server.seen.map(({ prefer }) => prefer)).toEqual(["", ""])
      })
    )
  )

  it.live("is not called where its limit or its offset is no number of rows", () =>
    against(1, 1, (server) =>
      Effect.gen(function* () {
        for (const options of [{ limit: -1 }, { limit: 1.5 }, { offset: Number.NaN }, { offset: -2 }]) {
          expect(yield* failureOf(Db.rpc("items", {}, options))).toMatchObject({ code: "INVALID_REQUEST" })
          expect(yield* failureOf(rpc(options))).toMatchObject({ code: "INVALID_REQUEST", mayHaveExecuted: false })
        }
        expect(server.seen).toEqual([])
      })
    )
  )
})

/** What is logged at warning, each line. */
const warnings = <A, E, R>(effect: (lines: ReadonlyArray<string>) => Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel._tag === "Warning") lines.push(String(message))
  })
  return Effect.provide(
    Effect.suspend(() => effect(lines)),
    Logger.replace(Logger.defaultLogger, logger)
  )
}

const select = (name: string) => Db.read((client) => client.from(name).select("*"))

describe("a function by POST whose answer says no Content-Range", () => {
  const unplaced = (
    rows: number,
    maxRows: number,
    test: (server: Cutting) => Effect.Effect<void, Db.DbError, Db.Db | Db.ReadDb>
  ) =>
    warnings((lines) =>
      Effect.as(
        against(rows, maxRows, (server) => {
          server.saysPlace = false
          return test(server)
        }),
        lines
      )
    )

  it.live("was cut where its status says that it is a part", () =>
    unplaced(120, 50, (server) =>
      Effect.gen(function* () {
        const error = yield* failureOf(Db.rpc("items"))
        expect(error).toMatchObject({ code: "RESULT_CUT", status: 206, mayHaveExecuted: true, isTransient: false })
        expect(error.message).toContain("the function items gave more rows, and the server sent 50 of them")
        expect(server.seen.length).toBe(1)
      })
    )
  )

  it.live("is whole where the server says that it counted", () =>
    Effect.map(
      unplaced(50, 50, (server) =>
        Effect.gen(function* () {
          server.saysApplied = true
          expect(yield* Db.rpc("items")).toEqual(numbered(50))
        })
      ),
      (lines) => expect(lines).toEqual([])
    )
  )

  it.live("may be cut where nothing was counted: the log says so, once for each function, with what to do", () =>
    Effect.map(
      unplaced(120, 50, (server) =>
        Effect.gen(function* () {
          server.counts = false
          for (let i = 0; i < 3; i += 1) expect(yield* Db.rpc("items")).toEqual(numbered(50))
          expect(yield* Db.rpc("items", {}, { limit: 20 })).toEqual(numbered(20))
        })
      ),
      (lines) => {
        expect(lines).toHaveLength(1)
        expect(lines[0]).toContain("items gave 50 rows, and the answer does not say whether there were more")
        expect(lines[0]).toContain("Let the header through, or say limit")
      }
    )
  )

  it.live("is whole where it is shorter than another answer of the same server, or has no second row", () =>
    Effect.map(
      unplaced(40, 50, (server) =>
        Effect.gen(function* () {
          yield* items.list()
          server.counts = false
          for (const count of [0, 1, 39]) {
            server.rows = numbered(count)
            expect(yield* Db.rpc("items")).toEqual(numbered(count))
          }
          server.value = [1]
          expect(yield* Db.rpc("value")).toEqual([1])
        })
      ),
      (lines) => expect(lines).toEqual([])
    )
  )
})

describe("a caller's own builder", () => {
  it.live("that gets as many rows as the server gives is said in the log, once for each table, with what to do", () =>
    warnings((lines) =>
      against(2_000, 1_000, () =>
        Effect.gen(function* () {
          expect((yield* select("items")).length).toBe(1_000)
          yield* select("items")
          yield* Db.response((client) => client.from("items").select("*"))
          yield* select("others")
          yield* Db.write((client) => client.rpc("export", { a: 1 }))
          expect(lines.map((line) => line.split(" ", 1).join(""))).toEqual(["items", "others", "export"])
          expect(lines[0]).toMatch(/^items gave 1000 rows, .*db-max-rows.*Db\.stream and Db\.table.*limit\(1000\)/)
          expect(lines[2]).toContain("{ get: true }")
        })
      )
    )
  )

  it.live("is not spoken of where a part was asked for, where fewer came, and where it is a write", () =>
    warnings((lines) =>
      against(1_000, 1_000, (server) =>
        Effect.gen(function* () {
          yield* Db.read((client) => client.from("a").select("*").limit(1_000))
          yield* Db.read((client) => client.from("b").select("*").range(0, 999))
          yield* Db.write((client) => client.from("c").update({ name: "x" }).gt("id", 0).select("*"))
          yield* Db.rpc("d")
          yield* items.list()
          yield* Stream.runDrain(Db.stream((client) => client.from("e").select("*").order("id")))
          server.rows = numbered(999)
          yield* select("f")
          expect(lines).toEqual([])
        })
      )
    )
  )

  it.live("is spoken of at the length at which another list was seen to be cut", () =>
    warnings((lines) =>
      against(120, 50, () =>
        Effect.gen(function* () {
          yield* select("before")
          yield* items.list()
          yield* select("after")
          expect(lines.map((line) => line.split(" ", 1).join(""))).toEqual(["after"])
        })
      )
    )
  )

  it.live("is not spoken of at 1000 where the server was seen to give more", () =>
    warnings((lines) =>
      against(1_001, Number.POSITIVE_INFINITY, (server) =>
        Effect.gen(function* () {
          yield* items.list()
          server.rows = numbered(1_000)
          yield* select("items")
          expect(lines).toEqual([])
        })
      )
    )
  )

  it.live("of the Promise API is spoken of, too", () =>
    Effect.gen(function* () {
      const { server, url } = yield* cutting
      server.rows = numbered(2_000)
      server.maxRows = 1_000
      const said = vi.spyOn(console, "log").mockImplementation(() => {})
      const database = createDatabase({ url, anonKey, serviceRoleKey, enableHealthChecks: false })
      const lines = yield* Effect.promise(async () => {
        await database.executeWithPool((client) => client.from("items").select("*"))
        await database.executeWithPool((client) => client.from("items").select("*"))
        await database.executeWithPool((client) => client.from("others").select("*").limit(1_000))
        const { data } = await database.executeWithPool(async (client) => await client.from("awaited").select("*"))
        expect(data?.length).toBe(1_000)
        await database.close()
        return said.mock.calls.map(([line]) => String(line)).filter((line) => line.includes("db-max-rows"))
      }).pipe(Effect.ensuring(Effect.sync(() => said.mockRestore())))
      expect(lines.length).toBe(2)
      expect(lines[0]).toContain("items gave 1000 rows")
      expect(lines[1]).toContain("awaited gave 1000 rows")
    }).pipe(Effect.scoped)
  )

  it.live("is spoken of for a function that was not counted, and not where its limit was reached", () =>
    warnings((lines) =>
      against(2_000, 1_000, (server) =>
        Effect.gen(function* () {
          server.counts = false
          expect([yield* Db.rpc("first", {}, { limit: 1_000 })].flat().length).toBe(1_000)
          expect(lines).toEqual([])
          expect([yield* Db.rpc("second")].flat().length).toBe(1_000)
          yield* Db.rpc("second")
          yield* Db.rpc("third", {}, { limit: 5_000 })
          expect(lines.map((line) => line.split(" ", 1).join(""))).toEqual(["second", "third"])
        })
      )
    )
  )
})

describe("a handler of a spec that says no Content-Range", () => {
  it.effect("is asked once: what it gives is all that there is", () => {
    const asked: Array<string> = []
    const layer = Db.layerTest(({ url }) => {
      asked.push(new URL(url).pathname)
      return Response.json(numbered(2))
    })
    return Effect.gen(function* () {
      expect(yield* items.list()).toHaveLength(2)
      expect(yield* Db.rpc("f", {}, { get: true })).toHaveLength(2)
      expect(asked).toEqual(["/rest/v1/items", "/rest/v1/rpc/f"])
    }).pipe(Effect.provide(layer))
  })
})
