/**
 * What a caller can get wrong, each with the answer it has: an error that says so, with the rows as they were, or the
 * value itself, unharmed. Against the embedded database.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { SharedSupabase } from "../support/embedded.js"
import { failureOf } from "../support/httpServer.js"

const Real = Db.layer.pipe(
  Layer.provide(SharedSupabase),
  Layer.provide(PoolConfig.layerOf({ minConnections: 1, maxConnections: 4, maxRetries: 0 }))
)

const Note = Schema.Struct({
  id: Schema.UUID,
  body: Schema.String,
  n: Schema.NullOr(Schema.Number),
  amount: Schema.NullOr(Schema.Number),
  at: Schema.DateFromString
})

const notes = Db.table("notes", Note, { generated: ["id", "n", "amount", "at"], search: ["body"] })

const nowhere = Db.table("nowhere", Note)
const lacking = Db.table("notes", Schema.Struct({ id: Schema.UUID, nothing: Schema.String }))

type Operation = Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>

type Expected = Readonly<Record<string, string | number>>

/** Two rows of one test's own, under the same words. */
const twoRows = Effect.gen(function* () {
  const body = `bad input ${crypto.randomUUID()}`
  const rows = yield* notes.createMany([{ body }, { body }])
  return { body, rows, id: rows[0]?.id ?? "" }
})

type Two = Effect.Effect.Success<typeof twoRows>

