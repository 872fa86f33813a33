/** What a table of a schema, of a class or of a model with variants does beside rows and lists. */
import { Model } from "@effect/sql"
import { assert, layer } from "@effect/vitest"
import { Chunk, DateTime, Effect, Layer, Option, Schema, Stream } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { ids, SharedSupabase, userToken } from "../support/embedded.js"
import { failureOf } from "../support/httpServer.js"

const Note = Schema.Struct({
  id: Schema.UUID,
  body: Schema.String,
  n: Schema.NullOr(Schema.Int),
  amount: Schema.OptionFromNullOr(Schema.Number),
  done: Schema.Boolean,
  at: Schema.Date
})
const notes = Db.table("notes", Note, { generated: ["id", "done", "at"], cast: { amount: "text" } })
const plain = Db.table("notes", Note, { generated: ["id", "done", "at"] })

class Jotting extends Model.Class<Jotting>("Jotting")({
  id: Model.Generated(Schema.UUID),
  body: Schema.String,
  n: Schema.NullOr(Schema.Int),
  done: Model.FieldExcept("insert")(Schema.Boolean),
  at: Model.DateTimeUpdate
}) {}

const orders = Db.table("orders", Schema.Struct({ id: Schema.UUID, buyer_id: Schema.UUID }), { as: "service" })

const Real = Db.layer.pipe(
  Layer.provide(SharedSupabase),
  Layer.provide(PoolConfig.layerOf({ minConnections: 1, maxConnections: 4 }))
)

const mark = (): string => crypto.randomUUID()

