/** What the compiler knows of a table: its rows, what an insert needs, and who may read and write. */
import { Model } from "@effect/sql"
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { BigDecimal, type Effect as E, Effect, Option, Schema } from "effect"
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

  it("compares columns with their own values, and with nothing else", () => {
    const Kind = Schema.Struct({
      id: Schema.UUID,
      n: Schema.NullOr(Schema.Int),
      price: Schema.BigDecimal,
      at: Schema.Date,
      name: Schema.OptionFromNullOr(Schema.String),
      status: Schema.Literal("paid", "open"),
      tags: Schema.Array(Schema.String),
      note: Schema.optional(Schema.String)
    })
    const kinds = Db.table("kinds", Kind)
    const price = BigDecimal.unsafeFromNumber(9)
    const taken: ReadonlyArray<Db.Where<typeof Kind.Type>> = [
      { n: 1 },
      { n: null },
      { n: [1, null] },
      { n: Db.gte(1) },
      { n: Db.between(1, 5) },
      { n: Db.not(null) },
      { n: Db.not(3) },
      { n: Db.not([3, null]) },
      { n: Db.or(Db.lt(1), Db.and(Db.gt(4), Db.neq(7))) },
      { price: Db.gt(price), at: Db.lt(new Date()) },
      { name: Db.neq(Option.some("a")) },
      { name: [Option.some("a"), Option.none()] },
      { status: Db.neq("paid") },
      { status: Db.like("p%") },
      { note: Db.or(Db.like("a%"), Db.neq("b")) },
      { tags: Db.contains(["a"]) },
      { tags: Db.not(Db.overlaps(["a", "b"])) }
    ]
    expect(taken.length).toBe(17)
    const refused = [
      // @ts-expect-error: every row?
      kinds.list({ where: { n: undefined } }),
      // @ts-expect-error: every row?
      kinds.list({ where: undefined }),
      // @ts-expect-error: a text is no number.
      kinds.list({ where: { n: Db.gte("1") } }),
      // @ts-expect-error: a number is no BigDecimal.
      kinds.list({ where: { price: Db.gte(19.9) } }),
      // @ts-expect-error: no such status.
      kinds.list({ where: { status: Db.neq("piad") } }),
      // @ts-expect-error: a number fits no pattern.
      kinds.list({ where: { n: Db.like("1%") } }),
      // @ts-expect-error: a comparison is made by Db.
      kinds.list({ where: { n: { gte: 1 } } }),
      // @ts-expect-error: tags are texts.
      kinds.list({ where: { tags: Db.contains([1]) } }),
      // @ts-expect-error: one of the two is no number.
      kinds.list({ where: { n: Db.or(Db.lt(1), Db.gt("5")) } })
    ]
    expect(refused.every(Effect.isEffect)).toBe(true)
  })

  it("lets an insert leave out what may be NULL, and takes what a model's variants say", () => {
    const Kind = Schema.Struct({
      id: Schema.UUID,
      body: Schema.String,
      n: Schema.NullOr(Schema.Int),
      name: Schema.propertySignature(Schema.OptionFromNullOr(Schema.String)).pipe(Schema.fromKey("kind_name"))
    })
    const kinds = Db.table("kinds", Kind, { generated: ["id"] })
    expectTypeOf<Parameters<typeof kinds.create>[0]>().toEqualTypeOf<{
      readonly body: string
      readonly id?: string | undefined
      readonly n?: number | null | undefined
      readonly name?: Option.Option<string> | undefined
    }>()

    class Group extends Model.Class<Group>("Group")({
      id: Model.Generated(Schema.UUID),
      name: Schema.String,
      note: Schema.NullOr(Schema.String),
      createdAt: Model.DateTimeInsert,
      secret: Model.FieldOnly("insert")(Schema.String)
    }) {}
    const groups = Db.table("groups", Group)
    expectTypeOf<E.Effect.Success<ReturnType<typeof groups.get>>>().toEqualTypeOf<Group>()
    const made = [
      groups.create({ name: "a", secret: "s" }),
      groups.create(Group.insert.make({ name: "a", note: null, secret: "s" })),
      groups.update("a", { name: "b" }),
      // @ts-expect-error: the database makes the id.
      groups.create({ id: "a", name: "a", secret: "s" }),
      // @ts-expect-error: the secret is missing.
      groups.create({ name: "a" }),
      // @ts-expect-error: the secret is written once.
      groups.update("a", { secret: "s" })
    ]
    expect(made.every(Effect.isEffect)).toBe(true)
  })

  it("has an id, or names its key", () => {
    const Profile = Schema.Struct({ user_id: Schema.UUID, bio: Schema.String })
    expectTypeOf<Parameters<ReturnType<typeof profiles>["get"]>[0]>().toEqualTypeOf<string>()
    const profiles = () => Db.table("profiles", Profile, { key: "user_id" })
    const refused = [
      // @ts-expect-error: which is its key?
      () => Db.table("profiles", Profile),
      // @ts-expect-error: which is its key?
      () => Db.table("profiles", Profile, { search: ["bio"] }),
      // @ts-expect-error: no such column.
      () => Db.table("profiles", Profile, { key: "userId" })
    ]
    for (const table of refused) expect(table).toThrow(/key names/)
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
