import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Fiber, Layer, Logger, Ref, Schema, Stream } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { SharedSupabase } from "../support/embedded.js"

const rows = Array.from({ length: 25 }, (_, id) => ({ id }))

/** Answers ranges as PostgREST does: `offset` and `limit` in the URL. */
const table = (asked: Ref.Ref<ReadonlyArray<number>>, most = Number.POSITIVE_INFINITY) =>
  Db.layerTest((request) => {
    const { searchParams } = new URL(request.url)
    const offset = Number(searchParams.get("offset") ?? 0)
    const limit = Math.min(most, Number(searchParams.get("limit")))
    return Effect.as(
      Ref.update(asked, (_) => [..._, offset]),
      Response.json(rows.slice(offset, offset + limit))
    )
  })

const all = Db.stream((client) => client.from("numbers").select("id").order("id"), { pageSize: 10 })

const ids = (chunk: Chunk.Chunk<{ readonly id: unknown }>) => Chunk.toReadonlyArray(chunk).map(({ id }) => id)

describe("Db.stream", () => {
  it.effect("gives every row once, in order", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<number>>([])
      const read = yield* Stream.runCollect(all).pipe(Effect.provide(table(asked)))
      assert.deepStrictEqual(
        ids(read),
        rows.map(({ id }) => id)
      )
      assert.deepStrictEqual(yield* Ref.get(asked), [0, 10, 20, 25])
    })
  )

  it.effect("asks for one page ahead from the second on, and for no page more, however long that one is used", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<number>>([])
      const seen: Array<ReadonlyArray<number>> = []
      yield* all.pipe(
        Stream.mapChunksEffect((page) =>
          Effect.as(
            Effect.zipRight(
              Effect.forEach([1, 2, 3, 4, 5], () =>
                Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
              ),
              Effect.map(Ref.get(asked), (offsets) => seen.push(offsets))
            ),
            page
          )
        ),
        Stream.runDrain,
        Effect.provide(table(asked))
      )
      assert.deepStrictEqual(seen.slice(0, 3), [[0], [0, 10, 20], [0, 10, 20, 25]])
      yield* Ref.set(asked, [])
      yield* Effect.provide(Stream.runDrain(Stream.take(all, 10)), table(asked))
      assert.deepStrictEqual(yield* Ref.get(asked), [0])
    })
  )

  it.effect("leaves nothing running, whoever ends it", () =>
    Effect.gen(function* () {
      let running = 0
      let begun = yield* Deferred.make<void>()
      const hanging = Db.layerTest((request) => {
        const offset = Number(new URL(request.url).searchParams.get("offset") ?? 0)
        if (offset < 20) return Response.json(rows.slice(offset, offset + 10))
        running += 1
        return Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never).pipe(
          Effect.ensuring(
            Effect.sync(() => {
              running -= 1
            })
          )
        )
      })
      const isAhead = Effect.suspend(() => Deferred.await(begun))
      const untilAhead = Stream.tap(all, ({ id }) => (id === 10 ? isAhead : Effect.void))
      const ways: Readonly<Record<string, Effect.Effect<unknown, unknown, Db.ReadDb>>> = {
        "one that has enough": Stream.runDrain(Stream.take(untilAhead, 11)),
        "one that fails": Stream.runForEach(untilAhead, ({ id }) => (id === 10 ? Effect.fail("mine") : Effect.void)),
        "one that dies": Stream.runForEach(untilAhead, ({ id }) => (id === 10 ? Effect.die("mine") : Effect.void)),
        "one that is interrupted": Effect.race(Stream.runDrain(untilAhead), isAhead)
      }
      for (const [name, way] of Object.entries(ways)) {
        begun = yield* Deferred.make<void>()
        const pool = yield* Effect.gen(function* () {
          yield* Effect.exit(way)
          return yield* (yield* Pool.ReadPool).metrics
        }).pipe(Effect.provide(hanging))
        assert.deepStrictEqual([name, running, pool.active], [name, 0, 0])
      }
    })
  )

  it.effect.each([
    ["in its order", "id", true, ["gt.10", "gt.20", "gt.25"]],
    ["backwards", "id", false, ["lt.16", "lt.6"]],
    ["in another order: by number", "name", true, []]
  ] as const)("with a key, %s, continues behind the last", ([_, column, ascending, expected]) =>
    Effect.gen(function* () {
      const behind: Array<string> = []
      const sorted = Array.from({ length: 25 }, (_, n) => ({ id: ascending ? n + 1 : 25 - n, name: "a" }))
      const database = Db.layerTest((request) => {
        const { searchParams } = new URL(request.url)
        const filter = searchParams.get("id")
        const offset = Number(searchParams.get("offset") ?? 0)
        if (filter !== null) behind.push(filter)
        const bound = Number(filter?.slice("gt.".length))
        const left = filter === null ? sorted : sorted.filter(({ id }) => (ascending ? id > bound : id < bound))
        return Response.json(left.slice(offset, offset + Number(searchParams.get("limit"))))
      })
      const read = Db.stream((client) => client.from("numbers").select("id, name").order(column, { ascending }), {
        pageSize: 10,
        key: "id"
      })
      const given = yield* Effect.provide(Stream.runCollect(read), database)
      assert.deepStrictEqual(ids(given), ids(Chunk.unsafeFromArray(sorted)))
      assert.deepStrictEqual(
        behind.slice(0, 3),
        expected.length === 0 ? [] : [...expected, ...(ascending ? [] : ["lt.1"])]
      )
    })
  )

  it.effect("loses nothing to a server that gives fewer rows than were asked for", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<number>>([])
      const read = yield* Stream.runCollect(all).pipe(Effect.provide(table(asked, 7)))
      assert.deepStrictEqual(
        ids(read),
        rows.map(({ id }) => id)
      )
    })
  )

  it.effect("does not have its query's rows counted with each page: PostgREST refuses an offset behind the count", () =>
    Effect.gen(function* () {
      for (const count of ["exact", "planned", "estimated"] as const) {
        const prefers: Array<string | null> = []
        const counting = Db.layerTest((request) => {
          const { searchParams } = new URL(request.url)
          const offset = Number(searchParams.get("offset") ?? 0)
          const prefer = request.headers.get("prefer")
          prefers.push(prefer)
          // An estimate, which is too low.
          const total = count === "exact" ? rows.length : 12
          if (prefer?.includes("count=") === true && offset >= total) {
            return Response.json(
              { code: "PGRST103", message: "Requested range not satisfiable", details: null, hint: null },
              { status: 416, headers: { "proxy-status": "PostgREST; error=PGRST103" } }
            )
          }
          return Response.json(rows.slice(offset, offset + Number(searchParams.get("limit"))))
        })
        const read = Db.stream(
          (client) =>
            client.from("numbers").select("id", { count }).order("id").setHeader("Prefer", `count=${count}, tx=commit`),
          { pageSize: 5 }
        )
        const given = yield* Stream.runCollect(read).pipe(Effect.provide(counting))
        assert.deepStrictEqual(
          ids(given),
          rows.map(({ id }) => id)
        )
        assert.deepStrictEqual([...new Set(prefers)], ["tx=commit"])
      }
    })
  )

  it.effect("ends with the list of a handler that heeds no offset, which is all there is", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const constant = Db.layerTest((request) => {
        asked.push(new URL(request.url).searchParams.get("offset") ?? "")
        return Response.json(rows)
      })
      for (const pageSize of [10, 25, 1_000]) {
        const read = Db.stream((client) => client.from("numbers").select("id").order("id"), { pageSize })
        assert.strictEqual(yield* Stream.runCount(read).pipe(Effect.provide(constant)), rows.length)
      }
      assert.deepStrictEqual(asked.slice(0, 3), ["0", "25", "1000000000"])
    })
  )

  it.effect("gives rows that look the same as often as they are there", () =>
    Effect.gen(function* () {
      const same = Db.layerTest((request) => {
        const { searchParams } = new URL(request.url)
        const left = 25 - Number(searchParams.get("offset"))
        return Response.json(Array.from({ length: Math.max(0, Math.min(left, 10)) }, () => ({ status: "open" })))
      })
      const states = Db.stream((client) => client.from("orders").select("status"), { pageSize: 10 })
      assert.strictEqual(yield* Stream.runCount(states).pipe(Effect.provide(same)), 25)
    })
  )

  it.effect(
    "ends where the server refuses an offset behind the last row, and fails where it refuses the first page",
    () =>
      Effect.gen(function* () {
        const behind = Response.json(
          { code: "PGRST103", message: "Requested range not satisfiable", details: null, hint: null },
          { status: 416, headers: { "proxy-status": "PostgREST; error=PGRST103" } }
        )
        const refusing = Db.layerTest((request) => {
          const { searchParams } = new URL(request.url)
          const offset = Number(searchParams.get("offset") ?? 0)
          const page = rows.slice(offset, offset + Number(searchParams.get("limit") ?? 1_000))
          const to = offset + page.length - 1
          return offset >= rows.length
            ? behind.clone()
            : Response.json(page, { headers: { "content-range": `${offset}-${to}/*` } })
        })
        const numbers = Db.table("numbers", Schema.Struct({ id: Schema.Int }))
        const counts = yield* Effect.all([
          Stream.runCount(all),
          Stream.runCount(numbers.stream({ pageSize: 10 }))
        ]).pipe(Effect.provide(refusing))
        assert.deepStrictEqual(counts, [rows.length, rows.length])
        const listed = yield* Effect.provide(numbers.list(), refusing)
        assert.strictEqual(listed.length, rows.length)
        const beyond = Db.stream((client) => client.from("numbers").select("id").order("id").range(30, 40))
        const error = yield* Effect.flip(Stream.runCount(beyond).pipe(Effect.provide(refusing)))
        assert.deepInclude(error, { _tag: "QueryError", code: "PGRST103" })
      })
  )

  it.effect.each([
    ["no order", undefined, "The pages of a stream of numbers have no order"],
    ["an order in which rows are alike", ["kind"], "Two rows of numbers are alike in kind.asc, by which"],
    ["an order by something unique", ["kind", "id"], undefined],
    ["an order by what is not selected", ["hidden"], undefined],
    ["an order by an embedded table", ["other(kind)"], undefined]
  ] as const)("with %s says so once for each table, or nothing", ([_, orders, expected]) =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const heard = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void logged.push(String(message)))
      )
      const kinds = Db.layerTest((request) => {
        const { searchParams } = new URL(request.url)
        const offset = Number(searchParams.get("offset"))
        return Response.json(rows.slice(offset, offset + 5).map(({ id }) => ({ id, kind: id % 5 === 4 ? 0 : id % 5 })))
      })
      const pages = Db.stream(
        (client) =>
          (orders ?? []).reduce((query, column) => query.order(column), client.from("numbers").select("id, kind")),
        { pageSize: 5 }
      )
      yield* Stream.runDrain(pages).pipe(Effect.repeatN(1), Effect.provide(Layer.merge(kinds, heard)))
      assert.deepStrictEqual(
        logged.map((text) => text.includes(expected ?? "nothing")),
        expected === undefined ? [] : [true]
      )
    })
  )

  it.effect("ends where an answer says that it is from elsewhere", () =>
    Effect.gen(function* () {
      const elsewhere = Db.layerTest(() => Response.json(rows.slice(0, 10), { headers: { "content-range": "0-9/*" } }))
      assert.strictEqual(yield* Stream.runCount(all).pipe(Effect.provide(elsewhere)), 10)
    })
  )

  it.effect("that is consumed twice begins anew, and one that is consumed by half asks for no more, as its user", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const heard = Db.layerTest(
        (request) => {
          const { searchParams } = new URL(request.url)
          const [, last = "-1"] = /^gt\.(\d+)$/.exec(searchParams.get("id") ?? "") ?? []
          const first = Number(searchParams.get("offset")) + Number(last) + 1
          asked.push(`${request.headers.get("authorization")} ${first}`)
          return Response.json(rows.slice(first, first + 10))
        },
        { minConnections: 1, maxConnections: 2 }
      )
      const anns = all.pipe(Db.withAccessToken("ann"))
      const bobs = Db.table("numbers", Schema.Struct({ id: Schema.Int }))
        .stream({ orderBy: "id", pageSize: 10 })
        .pipe(Db.withAccessToken("bob"))
      yield* Effect.gen(function* () {
        const streams: ReadonlyArray<readonly [name: string, stream: Stream.Stream<unknown, Db.DbError, Db.ReadDb>]> = [
          ["ann", anns],
          ["bob", bobs]
        ]
        for (const [name, stream] of streams) {
          for (const _ of [1, 2]) {
            asked.length = 0
            assert.strictEqual(yield* Stream.runCount(stream), rows.length)
            assert.deepStrictEqual(
              asked,
              [0, 10, 20, 25].map((offset) => `Bearer ${name} ${offset}`)
            )
          }
          asked.length = 0
          assert.strictEqual(yield* Stream.runCount(Stream.take(stream, 3)), 3)
          assert.deepStrictEqual(asked, [`Bearer ${name} 0`])
          const { metrics } = yield* Pool.ReadPool
          assert.strictEqual((yield* metrics).active, 0)
        }
      }).pipe(Effect.provide(heard))
    })
  )

  it.effect("keeps the limit and the offset of its query, whatever the page", () =>
    Effect.gen(function* () {
      for (const pageSize of [1, 3, 10, 100]) {
        for (const [limit, offset] of [
          [12, 0],
          [12, 4],
          [100, 20],
          [3, 0]
        ] as const) {
          const asked = yield* Ref.make<ReadonlyArray<number>>([])
          const some = Db.stream(
            (client) =>
              client
                .from("numbers")
                .select("id")
                .range(offset, offset + limit - 1),
            {
              pageSize
            }
          )
          const read = yield* Stream.runCollect(some).pipe(Effect.provide(table(asked)))
          assert.deepStrictEqual(
            ids(read),
            rows.slice(offset, offset + limit).map(({ id }) => id)
          )
        }
      }
    })
  )

  it.effect("asks for a page when somebody wants it, and for the one behind the second", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<number>>([])
      const read = yield* all.pipe(Stream.take(12), Stream.runCollect, Effect.provide(table(asked)))
      assert.strictEqual(Chunk.size(read), 12)
      assert.deepStrictEqual((yield* Ref.get(asked)).slice(0, 2), [0, 10])
      assert.isAtMost((yield* Ref.get(asked)).length, 3)
    })
  )

  it.effect("holds no connection and asks for nothing while its consumer is busy", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<number>>([])
      const busy = yield* Effect.makeLatch()
      const taken = yield* Deferred.make<void>()
      yield* Effect.gen(function* () {
        const consuming = yield* Effect.fork(
          Stream.runForEach(all, ({ id }) =>
            id === 3 ? Effect.zipRight(Deferred.succeed(taken, undefined), busy.await) : Effect.void
          )
        )
        yield* Deferred.await(taken)
        yield* Effect.repeatN(Effect.yieldNow(), 100)
        assert.deepStrictEqual(yield* Ref.get(asked), [0])
        const { active } = yield* Effect.flatMap(Pool.ReadPool, ({ metrics }) => metrics)
        assert.strictEqual(active, 0)
        yield* busy.open
        yield* Fiber.join(consuming)
        assert.deepStrictEqual(yield* Ref.get(asked), [0, 10, 20, 25])
      }).pipe(Effect.provide(table(asked)))
    })
  )

  it.effect("asks for nothing more when its consumer has failed or is interrupted", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<number>>([])
      const failing = Stream.runForEach(all, ({ id }) => (id === 12 ? Effect.fail("enough" as const) : Effect.void))
      assert.strictEqual(yield* Effect.flip(Effect.provide(failing, table(asked))), "enough")
      assert.deepStrictEqual(yield* Ref.get(asked), [0, 10])
    })
  )

  it.effect("fails with the error of the page that failed, after the rows before it", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const broken = Db.layerTest((request) => {
        const offset = Number(new URL(request.url).searchParams.get("offset") ?? 0)
        if (offset < 20) return Response.json(rows.slice(offset, offset + 10))
        return Response.json({ code: "42501", message: "no", details: null, hint: null }, { status: 403 })
      })
      const error = yield* all.pipe(
        Stream.runForEach(({ id }) => Effect.sync(() => seen.push(id))),
        Effect.provide(broken),
        Effect.flip
      )
      assert.deepInclude(error, { _tag: "QueryError", code: "42501" })
      assert.strictEqual(seen.length, 20)
    })
  )

  it.effect("sends as the service where that is asked for, on a read connection", () =>
    Effect.gen(function* () {
      const authorised: Array<string | null> = []
      const seeing = Db.layerTest((request) => {
        authorised.push(request.headers.get("authorization"))
        return Response.json([])
      })
      const hidden = Db.stream((client) => client.from("users").select("id").order("id"), { as: "service" })
      yield* Effect.provide(Stream.runDrain(hidden), seeing)
      yield* Effect.provide(Stream.runDrain(all).pipe(Db.withAccessToken("ann-never-printed")), seeing)
      assert.deepStrictEqual(authorised, ["Bearer test-service-role-key", "Bearer ann-never-printed"])
    })
  )

  it.effect.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "refuses pages of %s rows, and sends nothing",
    (pageSize) =>
      Effect.gen(function* () {
        const asked = yield* Ref.make<ReadonlyArray<number>>([])
        const rows = Db.stream((client) => client.from("numbers").select("id").order("id"), { pageSize })
        const error = yield* Effect.flip(Effect.provide(Stream.runDrain(rows), table(asked)))
        assert.include(error.message, `pageSize is ${pageSize}`)
        assert.deepStrictEqual(yield* Ref.get(asked), [])
      })
  )

  it.effect("reads a whole table of the database, page by page", () =>
    Effect.gen(function* () {
      const products = Db.stream(
        (client) => client.from("products").select("id").like("description", "%").order("id"),
        { pageSize: 150 }
      )
      const read = yield* Stream.runFold(products, new Set<unknown>(), (seen, { id }) => seen.add(id))
      assert.isAtLeast(read.size, 500)
    }).pipe(
      Effect.provide(
        Db.layer.pipe(
          Layer.provide(Layer.merge(SharedSupabase, PoolConfig.layerOf({ minConnections: 1, maxConnections: 2 })))
        )
      )
    )
  )
})
