/** Dates whose text names no offset: never another moment in silence, whatever the time zone of the process is. */
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Either, Schema } from "effect"
import * as Db from "../../src/Db.js"

const text = "2025-09-18T10:00:00.123456"

const Text = Schema.String
class Stamped extends Schema.Class<Stamped>("Stamped")({ id: Text, at: Schema.Date }) {}
interface Tree {
  readonly at: Date
  readonly below: ReadonlyArray<Tree>
}
interface TreeText {
  readonly at: string
  readonly below: ReadonlyArray<TreeText>
}
const Tree: Schema.Schema<Tree, TreeText> = Schema.Struct({
  at: Schema.Date,
  below: Schema.Array(Schema.suspend(() => Tree))
})
const AtGreenwich = Schema.transform(Text, Schema.Date, { decode: (it) => `${it}Z`, encode: (it) => it.slice(0, -1) })

const leaf = { at: "2025-09-18T10:00:00Z", below: [] }

/** What the schema of the column is, and what it must not read. */
const refused: ReadonlyArray<readonly [name: string, schema: Db.TableSchema, at: unknown, path: string]> = [
  ["Schema.Date", Schema.Struct({ id: Text, at: Schema.Date }), text, "at"],
  ["Schema.Date without seconds", Schema.Struct({ id: Text, at: Schema.Date }), "2025-09-18 10:00", "at"],
  ["DateFromString", Schema.Struct({ id: Text, at: Schema.DateFromString }), text, "at"],
  ["a class", Stamped, text, "at"],
  ["annotated", Schema.Struct({ id: Text, at: Schema.Date.annotations({ title: "At" }) }), text, "at"],
  ["a filter", Schema.Struct({ id: Text, at: Schema.Date.pipe(Schema.filter(() => true)) }), text, "at"],
  ["branded", Schema.Struct({ id: Text, at: Schema.Date.pipe(Schema.brand("At")) }), text, "at"],
  ["NullOr", Schema.Struct({ id: Text, at: Schema.NullOr(Schema.Date) }), text, "at"],
  ["OptionFromNullOr", Schema.Struct({ id: Text, at: Schema.OptionFromNullOr(Schema.Date) }), text, "at"],
  ["optional", Schema.Struct({ id: Text, at: Schema.optional(Schema.Date) }), text, "at"],
  ["optionalWith", Schema.Struct({ id: Text, at: Schema.optionalWith(Schema.Date, { as: "Option" }) }), text, "at"],
  ["an array", Schema.Struct({ id: Text, at: Schema.Array(Schema.Date) }), [leaf.at, text], "at.1"],
  ["a tuple", Schema.Struct({ id: Text, at: Schema.Tuple(Text, Schema.Date) }), [text, text], "at.1"],
  ["a record", Schema.Struct({ id: Text, at: Schema.Record({ key: Text, value: Schema.Date }) }), { x: text }, "at.x"],
  ["a struct", Schema.Struct({ id: Text, at: Schema.Struct({ x: Schema.Date }) }), { x: text }, "at.x"],
  ["a tree", Schema.Struct({ id: Text, at: Tree }), { ...leaf, below: [leaf, { ...leaf, at: text }] }, "at.below.1.at"]
]

const read: ReadonlyArray<readonly [name: string, schema: Db.TableSchema, at: unknown, moment: unknown]> = [
  ["an offset", Schema.Struct({ id: Text, at: Schema.Date }), `${text}+02:00`, new Date("2025-09-18T08:00:00.123Z")],
  ["Z", Schema.Struct({ id: Text, at: Schema.Date }), `${text}Z`, new Date("2025-09-18T10:00:00.123Z")],
  ["a date alone", Schema.Struct({ id: Text, at: Schema.Date }), "2025-09-18", new Date("2025-09-18T00:00:00Z")],
  ["null", Schema.Struct({ id: Text, at: Schema.NullOr(Schema.Date) }), null, null],
  ["DateTimeUtc", Schema.Struct({ id: Text, at: Schema.DateTimeUtc }), text, DateTime.unsafeMake(`${text}Z`)],
  ["a schema of one's own", Schema.Struct({ id: Text, at: AtGreenwich }), text, new Date("2025-09-18T10:00:00.123Z")],
  ["text", Schema.Struct({ id: Text, at: Text }), text, text],
  ["text or a date", Schema.Struct({ id: Text, at: Schema.Union(Text, Schema.Date) }), text, text]
]

const rowOf = (schema: Db.TableSchema, at: unknown) =>
  Effect.either(Db.table("stamps", schema, { key: "id" }).get("1")).pipe(
    Effect.provide(Db.layerTest(() => Response.json([{ id: "1", at }])))
  )

describe("a date without an offset", () => {
  for (const [name, schema, at, path] of refused) {
    it.effect(`is no row, and the error says what to do: ${name}`, () =>
      Effect.gen(function* () {
        const row = yield* rowOf(schema, at)
        expect(Either.isLeft(row) && row.left).toMatchObject({ _tag: "DecodeError", id: "1", path, stage: "read" })
        expect(Either.isLeft(row) && row.left.message).toContain(
          "take Values.Timestamp where the column is a timestamp in UTC"
        )
      })
    )
  }

  for (const [name, schema, at, moment] of read) {
    it.effect(`is not what this is: ${name}`, () =>
      Effect.gen(function* () {
        expect(yield* rowOf(schema, at)).toEqual(Either.right(expect.objectContaining({ at: moment })))
      })
    )
  }
})
