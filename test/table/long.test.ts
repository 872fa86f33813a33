/** Lists of values that are too long for an address: what is asked in parts, what is sent as a transaction, and what is not. */
import { assert, describe, expect, it, layer } from "@effect/vitest"
import { Effect, FastCheck as fc, Layer, Schema } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { partsOfList } from "../../src/internal/table/parts.js"
import { SharedSupabase } from "../support/embedded.js"
import { type Answer, against, failureOf, json } from "../support/httpServer.js"

const Item = Schema.Struct({ id: Schema.String, name: Schema.String, n: Schema.Int })
const items = Db.table("items", Item, { search: ["name"] })

const numbered = (count: number, name = "item"): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${name}-${String(i).padStart(6, "0")}`)

/** The values that a filter of a column asks for; undefined where it asks for none by itself. */
const asked = (url: string, column: string): ReadonlyArray<string> | undefined => {
  const filter = new URL(url, "http://x").searchParams.get(column)
  if (filter === null) return undefined
  if (filter.startsWith("eq.")) return [filter.slice(3)]
  return [...filter.matchAll(/"([^"]*)"/g)].map(([, value = ""]) => value)
}

/** Every 8 KiB refused, as gateways do; a row for each id that begins with `item`, and no more than so many of them. */
const server =
  (maxRows: number): Answer =>
  (response, { headers, method, url }) => {
    if (url.length > 8_192) return void response.writeHead(414, { "content-type": "text/html" }).end("<html>")
    const { searchParams } = new URL(url, "http://x")
    const ids = asked(url, "id") ?? []
    const all = ids.filter((id) => id.startsWith("item")).toSorted()
    if (method === "HEAD") {
      response.writeHead(200, { "content-range": `*/${all.length}` })
      return void response.end()
    }
    const offset = Number(searchParams.get("offset") ?? 0)
    const limit = Math.min(Number(searchParams.get("limit") ?? maxRows), maxRows)
    assert.notInclude(String(headers["prefer"]), "count")
    const rows = all.slice(offset, offset + limit)
    json(
      response,
      rows.map((id) => ({ id, name: id, n: 1 })),
      200,
      {
        "content-range": rows.length === 0 ? "*/*" : `${offset}-${offset + rows.length - 1}/*`
      }
    )
  }

const options = { minConnections: 1, maxConnections: 4 } as const

const gone = numbered(10, "gone")

describe("a list of values that is too long for an address", () => {
  for (const maxRows of [1_000, 50, 7]) {
    it.effect(`is asked for in parts, and no row of any is missing, of a server that gives ${maxRows} at a time`, () =>
      against(
        server(maxRows),
        options
      )((server) =>
        Effect.gen(function* () {
          const ids = numbered(700)
          const where = { id: [...ids.toReversed(), ...gone, ...ids.slice(0, 5)] }
          const rows = yield* items.list({ where })
          expect(rows.map(({ id }) => id).toSorted()).toEqual(ids)
          expect(Math.max(...server.seen.map(({ url }) => url.length))).toBeLessThan(8_000)
          const before = server.seen.length
          expect(yield* items.count({ where })).toBe(700)
          expect(server.seen.length - before).toBeGreaterThan(1)
          expect(new Set(server.seen.slice(before).map(({ method }) => method))).toEqual(new Set(["HEAD"]))
        })
      )
    )
  }

  it.effect("is asked for at once where it is not too long", () =>
    against(
      server(1_000),
      options
    )((server) =>
      Effect.gen(function* () {
        expect((yield* items.list({ where: { id: numbered(200) } })).length).toBe(200)
        expect(server.seen.length).toBe(1)
      })
    )
  )

  it.effect("is asked for in parts where a limit cannot cut it", () =>
    against(
      server(1_000),
      options
    )((server) =>
      Effect.gen(function* () {
        const ids = numbered(700)
        expect((yield* items.list({ where: { id: ids }, limit: 700 })).length).toBe(700)
        expect(server.seen.length).toBeGreaterThan(1)
      })
    )
  )

  const ids = numbered(700)
  const dependent: Readonly<Record<string, Db.ListOptions<typeof Item.Type>>> = {
    "an order": { orderBy: "name" },
    "several orders": { orderBy: ["name", "n"] },
    "an offset": { offset: 1 },
    "a limit that can cut": { limit: 699 },
    "a filter of the caller's own, which may say any of these": { filter: (query) => query.limit(3) }
  }
  for (const [what, more] of Object.entries(dependent)) {
    it.effect(`goes whole with ${what}, and who refuses it is named with what to do`, () =>
      against(
        server(1_000),
        options
      )((server) =>
        Effect.gen(function* () {
          const error = yield* failureOf(items.list({ where: { id: ids }, ...more }))
          expect(error).toMatchObject({ _tag: "QueryError", status: 414, mayHaveExecuted: false })
          expect(error.message).toMatch(/an address of 1\d{4} characters/)
          expect(error.message).toContain("Ask in parts")
          expect(server.seen.length).toBe(1)
        })
      )
    )
  }

  it.effect("of a column that is not the key goes whole with any limit, since a value may have several rows", () =>
    against(
      server(1_000),
      options
    )((server) =>
      Effect.gen(function* () {
        const error = yield* failureOf(items.list({ where: { name: ids }, limit: 10_000 }))
        expect(error).toMatchObject({ _tag: "QueryError", status: 414 })
        expect(server.seen.length).toBe(1)
      })
    )
  )

  it.effect("has its rows without a value in one part, and stands beside other conditions in each", () =>
    against(
      (response) => json(response, []),
      options
    )((server) =>
      Effect.gen(function* () {
        const Named = Schema.Struct({ id: Schema.String, name: Schema.NullOr(Schema.String), n: Schema.Int })
        yield* Db.table("named", Named).list({ where: { name: [...ids, null], n: Db.gte(3) } })
        const filters = server.seen.map(({ url }) => new URL(url, "http://x").searchParams)
        expect(filters.length).toBeGreaterThan(1)
        expect(filters.every((each) => each.get("n") === "gte.3")).toBe(true)
        expect(filters.filter((each) => each.get("and")?.includes("name.is.null")).length).toBe(1)
      })
    )
  )

  it("is parted without losing, doubling or mixing up what differs in case only", () =>
    fc.assert(
      fc.property(
        fc.uniqueArray(
          fc.oneof(
            fc.uuid(),
            fc.uuid().map((id) => id.toUpperCase()),
            fc.string({ maxLength: 200 })
          ),
          {
            maxLength: 600,
            size: "max"
          }
        ),
        (values) => {
          const both = [...new Set([...values, ...values.slice(0, 50).map((value) => value.toUpperCase())])]
          const parts = partsOfList(both)
          expect(parts.flat().toSorted()).toEqual(both.toSorted())
          const partOf = new Map<string, number>()
          for (const [n, part] of parts.entries()) {
            const list = encodeURIComponent(`(${part.map((value) => JSON.stringify(value)).join(",")})`)
            expect(list.length < 8_000 || new Set(part.map((value) => value.toLowerCase())).size === 1).toBe(true)
            for (const value of part) {
              expect(partOf.get(value.toLowerCase()) ?? n).toBe(n)
              partOf.set(value.toLowerCase(), n)
            }
          }
        }
      ),
      { numRuns: 30 }
    ))
})

const Note = Schema.Struct({
  id: Schema.UUID,
  body: Schema.String,
  n: Schema.NullOr(Schema.Int),
  done: Schema.Boolean,
  at: Schema.Date
})
const notes = Db.table("notes", Note, { generated: ["id", "n", "done", "at"] })

const Real = Db.layer.pipe(
  Layer.provide(SharedSupabase),
  Layer.provide(PoolConfig.layerOf({ minConnections: 1, maxConnections: 4 }))
)

const uuids = (count: number): ReadonlyArray<string> => Array.from({ length: count }, () => crypto.randomUUID())

layer(Real, { excludeTestServices: true, timeout: 60_000 })("updateMany and removeMany", (it) => {
  const made = (body: string, count: number) =>
    Effect.map(notes.createMany(uuids(count).map((id) => ({ id, body }))), (rows) => rows.map(({ id }) => id))

  it.effect("change and remove what where finds, and give it", () =>
    Effect.gen(function* () {
      const body = crypto.randomUUID()
      const ids = yield* made(body, 3)
      const [, second = ""] = ids
      const changed = yield* notes.updateMany({ body, id: Db.not(second) }, { done: true })
      assert.sameMembers(
        changed.map(({ id }) => id),
        ids.filter((id) => id !== second)
      )
      assert.isTrue(changed.every(({ done }) => done))
      assert.isFalse((yield* notes.get(second)).done)
      assert.strictEqual((yield* notes.updateMany({ body, done: true }, {})).length, 2)
      assert.deepStrictEqual(yield* notes.updateMany({ body, done: true, id: [] }, { done: false }), [])
      const removed = yield* notes.removeMany({ body, done: true })
      assert.sameDeepMembers([...removed], [...changed])
      assert.strictEqual(yield* notes.count({ where: { body } }), 1)
    })
  )

  it.effect("take a list of 1,200 keys as one transaction", () =>
    Effect.gen(function* () {
      const body = crypto.randomUUID()
      const ids = yield* made(body, 1_200)
      const keys = [...ids, ...uuids(20)]
      const changed = yield* notes.updateMany({ id: keys, body }, { done: true })
      assert.sameMembers(
        changed.map(({ id }) => id),
        [...ids]
      )
      assert.strictEqual(yield* notes.count({ where: { body, done: true } }), 1_200)
      assert.strictEqual((yield* notes.list({ where: { id: keys } })).length, 1_200)
      assert.strictEqual((yield* notes.getMany(keys)).length, 1_200)
      assert.strictEqual((yield* notes.removeMany({ id: keys })).length, 1_200)
      assert.strictEqual(yield* notes.count({ where: { body } }), 0)
    })
  )

  it.effect("change all of a long list or nothing", () =>
    Effect.gen(function* () {
      const body = crypto.randomUUID()
      const ids = yield* made(body, 300)
      // The column is unique: the second row of the list cannot have it too.
      const error = yield* failureOf(notes.updateMany({ id: ids }, { n: Math.floor(Math.random() * 1e9), done: true }))
      assert.deepInclude(error, { _tag: "TransactionFailed", code: "23505", mayHaveExecuted: false })
      assert.strictEqual(yield* notes.count({ where: { body, done: true } }), 0)
    })
  )

  it.effect("change each row once where the change is to what the list is of", () =>
    Effect.gen(function* () {
      const body = crypto.randomUUID()
      const bodies = Array.from({ length: 300 }, (_, i) => `${body} ${i}`)
      yield* notes.createMany(bodies.map((each) => ({ body: each })))
      // The last of the list: in parts, the rows of the first would be found again by the last.
      const last = bodies.at(-1) ?? ""
      const changed = yield* notes.updateMany({ body: bodies }, { body: last })
      assert.strictEqual(changed.length, 300)
      assert.strictEqual(yield* notes.count({ where: { body: last } }), 300)
      yield* notes.removeMany({ body: last })
    })
  )

  it.effect("are refused without a column: that would be every row", () =>
    Effect.gen(function* () {
      const [id = ""] = yield* made(crypto.randomUUID(), 1)
      const anything: ReadonlyArray<unknown> = [{}, undefined, null, [], { body: undefined }, new Map(), "body"]
      for (const where of anything) {
        const writes: ReadonlyArray<Effect.Effect<unknown, Db.DbError, Db.Db>> = [
          Reflect.apply(notes.removeMany, undefined, [where]),
          Reflect.apply(notes.updateMany, undefined, [where, { done: true }])
        ]
        for (const write of writes) {
          const error = yield* failureOf(write)
          assert.deepInclude(error, { _tag: "DecodeError", stage: "filter", mayHaveExecuted: false })
          assert.match(error.message, /every row|expected an object of columns/)
        }
      }
      assert.isFalse((yield* notes.get(id)).done)
    })
  )
})
