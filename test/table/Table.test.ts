/** `Db.table` against the embedded database: what is written is there, what is read is decoded, what is wrong is said. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Arbitrary, Effect, FastCheck, Layer, Schema } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { SharedSupabase } from "../support/embedded.js"
import { failureOf } from "../support/httpServer.js"

const Note = Schema.Struct({
  id: Schema.UUID,
  body: Schema.String,
  n: Schema.NullOr(Schema.Int),
  amount: Schema.NullOr(Schema.Number),
  tags: Schema.Array(Schema.String),
  done: Schema.Boolean,
  at: Schema.Date
})

/** What PostgreSQL takes for text: everything but NUL, and no half of a surrogate pair. */
const Text = Schema.String.pipe(Schema.filter((text) => !/\0|\p{Cs}/u.test(text)))

const generated = ["id", "n", "amount", "tags", "done", "at"] as const

const notes = Db.table("notes", Note, { generated, search: ["body"] })

/** Names of the program's own, and a class. */
class Jotting extends Schema.Class<Jotting>("Jotting")({
  key: Schema.propertySignature(Schema.UUID).pipe(Schema.fromKey("id")),
  text: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("body")),
  writtenAt: Schema.propertySignature(Schema.Date).pipe(Schema.fromKey("at"))
}) {
  get shout(): string {
    return this.text.toUpperCase()
  }
}

const jottings = Db.table("notes", Jotting, { key: "key", generated: ["key", "writtenAt"], search: ["text"] })

/** The same table, as somebody would describe it who has not looked. */
const mistaken = Db.table("notes", Schema.Struct({ id: Schema.UUID, body: Schema.Int }), { generated: ["id"] })

const Real = Db.layer.pipe(
  Layer.provide(SharedSupabase),
  Layer.provide(PoolConfig.layerOf({ minConnections: 1, maxConnections: 4 }))
)

/** What a caller without types might give: the function takes anything, and is told so. */
const untyped = <A extends ReadonlyArray<unknown>, B>(f: (...args: A) => B, ...args: ReadonlyArray<unknown>): B =>
  Reflect.apply(f, undefined, args)

/** A word that no other test's rows have. */
const mark = (): string => `t${crypto.randomUUID().replaceAll("-", "")}`

