/** What the compiler knows of a table: its rows, what an insert needs, and who may read and write. */
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { type Effect as E, Effect, Schema } from "effect"
import * as Db from "../../src/Db.js"

const Row = Schema.Struct({
  id: Schema.UUID,
  body: Schema.String,
  at: Schema.Date,
  note: Schema.optional(Schema.String)
})
type Row = typeof Row.Type

class Item extends Schema.Class<Item>("Item")({
  code: Schema.propertySignature(Schema.Int).pipe(Schema.fromKey("item_code")),
  body: Schema.String
}) {}

const rows = Db.table("rows", Row, { generated: ["id", "at"] })
const hidden = Db.table("hidden", Row, { as: "service" })
const items = Db.table("items", Item, { key: "code" })
const plain = Db.table("plain", Row)

describe("a table", () => {
  it("gives rows of its schema", () => {
    expectTypeOf<E.Effect.Success<ReturnType<typeof rows.get>>>().toEqualTypeOf<Row>()
    expectTypeOf<E.Effect.Success<ReturnType<typeof rows.list>>>().toEqualTypeOf<ReadonlyArray<Row>>()
    expectTypeOf<E.Effect.Success<ReturnType<typeof items.update>>>().toEqualTypeOf<Item>()
    expectTypeOf<E.Effect.Error<ReturnType<typeof rows.get>>>().toEqualTypeOf<Db.RowError>()
  })

  it("is read with ReadDb and written with Db; read as the service, it needs Db too", () => {
    expectTypeOf<E.Effect.Context<ReturnType<typeof rows.get>>>().toEqualTypeOf<Db.ReadDb>()
    expectTypeOf<E.Effect.Context<ReturnType<typeof rows.search>>>().toEqualTypeOf<Db.ReadDb>()
    expectTypeOf<E.Effect.Context<ReturnType<typeof plain.count>>>().toEqualTypeOf<Db.ReadDb>()
    expectTypeOf<E.Effect.Context<ReturnType<typeof rows.create>>>().toEqualTypeOf<Db.Db>()
    expectTypeOf<E.Effect.Context<ReturnType<typeof rows.remove>>>().toEqualTypeOf<Db.Db>()
    expectTypeOf<E.Effect.Context<ReturnType<typeof hidden.get>>>().toEqualTypeOf<Db.Db>()
  })

  it("asks an insert for what the database does not make, and an update for nothing", () => {
    expectTypeOf<Parameters<typeof rows.create>[0]>().toEqualTypeOf<{
      readonly body: string
      readonly note?: string | undefined
      readonly id?: string | undefined
      readonly at?: Date | undefined
    }>()
    expectTypeOf<Parameters<typeof plain.create>[0]>().toEqualTypeOf<Row>()
    expectTypeOf<Parameters<typeof items.create>[0]>().toEqualTypeOf<{ readonly code: number; readonly body: string }>()
    expectTypeOf<Parameters<typeof rows.update>[1]["body"]>().toEqualTypeOf<string | undefined>()
    expectTypeOf<Parameters<typeof items.get>[0]>().toEqualTypeOf<number>()
    expectTypeOf<Parameters<typeof rows.get>[0]>().toEqualTypeOf<string>()
  })

  it("refuses columns and values that it does not have", () => {
    const refused = [
      // @ts-expect-error: body is missing.
      rows.create({}),
      // @ts-expect-error: no such column.
      rows.create({ body: "", bdoy: "" }),
      // @ts-expect-error: a date is a Date.
      rows.update("", { at: "today" }),
      // @ts-expect-error: no such column.
      rows.list({ where: { bdoy: "" } }),
      // @ts-expect-error: no such column.
      rows.list({ orderBy: "bdoy" }),
      // @ts-expect-error: the key is a number.
      items.get("1")
    ]
    expect(refused.every(Effect.isEffect)).toBe(true)
    // @ts-expect-error: no such column.
    expect(() => Db.table("rows", Row, { generated: ["bdoy"] })).toThrow("bdoy")
  })
})
