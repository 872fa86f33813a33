/** Pages of a table's stream, told apart by the key: rows that come and go meanwhile move no other row. */
import { assert, describe, expect, it, layer } from "@effect/vitest"
import { Chunk, Effect, FastCheck as fc, Layer, Schema, Stream } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { SharedSupabase } from "../support/embedded.js"

interface Asked {
  readonly filter: string | null
  readonly offset: string | null
}

/** A table of numbers, as PostgREST pages through it; `between` changes it after each answer. */
const numbers = (rows: Set<number>, between: (rows: Set<number>, page: number) => void = () => {}) => {
  const asked: Array<Asked> = []
  const database = Db.layerTest((request) => {
    const { searchParams } = new URL(request.url)
    const filter = searchParams.get("id")
    const offset = searchParams.get("offset")
    asked.push({ filter, offset })
    const [, operator, value] = /^(gt|lt)\.(-?\d+)$/.exec(filter ?? "") ?? []
    const isDescending = searchParams.get("order")?.startsWith("id.desc") === true
    const found = [...rows]
      .filter((id) => operator === undefined || (operator === "gt" ? id > Number(value) : id < Number(value)))
      .sort((a, b) => (isDescending ? b - a : a - b))
    const from = Number(offset)
    const page = found.slice(from, from + Number(searchParams.get("limit")))
    between(rows, asked.length)
    return Response.json(page.map((id) => ({ id })))
  })
  return { asked, database }
}

const table = Db.table("numbers", Schema.Struct({ id: Schema.Int }))

const idsOf = (options: Db.TableStreamOptions<{ readonly id: number }>) =>
  Effect.map(Stream.runCollect(table.stream(options)), (rows) => Chunk.toReadonlyArray(rows).map(({ id }) => id))

describe("a table's stream", () => {
  it("gives each row that stays exactly once, in order, whatever else is written and removed meanwhile", () =>
    fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 40, size: "max" }),
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 60 })), { maxLength: 40, size: "max" }),
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        async (ids, changes, pageSize, descending) => {
          const touched = new Set(changes.map(([, id]) => id))
          const { database } = numbers(new Set(ids), (rows, page) => {
            for (const [isAdded, id] of changes.slice((page - 1) * 3, page * 3)) {
              if (isAdded) rows.add(id)
              else rows.delete(id)
            }
          })
          const orderBy = { column: "id", descending } as const
          const read = await Effect.runPromise(Effect.provide(idsOf({ orderBy, pageSize }), database))
          const stayed = ids.filter((id) => !touched.has(id)).sort((a, b) => (descending ? b - a : a - b))
          expect(read.filter((id) => !touched.has(id))).toEqual(stayed)
          expect(new Set(read).size).toBe(read.length)
        }
      ),
      { numRuns: 60 }
    ))

  const ten = (): Set<number> => new Set(Array.from({ length: 10 }, (_, id) => id))

  it.effect("asks behind the last key, so that each page costs the same", () =>
    Effect.gen(function* () {
      const { asked, database } = numbers(ten())
      const read = yield* Effect.provide(idsOf({ pageSize: 4, offset: 1 }), database)
      assert.deepStrictEqual(read, [1, 2, 3, 4, 5, 6, 7, 8, 9])
      assert.deepStrictEqual(
        asked.map(({ filter, offset }) => [filter, Number(offset)]),
        [
          [null, 1],
          ["gt.4", 0],
          ["gt.8", 0],
          ["gt.9", 0]
        ]
      )
    })
  )

  it.effect("ends at its limit", () =>
    Effect.gen(function* () {
      const { asked, database } = numbers(ten())
      assert.deepStrictEqual(yield* Effect.provide(idsOf({ pageSize: 4, limit: 6 }), database), [0, 1, 2, 3, 4, 5])
      assert.lengthOf(asked, 2)
    })
  )

  it.effect("goes by number where another column decides the order, or a filter of the caller's", () =>
    Effect.gen(function* () {
      const Named = Schema.Struct({ id: Schema.Int, name: Schema.NullOr(Schema.String) })
      const named = Db.table("numbers", Named)
      const pages = [
        named.stream({ orderBy: "name", pageSize: 4 }),
        table.stream({ filter: (query) => query, pageSize: 4 })
      ]
      for (const stream of pages) {
        const { asked, database } = numbers(ten())
        yield* Effect.provide(Effect.either(Stream.runDrain(stream)), database)
        assert.isTrue(asked.every(({ filter }) => filter === null))
      }
    })
  )

  it.effect("goes by number where a key is a number that JavaScript rounded", () =>
    Effect.gen(function* () {
      const { asked, database } = numbers(new Set([1, 2, 2 ** 60, 2 ** 61]))
      const wide = Db.table("numbers", Schema.Struct({ id: Schema.Number }))
      const read = yield* Effect.provide(Stream.runCollect(wide.stream({ pageSize: 3 })), database)
      assert.lengthOf(Chunk.toReadonlyArray(read), 4)
      assert.deepStrictEqual(asked.map(({ filter }) => filter).slice(0, 2), [null, null])
    })
  )
})

const Real = Db.layer.pipe(
  Layer.provide(Layer.merge(SharedSupabase, PoolConfig.layerOf({ minConnections: 1, maxConnections: 4 })))
)

layer(Real, { excludeTestServices: true })("over PostgreSQL", (it) => {
  it.effect("each row of an export that removes what it has read is read", () =>
    Effect.gen(function* () {
      const Note = Schema.Struct({ id: Schema.UUID, body: Schema.String })
      const notes = Db.table("notes", Note, { generated: ["id"], as: "service" })
      const body = crypto.randomUUID()
      const made = yield* notes.createMany(Array.from({ length: 12 }, () => ({ body })))
      const read = yield* notes.stream({ where: { body }, pageSize: 3 }).pipe(
        Stream.tap(({ id }) => notes.remove(id)),
        Stream.runCollect
      )
      assert.sameMembers(
        Chunk.toReadonlyArray(read).map(({ id }) => id),
        made.map(({ id }) => id)
      )
    })
  )
})