layer(Real)("Db.table", (it) => {
  describe("a row", () => {
    it.effect("is created with the database's own values where it leaves columns out, and found by its key", () =>
      Effect.gen(function* () {
        const body = mark()
        const made = yield* notes.create({ body })
        assert.deepInclude(made, { body, n: null, amount: null, tags: [], done: false })
        assert.instanceOf(made.at, Date)
        assert.deepStrictEqual(yield* notes.get(made.id), made)
      })
    )

    it.effect("comes back as it was sent", () =>
      Effect.gen(function* () {
        const row = {
          id: crypto.randomUUID(),
          body: `${mark()} "quoted", 'too' \\ (with) {every} %_* 日本 🦜\n`,
          n: null,
          amount: 12.34,
          tags: ["a", "ü"],
          done: true,
          at: new Date("2025-02-03T04:05:06.789Z")
        }
        assert.deepStrictEqual(yield* notes.create(row), row)
        assert.deepStrictEqual(yield* notes.get(row.id), row)
      })
    )

    it.effect("is changed where an update says so and nowhere else", () =>
      Effect.gen(function* () {
        const made = yield* notes.create({ body: mark(), amount: 1 })
        const changed = yield* notes.update(made.id, { amount: null, done: true, body: undefined })
        assert.deepStrictEqual(changed, { ...made, amount: null, done: true })
        assert.deepStrictEqual(yield* notes.update(made.id, {}), changed)
        assert.deepStrictEqual(yield* notes.get(made.id), changed)
      })
    )

    it.effect("is inserted by an upsert, changed by the next", () =>
      Effect.gen(function* () {
        const id = crypto.randomUUID()
        const first = yield* notes.upsert({ id, body: "first" })
        const second = yield* notes.upsert({ id, body: "second", at: first.at })
        assert.deepStrictEqual(second, { ...first, body: "second" })
      })
    )

    it.effect("is found for an upsert by another unique column", () =>
      Effect.gen(function* () {
        const n = Math.floor(Math.random() * 1e9)
        const first = yield* notes.upsert({ n, body: mark() }, { onConflict: "n" })
        const second = yield* notes.upsert({ n, body: "again" }, { onConflict: ["n"] })
        assert.strictEqual(second.id, first.id)
        assert.strictEqual(second.body, "again")
      })
    )

    it.effect("that is removed is given back one last time", () =>
      Effect.gen(function* () {
        const made = yield* notes.create({ body: mark() })
        assert.deepStrictEqual(yield* notes.remove(made.id), made)
        const gone: ReadonlyArray<Effect.Effect<unknown, Db.DbError, Db.ReadDb | Db.Db>> = [
          notes.get(made.id),
          notes.update(made.id, { done: true }),
          notes.remove(made.id)
        ]
        for (const operation of gone) {
          const error = yield* failureOf(operation)
          assert.strictEqual(error._tag, "RowNotFound")
          assert.include(error.message, `Row not found in notes: no row has the key ${made.id}. Nothing was changed.`)
        }
      })
    )
  })

  describe("rows", () => {
    it.effect("are created together, in the order given, whichever columns they leave out", () =>
      Effect.gen(function* () {
        const body = mark()
        const same = yield* notes.createMany([{ body: `${body} 1` }, { body: `${body} 2` }])
        assert.deepStrictEqual(
          same.map((row) => row.body),
          [`${body} 1`, `${body} 2`]
        )
        const different = yield* notes.createMany([
          { body, amount: 1, done: true },
          { body, tags: ["x"] },
          { body, amount: 3, done: false }
        ])
        assert.deepStrictEqual(
          different.map(({ amount, done, tags }) => ({ amount, done, tags })),
          [
            { amount: 1, done: true, tags: [] },
            { amount: null, done: false, tags: ["x"] },
            { amount: 3, done: false, tags: [] }
          ]
        )
        assert.deepStrictEqual(yield* notes.createMany([]), [])
      })
    )

    it.effect("are created all or not at all", () =>
      Effect.gen(function* () {
        const body = mark()
        const id = crypto.randomUUID()
        const error = yield* failureOf(
          notes.createMany([
            { id, body },
            { id, body, done: true }
          ])
        )
        assert.strictEqual(error._tag, "TransactionFailed")
        assert.strictEqual(yield* notes.count({ where: { body } }), 0)
      })
    )

    it.effect("come in the order of their keys from getMany, without those that are not there", () =>
      Effect.gen(function* () {
        const [one, two] = yield* notes.createMany([{ body: mark() }, { body: mark() }])
        const keys = [two?.id ?? "", crypto.randomUUID(), one?.id ?? "", two?.id ?? ""]
        const rows: ReadonlyArray<unknown> = yield* notes.getMany(keys)
        assert.deepStrictEqual(rows, [two, one, two])
        assert.deepStrictEqual(yield* notes.getMany([]), [])
      })
    )

    it.effect("are found whichever way a key is written", () =>
      Effect.gen(function* () {
        const [one, two] = yield* notes.createMany([{ body: mark() }, { body: mark() }])
        const shouted = [one?.id.toUpperCase() ?? "", two?.id ?? "", crypto.randomUUID()]
        const rows: ReadonlyArray<unknown> = yield* notes.getMany(shouted)
        assert.deepStrictEqual(rows, [one, two])
        assert.deepStrictEqual(yield* notes.get(one?.id.toUpperCase() ?? ""), one)
      })
    )

    it.effect("are listed by conditions, in order, page by page", () =>
      Effect.gen(function* () {
        const body = mark()
        yield* notes.createMany([1, 2, 3, 4, 5].map((amount) => ({ body, amount, done: amount > 3 })))
        const amounts = (options: Db.ListOptions<typeof Note.Type>) =>
          Effect.map(notes.list({ ...options, where: { ...options.where, body } }), (rows) =>
            rows.map(({ amount }) => amount)
          )
        assert.deepStrictEqual(yield* amounts({ orderBy: "amount" }), [1, 2, 3, 4, 5])
        assert.deepStrictEqual(yield* amounts({ orderBy: { column: "amount", descending: true }, limit: 2 }), [5, 4])
        assert.deepStrictEqual(yield* amounts({ orderBy: "amount", limit: 2, offset: 2 }), [3, 4])
        assert.deepStrictEqual(yield* amounts({ orderBy: "amount", offset: 4 }), [5])
        assert.deepStrictEqual(yield* amounts({ orderBy: "amount", limit: 0 }), [])
        assert.deepStrictEqual(yield* amounts({ orderBy: "amount", limit: 10, offset: 100 }), [])
        assert.deepStrictEqual(yield* amounts({ orderBy: ["done", "amount"], where: { done: true } }), [4, 5])
        assert.deepStrictEqual(yield* amounts({ orderBy: "amount", where: { amount: [2, 4, 17] } }), [2, 4])
        assert.deepStrictEqual(yield* amounts({ orderBy: "amount", where: { amount: null } }), [])
        assert.deepStrictEqual(yield* amounts({ where: { amount: [] } }), [])
        assert.deepStrictEqual(yield* amounts({ orderBy: "amount", filter: (query) => query.gte("amount", 4) }), [4, 5])
        assert.strictEqual(yield* notes.count({ where: { body } }), 5)
        assert.strictEqual(yield* notes.count({ where: { body }, filter: (query) => query.lt("amount", 3) }), 2)
        assert.strictEqual(yield* notes.count({ query: body }), 5)
      })
    )

    it.effect("are searched by all words in any case, each character standing for itself", () =>
      Effect.gen(function* () {
        const body = mark()
        const texts = [
          "50% off",
          "50x off",
          "a_b",
          "axb",
          '(now), "or"',
          "back\\slash",
          "st*r",
          "star",
          "[x] a|b ^$ {1}"
        ]
        yield* notes.createMany(texts.map((text) => ({ body: `${body} ${text}` })))
        const found = (query: string) =>
          Effect.map(notes.search({ query: `${body} ${query}` }), (rows) =>
            rows.map((row) => row.body.slice(body.length + 1)).sort()
          )
        assert.deepStrictEqual(yield* found(""), [...texts].sort())
        assert.deepStrictEqual(yield* found("OFF 50%"), ["50% off"])
        assert.deepStrictEqual(yield* found("a_b"), ["a_b"])
        assert.deepStrictEqual(yield* found("%"), ["50% off"])
        assert.deepStrictEqual(yield* found('"or"'), ['(now), "or"'])
        assert.deepStrictEqual(yield* found("(now),"), ['(now), "or"'])
        assert.deepStrictEqual(yield* found("\\"), ["back\\slash"])
        assert.deepStrictEqual(yield* found("st*r"), ["st*r"])
        assert.deepStrictEqual(yield* found("[x] a|b ^$ {1}"), ["[x] a|b ^$ {1}"])
        assert.deepStrictEqual(yield* found("."), [])
        assert.strictEqual((yield* failureOf(mistaken.search({ query: "x" }))).message.includes("{ search: ["), true)
        // Of its own rows only: those of other tests may hold anything.
        const own = { body: texts.map((text) => `${body} ${text}`) }
        assert.strictEqual((yield* notes.search({ query: " ", where: own })).length, texts.length)
      })
    )

    it.effect("with a key in common are refused by key, with the words for what is wrong with the key", () =>
      Effect.gen(function* () {
        const pairs = Db.table("notes", Note, { key: "body", generated })
        const body = mark()
        yield* notes.createMany([{ body }, { body }])
        const errors = yield* Effect.all([
          failureOf(pairs.get(body)),
          failureOf(pairs.getMany([body])),
          failureOf(pairs.update(body, { done: true })),
          failureOf(pairs.remove(body))
        ])
        for (const { _tag, message } of errors) {
          assert.strictEqual(_tag, "QueryError")
          assert.include(message, "2 rows")
          assert.include(message, "The key of a table has to be one column that is unique.")
          assert.notInclude(message, "Narrow the filter")
        }
        assert.throws(
          () => untyped(Db.table, "notes", Note, { key: ["id", "body"] }),
          'Db.table("notes"): key is one column, and [id, body] are several.'
        )
      })
    )

    it.effect("are found by parentheses among several words, and by the words for values", () =>
      Effect.gen(function* () {
        for (const word of ["a) b", "( b", ") or(", "null", "TRUE", "unknown", "7"]) {
          const { id } = yield* notes.create({ body: `<${word}>` })
          assert.strictEqual((yield* notes.search({ query: word, where: { id } })).length, 1, word)
        }
      })
    )

    it.effect("are found by any text they hold", () =>
      Effect.gen(function* () {
        const text = FastCheck.string({ unit: "grapheme", minLength: 1, maxLength: 12 }).filter(
          // A letter in title case ("ǈ") is not found by itself where case does not count: PostgreSQL's regular expressions.
          (word) => !word.includes("\0") && word.trim() !== "" && !/\p{Lt}/u.test(word)
        )
        for (const word of FastCheck.sample(text, 25)) {
          const { id } = yield* notes.create({ body: `<${word}>` })
          const rows = yield* notes.search({ query: word, where: { id } })
          assert.strictEqual(rows.length, 1, JSON.stringify(word))
          assert.strictEqual(yield* notes.count({ where: { id, body: `<${word}>` } }), 1, JSON.stringify(word))
          assert.strictEqual(yield* notes.count({ where: { id, body: [`<${word}>`, "x"] } }), 1, JSON.stringify(word))
        }
      })
    )
  })

  describe("a schema", () => {
    it.effect("gives columns names of the program's own, and rows methods", () =>
      Effect.gen(function* () {
        const text = mark()
        const made = yield* jottings.create({ text })
        assert.instanceOf(made, Jotting)
        assert.strictEqual(made.shout, text.toUpperCase())
        const again = yield* jottings.update(made.key, { text: `${text} again` })
        assert.strictEqual(again.text, `${text} again`)
        const found = yield* jottings.search({ query: text, orderBy: "writtenAt", where: { key: [made.key] } })
        assert.deepStrictEqual(found, [again])
        assert.deepStrictEqual(yield* jottings.upsert({ ...again, text }), made)
      })
    )

    it.effect("that does not fit a row gives a DecodeError with path and id", () =>
      Effect.gen(function* () {
        const { body, id } = yield* notes.create({ body: mark() })
        const reads: ReadonlyArray<Effect.Effect<unknown, Db.DbError, Db.ReadDb>> = [
          mistaken.get(id),
          mistaken.getMany([id]),
          mistaken.list({ filter: (query) => query.eq("id", id) })
        ]
        for (const read of reads) {
          const error = yield* failureOf(read)
          assert.deepInclude(error, { _tag: "DecodeError", table: "notes", id, path: "body", stage: "read" })
          assert.strictEqual(
            error.message,
            `Row does not decode: notes ${id} at body: Expected number, actual "${body}". ` +
              "The row in the database is unchanged. Make the schema and the table agree."
          )
        }
        const written = yield* failureOf(mistaken.update(id, { body: 7 }))
        assert.deepInclude(written, { _tag: "DecodeError", id, stage: "write", mayHaveExecuted: true })
        assert.strictEqual((yield* notes.get(id)).body, "7")
      })
    )

    it.effect("that does not fit a value keeps it from being sent", () =>
      Effect.gen(function* () {
        const { id } = yield* notes.create({ body: mark() })
        const wrong: ReadonlyArray<readonly [path: string, Effect.Effect<unknown, Db.DbError, Db.Db>]> = [
          ["n", notes.create({ body: "", n: 1.5 })],
          ["amount", notes.create({ body: "", amount: Number.POSITIVE_INFINITY })],
          ["amount", notes.update(id, { amount: Number.NaN })],
          ["at", notes.update(id, { at: new Date(Number.NaN) })],
          ["id", notes.upsert({ id: "no uuid", body: "" })],
          ["id", notes.remove("no uuid")],
          ["tags.1", untyped(notes.createMany, [{ body: "" }, { body: "", tags: ["a", 1] }])],
          ["body", untyped(notes.create, {})],
          ["bdoy", untyped(notes.create, { body: "", bdoy: "" })],
          ["", untyped(notes.create, "row")]
        ]
        for (const [path, write] of wrong) {
          const error = yield* failureOf(write)
          assert.deepInclude(error, { _tag: "DecodeError", path, mayHaveExecuted: false })
          assert.include(error.message, "Nothing was sent.")
        }
      })
    )

    it.effect("that does not fit a filter keeps it from being sent", () =>
      Effect.gen(function* () {
        const wrong: ReadonlyArray<readonly [path: string, Effect.Effect<unknown, Db.DbError, Db.ReadDb>]> = [
          ["id", notes.get("no uuid")],
          ["id", notes.getMany(["no uuid"])],
          ["done", untyped(notes.list, { where: { done: "yes" } })],
          ["doen", untyped(notes.list, { where: { doen: true } })],
          ["limit", notes.list({ limit: -1 })],
          ["limit", notes.list({ limit: 1.5 })],
          ["offset", notes.list({ offset: Number.NaN })],
          ["bdoy", untyped(notes.list, { orderBy: "bdoy" })]
        ]
        for (const [path, read] of wrong) {
          const error = yield* failureOf(read)
          assert.deepInclude(error, { _tag: "DecodeError", path, stage: "filter", mayHaveExecuted: false })
          assert.match(error.message, /^Filter not understood: notes.*Nothing was sent\. Fix the filter\.$/)
        }
      })
    )

    it.effect.prop(
      "writes and reads back what it describes",
      [
        Arbitrary.make(
          Schema.Struct({
            body: Text,
            amount: Schema.NullOr(Schema.Int.pipe(Schema.between(-1e6, 1e6))),
            tags: Schema.Array(Text),
            done: Schema.Boolean
          })
        )
      ],
      ([row]) =>
        Effect.gen(function* () {
          const made = yield* notes.create(row)
          assert.deepInclude(yield* notes.get(made.id), row)
          yield* notes.remove(made.id)
        }),
      { fastCheck: { numRuns: 20 } }
    )
  })
})

describe("the options of Db.table", () => {
  it("are refused at once when they name what the schema lacks", () => {
    assert.throws(() => untyped(Db.table, "notes", Note, { key: "nmae" }), 'Db.table("notes"): key names "nmae"')
    assert.throws(() => untyped(Db.table, "notes", Note, { generated: ["nmae"] }), "It has id, body")
    assert.throws(() => untyped(Db.table, "notes", Note, { search: ["nmae"] }), "search")
    assert.throws(() => untyped(Db.table, "profiles", Schema.Struct({ user_id: Schema.UUID })), 'key names "id"')
  })
})