layer(Real, { excludeTestServices: true, timeout: 60_000 })("a table", (it) => {
  it.effect("finds a row by its key, or nothing", () =>
    Effect.gen(function* () {
      const made = yield* plain.create({ body: mark() })
      assert.deepStrictEqual(yield* plain.find(made.id), Option.some(made))
      assert.deepStrictEqual(yield* plain.find(mark()), Option.none())
      assert.strictEqual((yield* failureOf(plain.find("no uuid")))._tag, "DecodeError")
    })
  )

  it.effect("lets an insert leave out what may be NULL", () =>
    Effect.gen(function* () {
      const made = yield* plain.create({ body: mark() })
      assert.deepInclude(made, { n: null, amount: Option.none() })
      const full = yield* plain.create({ body: mark(), amount: Option.some(1.5) })
      assert.deepInclude(full, { n: null, amount: Option.some(1.5) })
      const many = yield* plain.createMany([{ body: mark() }, { body: mark(), amount: Option.some(2) }])
      assert.deepStrictEqual(
        many.map(({ amount }) => amount),
        [Option.none(), Option.some(2)]
      )
      const without: Effect.Effect<unknown, Db.DbError, Db.Db> = Reflect.apply(plain.create, undefined, [{}])
      assert.deepInclude(yield* failureOf(without), { path: "body" })
    })
  )

  it.effect("gives pages with the number of all rows", () =>
    Effect.gen(function* () {
      const body = mark()
      yield* plain.createMany([0, 1, 2, 3, 4].map(() => ({ body })))
      const all = yield* plain.list({ where: { body }, orderBy: "n" })
      const pages = yield* Effect.forEach([0, 2, 4, 6], (offset) =>
        plain.page({ where: { body }, orderBy: "n", limit: 2, offset })
      )
      assert.deepStrictEqual(
        pages.flatMap(({ rows }) => rows),
        [...all]
      )
      assert.deepStrictEqual(
        pages.map(({ rows, total }) => [rows.length, total]),
        [
          [2, 5],
          [2, 5],
          [1, 5],
          [0, 5]
        ]
      )
    })
  )

  it.effect("gives pages by key, each from where the last one ended", () =>
    Effect.gen(function* () {
      const body = mark()
      const made = yield* plain.createMany([0, 1, 2, 3, 4].map(() => ({ body })))
      const page = (after: ReadonlyArray<string>) =>
        plain.list({ where: { body, id: Db.and(...[Db.not(null), ...after.map((id) => Db.gt(id))]) }, limit: 2 })
      const first = yield* page([])
      const second = yield* page(first.slice(-1).map(({ id }) => id))
      const third = yield* page(second.slice(-1).map(({ id }) => id))
      assert.deepStrictEqual(
        [first, second, third].map((rows) => rows.length),
        [2, 2, 1]
      )
      assert.sameMembers(
        [...first, ...second, ...third].map(({ id }) => id),
        made.map(({ id }) => id)
      )
    })
  )

  it.effect("streams its rows decoded, page by page, in their order and within their limit", () =>
    Effect.gen(function* () {
      const body = mark()
      const Amount = Schema.Struct({ ...Note.fields, amount: Schema.OptionFromNullOr(Schema.NumberFromString) })
      const amounts = Db.table("notes", Amount, { generated: ["id", "done", "at"], cast: { amount: "text" } })
      yield* plain.createMany([9, 10, 2, 100, 1].map((amount) => ({ body, amount: Option.some(amount) })))
      const streamed = (options: Db.TableStreamOptions<typeof Amount.Type>) =>
        Effect.map(Stream.runCollect(amounts.stream({ ...options, where: { body }, pageSize: 2 })), (rows) =>
          Chunk.toReadonlyArray(rows).map(({ amount }) => Option.getOrNull(amount))
        )
      assert.deepStrictEqual(yield* streamed({ orderBy: "amount" }), [1, 2, 9, 10, 100])
      assert.deepStrictEqual(yield* streamed({ orderBy: "amount", limit: 3, offset: 1 }), [2, 9, 10])
      assert.deepStrictEqual(yield* streamed({ orderBy: "amount", filter: (query) => query.limit(3) }), [1, 2, 9])
      const first = yield* Stream.runHead(amounts.stream({ where: { body }, orderBy: "amount", pageSize: 1 }))
      assert.isTrue(Option.isSome(first) && first.value.at instanceof Date)
      const broken = yield* failureOf(Stream.runDrain(notes.stream({ where: { body } })))
      assert.deepInclude(broken, { _tag: "DecodeError", path: "amount", stage: "read" })
      const refused = yield* failureOf(Stream.runDrain(amounts.stream({ where: { body }, pageSize: 0 })))
      assert.include(refused.message, "pageSize is 0")
      const undefinedBody: unknown = { where: { body: undefined } }
      const everything: Stream.Stream<unknown, Db.DbError, Db.ReadDb> = Reflect.apply(amounts.stream, undefined, [
        undefinedBody
      ])
      assert.include((yield* failureOf(Stream.runDrain(everything))).message, "every row")
    })
  )

  it.effect("streams a long list in parts, all of it", () =>
    Effect.gen(function* () {
      const body = mark()
      const made = yield* plain.createMany(Array.from({ length: 400 }, () => ({ body })))
      const keys = made.map(({ id }) => id)
      const rows = yield* Stream.runCollect(plain.stream({ where: { id: keys }, pageSize: 100 }))
      assert.sameMembers(
        Chunk.toReadonlyArray(rows).map(({ id }) => id),
        keys
      )
      yield* plain.removeMany({ body })
    })
  )

  it.effect("streams as the user who made the stream, also past the service's rights", () =>
    Effect.gen(function* () {
      const mine = ids.user(20)
      const all = yield* Stream.runCollect(orders.stream({ pageSize: 50 }))
      const made = yield* Effect.sync(() => orders.stream({ pageSize: 50 })).pipe(Db.withAccessToken(userToken(mine)))
      const own = Chunk.toReadonlyArray(yield* Stream.runCollect(made))
      const within = yield* Stream.runCollect(orders.stream().pipe(Db.withAccessToken(userToken(mine))))
      assert.isAbove(all.length, own.length)
      assert.isTrue(own.every(({ buyer_id }) => buyer_id === mine))
      assert.sameMembers(
        Chunk.toReadonlyArray(within).map(({ id }) => id),
        own.map(({ id }) => id)
      )
    })
  )

  it.effect("of a model inserts and changes what its variants say, and reads its class", () =>
    Effect.gen(function* () {
      const jottings = Db.table("notes", Jotting)
      const body = mark()
      const made = yield* jottings.create(Jotting.insert.make({ body, n: null }))
      assert.instanceOf(made, Jotting)
      assert.deepInclude({ ...made }, { body, n: null, done: false })
      const short = yield* jottings.create({ body, at: Model.Override(DateTime.unsafeMake(0)) })
      assert.strictEqual(short.n, null)
      assert.strictEqual(short.at.epochMillis, 0)
      const changed = yield* jottings.update(short.id, { done: true })
      assert.deepInclude({ ...changed }, { id: short.id, body, done: true })
      // The model makes the time of each update.
      assert.isAbove(changed.at.epochMillis, Date.UTC(2026, 0))
      assert.deepStrictEqual(yield* jottings.update(short.id, {}), changed)
      assert.strictEqual((yield* jottings.list({ where: { body } })).length, 2)
      const done: Effect.Effect<unknown, Db.DbError, Db.Db> = Reflect.apply(jottings.create, undefined, [
        { body, done: true }
      ])
      assert.deepInclude(yield* failureOf(done), { _tag: "DecodeError", path: "done", stage: "encode" })
    })
  )
})