/** Everything that changes nothing: what is done, and what comes of it. */
const refused: ReadonlyArray<readonly [what: string, operation: (two: Two) => Operation, expected: Expected]> = [
  ["an unknown table, read", () => Db.read((c) => c.from("nowhere").select("*")), { code: "PGRST205", status: 404 }],
  ["an unknown table, written", () => Db.write((c) => c.from("nowhere").insert({ a: 1 })), { code: "PGRST205" }],
  ["an unknown table, by Db.table", () => nowhere.list(), { _tag: "QueryError", code: "PGRST205" }],
  ["an unknown table in a batch", () => nowhere.get(crypto.randomUUID()), { _tag: "QueryError", code: "PGRST205" }],
  ["an unknown column, read", () => Db.read((c) => c.from("notes").select("nothing")), { code: "42703", status: 400 }],
  [
    "an unknown column, filtered by",
    () => Db.read((c) => c.from("notes").select("id").eq("nothing", 1)),
    { code: "42703" }
  ],
  ["an unknown column, written", () => Db.write((c) => c.from("notes").insert({ nothing: 1 })), { code: "PGRST204" }],
  ["an unknown column of a schema", () => lacking.list({ limit: 1 }), { _tag: "QueryError", code: "42703" }],
  ["an unknown function", () => Db.rpc("nothing"), { code: "PGRST202", status: 404 }],
  ["an unknown function, by GET", () => Db.rpc("nothing", {}, { get: true }), { code: "PGRST202", status: 404 }],
  ["an unknown argument", () => Db.rpc("slow", { years: 1 }), { code: "PGRST202" }],
  ["an argument of a wrong type", () => Db.rpc("slow", { ms: "long" }), { code: "22P02" }],
  [
    "a value of a wrong type",
    ({ id }) => Db.write((c) => c.from("notes").update({ n: "many" }).eq("id", id)),
    { code: "22P02" }
  ],
  ["a filter of a wrong type", () => Db.read((c) => c.from("notes").select("id").eq("n", "many")), { code: "22P02" }],
  ["a key that is none", () => Db.read((c) => c.from("notes").select("id").eq("id", "first")), { code: "22P02" }],
  [
    "an object where text belongs to the key",
    () => Reflect.apply(notes.get, undefined, [{ id: 1 }]),
    { _tag: "DecodeError", path: "id" }
  ],
  [
    "two rows for single()",
    ({ body }) => Db.read((c) => c.from("notes").select("id").eq("body", body).single()),
    { _tag: "QueryError", code: "PGRST116" }
  ],
  [
    "two rows for maybeSingle()",
    ({ body }) => Db.read((c) => c.from("notes").select("id").eq("body", body).maybeSingle()),
    { _tag: "QueryError", code: "PGRST116" }
  ],
  [
    "no row for single()",
    () => Db.read((c) => c.from("notes").select("id").eq("body", crypto.randomUUID()).single()),
    { _tag: "RowNotFound" }
  ],
  ["no row for a get", () => notes.get(crypto.randomUUID()), { _tag: "RowNotFound" }],
  ["no row for an update", () => notes.update(crypto.randomUUID(), { body: "x" }), { _tag: "RowNotFound" }],
  ["no row for a removal", () => notes.remove(crypto.randomUUID()), { _tag: "RowNotFound" }],
  [
    "a key that is there already",
    ({ id, body }) => notes.create({ id, body }),
    { _tag: "QueryError", code: "23505", status: 409 }
  ],
  [
    "more rows than maxAffected, changed",
    ({ body }) => Db.write((c) => c.from("notes").update({ amount: 1 }).eq("body", body), { maxAffected: 1 }),
    { code: "PGRST124", status: 400 }
  ],
  [
    "more rows than maxAffected, removed",
    ({ body }) => Db.write((c) => c.from("notes").delete().eq("body", body).select("id"), { maxAffected: 1 }),
    { code: "PGRST124" }
  ],
  [
    "maxAffected on an insert",
    ({ body }) => Db.write((c) => c.from("notes").insert({ body }), { maxAffected: 1 }),
    { code: "INVALID_REQUEST" }
  ],
  ["maxAffected on an Effect", () => Db.write(() => Effect.void, { maxAffected: 1 }), { code: "INVALID_REQUEST" }],
  [
    "maxAffected on a read",
    ({ body }) => Db.response((c) => c.from("notes").select().eq("body", body), { maxAffected: 1 }),
    { code: "INVALID_REQUEST" }
  ],
  [
    "a maxAffected that is none",
    ({ body }) => Db.write((c) => c.from("notes").delete().eq("body", body), { maxAffected: -1 }),
    { code: "INVALID_REQUEST" }
  ],
  [
    "NUL in text",
    ({ id }) => notes.update(id, { body: "a\0b" }),
    { _tag: "DecodeError", path: "body", stage: "encode" }
  ],
  [
    "NUL in a filter",
    () => notes.list({ where: { body: "a\0b" } }),
    { _tag: "DecodeError", path: "body", stage: "filter" }
  ],
  ["NUL in a search", () => notes.search({ query: "a\0b" }), { _tag: "QueryError", code: "INVALID_REQUEST" }],
  [
    "NUL in a filter of the builder",
    () => Db.read((c) => c.from("notes").select("id").eq("body", "a\0b")),
    { _tag: "QueryError", code: "INVALID_REQUEST" }
  ],
  [
    "NUL in a body of the builder",
    () => Db.write((c) => c.from("notes").insert({ body: "a\0b" })),
    { _tag: "QueryError", code: "INVALID_REQUEST" }
  ],
  [
    "half a character",
    ({ id }) => notes.update(id, { body: "a\ud83eb" }),
    { _tag: "DecodeError", path: "body", stage: "encode" }
  ],
  [
    "a circle",
    () => {
      const tags: Array<unknown> = []
      tags.push(tags)
      return Db.write((c) => c.from("notes").insert({ tags }))
    },
    { _tag: "QueryError", code: "INVALID_REQUEST" }
  ],
  [
    "Infinity, by Db.table",
    ({ id }) => notes.update(id, { amount: Number.POSITIVE_INFINITY }),
    { _tag: "DecodeError", path: "amount" }
  ],
  [
    "NaN, by Db.table",
    ({ body }) => notes.create({ body, amount: Number.NaN }),
    { _tag: "DecodeError", path: "amount" }
  ],
  [
    "Infinity, by Db.write",
    ({ id }) => Db.write((c) => c.from("notes").update({ amount: Number.NEGATIVE_INFINITY }).eq("id", id)),
    { code: "INVALID_REQUEST", status: 0 }
  ],
  [
    "NaN, deep in JSON",
    ({ body }) => Db.write((c) => c.from("notes").insert([{ body, tags: [{ a: [1, Number.NaN] }] }])),
    { code: "INVALID_REQUEST" }
  ],
  [
    "bytes in JSON",
    ({ body }) => Db.write((c) => c.from("notes").insert({ body, tags: new Uint8Array(3) })),
    { code: "INVALID_REQUEST" }
  ],
  [
    "a number too large for its column",
    ({ id }) => notes.update(id, { amount: 1e20 }),
    { _tag: "QueryError", code: "22003" }
  ],
  ["a fraction for an integer", ({ id }) => notes.update(id, { n: 1.5 }), { _tag: "QueryError", code: "22P02" }],
  [
    "a date that is none, by Db.table",
    ({ id }) => notes.update(id, { at: new Date(Number.NaN) }),
    { _tag: "QueryError", code: "22007" }
  ],
  [
    "a date that is none, by Db.write",
    ({ id }) => Db.write((c) => c.from("notes").update({ at: "30 February" }).eq("id", id)),
    { code: "22007" }
  ],
  [
    "a bigint too large for its column",
    ({ id }) =>
      Db.write((c) =>
        c
          .from("notes")
          .update({ n: 2n ** 63n })
          .eq("id", id)
      ),
    { _tag: "QueryError" }
  ],
  [
    "a URL too long",
    () => Db.read((c) => c.from("notes").select("id").eq("body", "x".repeat(100_000))),
    { _tag: "QueryError", status: 431 }
  ],
  [
    "a name that leads elsewhere",
    () => Db.read((c) => c.from("../../auth/v1/admin/users").select("*")),
    { code: "INVALID_REQUEST" }
  ],
  ["an empty user token", () => Db.withAccessToken("")(notes.list()), { code: "INVALID_TOKEN" }],
  [
    "a write on the read pool",
    ({ id }) => Db.read((c) => c.from("notes").delete().eq("id", id)),
    { _tag: "ReadOnlyConnection" }
  ]
]

/** Text that other systems stumble over. */
const texts: ReadonlyArray<readonly [what: string, text: string]> = [
  ["emoji", "🦜👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿"],
  ["quotes", `'single' "double" \`back\` ‘curly’ ''`],
  ["SQL", `'; drop table public.notes; --`],
  ["backslashes", "\\ \\\\ \\n \\u0000 C:\\temp"],
  ["what PostgREST writes itself", "(a,b).not.is.null,or=(x.eq.1)&select=*#%2C"],
  ["control characters", "tab\t line\n return\r bell\u0007 delete\u007f"],
  ["combining and right-to-left characters", "e\u0301 مرحبا \u202eabc"],
  ["the word null", "null"],
  ["spaces at both ends", "  x  "],
  ["nothing", ""]
]

layer(Real)("bad input", (it) => {
  it.effect.each(refused)("%s is refused by name, and every row is as it was", ([, operation, expected]) =>
    Effect.gen(function* () {
      const two = yield* twoRows
      const error = yield* failureOf(operation(two))
      assert.deepInclude(error, expected)
      assert.isFalse(error.mayHaveExecuted, error.message)
      assert.match(error.message, /^[A-Z][^\n]*\.$/)
      assert.sameDeepMembers([...(yield* notes.list({ where: { body: two.body } }))], [...two.rows])
    })
  )

  it.effect.each(texts)("text with %s comes back as it was, and is found", ([, text]) =>
    Effect.gen(function* () {
      const { id } = yield* notes.create({ body: text })
      assert.strictEqual((yield* notes.get(id)).body, text)
      assert.strictEqual(yield* notes.count({ where: { id, body: text } }), 1)
      assert.strictEqual(yield* notes.count({ where: { id, body: [text, "another"] } }), 1)
      yield* notes.update(id, { body: `${text}!` })
      assert.strictEqual((yield* notes.remove(id)).body, `${text}!`)
    })
  )

  it.effect("a row of 10 MB comes back as it was", () =>
    Effect.gen(function* () {
      const body = "0123456789abcdef".repeat(655_360)
      const { id } = yield* notes.create({ body })
      const read = yield* notes.get(id)
      assert.isTrue(read.body === body)
      yield* Db.write((client) => client.from("notes").delete().eq("id", id))
    })
  )

  it.effect("dates keep their instant, whichever zone they are written in", () =>
    Effect.gen(function* () {
      const instants = ["1970-01-01T00:00:00.000Z", "2024-02-29T23:59:59.999Z", "9999-12-31T00:00:00.000Z"]
      for (const instant of instants) {
        const { at, id } = yield* notes.create({ body: "", at: new Date(instant) })
        assert.strictEqual(at.toISOString(), instant)
        yield* notes.remove(id)
      }
      const written: unknown = yield* Db.write((client) =>
        client.from("notes").insert({ at: "2025-06-01T02:00:00+02:00" }).select("at").single()
      )
      assert.deepStrictEqual(written, { at: "2025-06-01T00:00:00+00:00" })
    })
  )

  it.effect("a bigint beyond 2^53 is exact where the schema casts it to text", () =>
    Effect.gen(function* () {
      const large = 9_007_199_254_740_993n
      const kinds = Db.table("tx_bytes", Schema.Struct({ id: Schema.UUID, big: Schema.BigInt, raw: Schema.String }), {
        generated: ["id"],
        cast: { big: "text", raw: "text" }
      })
      const id = crypto.randomUUID()
      // In a transaction: the embedded database's own inserts make a number of it on the way.
      yield* Db.transaction([(client) => client.from("tx_bytes").insert({ id, big: large, raw: "\\x00ff41" })])
      assert.deepStrictEqual(yield* kinds.get(id), { id, big: large, raw: "\\x00ff41" })
      yield* kinds.remove(id)
    })
  )

  it.effect("bytes are text: hexadecimal digits after \\x, which a schema makes bytes of", () =>
    Effect.gen(function* () {
      const Bytes = Schema.transform(Schema.TemplateLiteral("\\x", Schema.String), Schema.Uint8ArrayFromHex, {
        strict: true,
        decode: (text) => text.slice(2),
        encode: (hex) => `\\x${hex}` as const
      })
      const files = Db.table("tx_bytes", Schema.Struct({ id: Schema.UUID, raw: Bytes }), {
        generated: ["id"],
        // PostgREST writes them so by itself, the embedded database when it is told to.
        cast: { raw: "text" }
      })
      const id = crypto.randomUUID()
      yield* Db.transaction([(client) => client.from("tx_bytes").insert({ id, raw: "\\x00ff41" })])
      assert.deepStrictEqual((yield* files.get(id)).raw, new Uint8Array([0, 255, 65]))
      yield* files.remove(id)
    })
  )
})
