import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { Effect, Schema, type Stream } from "effect"
import * as Db from "../../src/Db.js"
import * as Transaction from "../../src/Transaction.js"

interface Database {
  public: {
    Tables: {
      products: {
        Row: { id: string; title: string; price: number }
        Insert: { id?: string; title: string; price: number }
        Update: { id?: string; title?: string; price?: number }
        Relationships: []
      }
    }
    Views: Record<never, never>
    Functions: { double: { Args: { n: number }; Returns: number } }
  }
}

const db = Db.typed<Database>()

describe("Db.typed", () => {
  it("gives the rows that the builder infers", () => {
    const titles = db.read((client) => client.from("products").select("title"))
    expectTypeOf(titles).toEqualTypeOf<Effect.Effect<Array<{ title: string }>, Db.ReadError, Db.ReadDb>>()
    const one = db.read((client) => client.from("products").select("id, price").single())
    expectTypeOf(one).toEqualTypeOf<Effect.Effect<{ id: string; price: number }, Db.ReadError, Db.ReadDb>>()
    const maybe = db.read((client) => client.from("products").select("id").maybeSingle())
    expectTypeOf(maybe).toEqualTypeOf<Effect.Effect<{ id: string } | null, Db.ReadError, Db.ReadDb>>()
  })

  it("needs Db to write, and to read with the service-role key", () => {
    const written = db.write((client) => client.from("products").insert({ title: "a", price: 1 }))
    expectTypeOf(written).toEqualTypeOf<Effect.Effect<null, Db.WriteError, Db.Db>>()
    const asService = db.read((client) => client.from("products").select("id"), { as: "service" })
    expectTypeOf(asService).toEqualTypeOf<Effect.Effect<Array<{ id: string }>, Db.ReadError, Db.Db>>()
  })

  it("refuses what the schema does not have", () => {
    // @ts-expect-error: no such table
    const read = db.read((client) => client.from("customers").select("id"))
    // @ts-expect-error: a title is text
    const write = db.write((client) => client.from("products").insert({ title: 1, price: 1 }))
    // @ts-expect-error: no such function
    const call = db.write((client) => client.rpc("treble", { n: 1 }))
    expect([read, write, call].every(Effect.isEffect)).toBe(true)
  })

  it("types each result of a transaction", () => {
    const both = db.transaction([
      (client) => client.from("products").insert({ title: "a", price: 1 }).select("id").single(),
      (client) => client.from("products").select("title").eq("id", Transaction.ref(0, "id")),
      (client) => client.rpc("double", { n: 2 })
    ])
    expectTypeOf(both).toEqualTypeOf<
      Effect.Effect<readonly [{ id: string }, Array<{ title: string }>, number], Db.TransactionError, Db.Db>
    >()
  })
})

type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Array<Json>

interface Shops {
  public: {
    Tables: {
      shops: {
        Row: { id: string; name: string; owner_id: string; meta: Json; tags: Array<string> }
        Insert: { name: string }
        Update: { name?: string }
        Relationships: [
          {
            foreignKeyName: "shops_owner"
            columns: ["owner_id"]
            isOneToOne: false
            referencedRelation: "users"
            referencedColumns: ["id"]
          }
        ]
      }
      users: {
        Row: { id: string; email: string }
        Insert: { email: string }
        Update: { email?: string }
        Relationships: []
      }
    }
    Views: Record<never, never>
    Functions: Record<never, never>
  }
}

const shops = Db.typed<Shops>()
const Own = Db.make<Shops>()("Own")

/** `JSON.parse` gives `any`, as a column may be by who wrote the schema by hand. */
type Log = Record<"id" | "charAt", string> & { error: string | null; whatever: ReturnType<typeof JSON.parse> }

const logs = Db.typed<{
  public: {
    Tables: { logs: { Row: Log; Insert: Partial<Log>; Update: Partial<Log>; Relationships: [] } }
    Views: Record<never, never>
    Functions: Record<never, never>
  }
}>()

describe("a column that the schema lacks", () => {
  it("is refused by the compiler, also in a row of another table, and JSON is no trouble", () => {
    const good = [
      shops.read((client) => client.from("shops").select("*")),
      shops.read((client) => client.from("shops").select("*, owner:users(*)")),
      shops.read((client) => client.from("shops").select("id, meta, tags, users(id, email)").single()),
      shops.read((client) => client.from("users").select("email, shops(name, meta)").maybeSingle()),
      shops.read((client) => client.from("shops").select("*", { count: "exact", head: true }))
    ]
    const refused = [
      // @ts-expect-error: no such column.
      shops.read((client) => client.from("shops").select("nmae")),
      // @ts-expect-error: no such column.
      shops.read((client) => client.from("shops").select("id, users(emial)")),
      // @ts-expect-error: no such column.
      shops.read((client) => client.from("users").select("id, shops(nmae)")),
      // @ts-expect-error: no such table.
      shops.read((client) => client.from("shops").select("id, customers(id)")),
      // @ts-expect-error: no such column.
      shops.read((client) => client.from("shops").select("nmae").single()),
      // @ts-expect-error: no such column.
      shops.write((client) => client.from("shops").insert({ name: "a" }).select("nmae")),
      // @ts-expect-error: no such column.
      shops.response((client) => client.from("shops").select("nmae"))
    ]
    expect([...good, ...refused].every(Effect.isEffect)).toBe(true)
  })

  it("is found beside columns that may be anything, and a column of the name error is none", () => {
    const good = logs.read((client) => client.from("logs").select("id, error, whatever"))
    expectTypeOf<Effect.Effect.Success<typeof good>>().toExtend<Array<{ id: string; error: string | null }>>()
    const refused = [
      // @ts-expect-error: no such column.
      logs.read((client) => client.from("logs").select("id, whatever, nmae")),
      // @ts-expect-error: no such column.
      logs.read((client) => client.from("logs").select("error, charAt, nmae").single()),
      // @ts-expect-error: no such column.
      logs.read((client) => client.from("logs").select("nmae")),
      // @ts-expect-error: no such column.
      logs.write((client) => client.from("logs").insert({ id: "a" }).select("whatever, nmae").maybeSingle())
    ]
    expect([good, ...refused].every(Effect.isEffect)).toBe(true)
  })

  it("is looked for in whatever a function gives", () => {
    const either = (many: boolean) =>
      shops.read((client) =>
        many ? client.from("shops").select("name") : client.from("users").select("email").single()
      )
    type Either = Effect.Effect.Success<ReturnType<typeof either>>
    expectTypeOf<Either>().toEqualTypeOf<Array<{ name: string }> | { email: string }>()
    const awaited = shops.read(async (client) => await client.from("shops").select("name").maybeSingle())
    expectTypeOf(awaited).toEqualTypeOf<Effect.Effect<{ name: string } | null, Db.ReadError, Db.ReadDb>>()
    const thrown = shops.read((client) => client.from("shops").select("name").throwOnError())
    expectTypeOf(thrown).toEqualTypeOf<Effect.Effect<Array<{ name: string }>, Db.ReadError, Db.ReadDb>>()
    const effect = shops.write(() => Effect.fail("no"), { idempotent: true })
    expectTypeOf(effect).toEqualTypeOf<Effect.Effect<never, string | Db.WriteError, Db.Db>>()
    const asService = shops.read((client) => client.from("shops").select("name"), { as: "service" })
    expectTypeOf(asService).toEqualTypeOf<Effect.Effect<Array<{ name: string }>, Db.ReadError, Db.Db>>()
    const counted = shops.response((client) => client.from("shops").select("name").single(), { pool: "write" })
    expectTypeOf<Effect.Effect.Success<typeof counted>["data"]>().toEqualTypeOf<{ name: string }>()
    const refused = [
      // @ts-expect-error: no such column, in one of two.
      (many: boolean) => shops.read((client) => client.from("shops").select(many ? "name" : "nmae")),
      // @ts-expect-error: no such column.
      () => shops.read(async (client) => await client.from("shops").select("nmae")),
      // @ts-expect-error: no response of a database.
      () => shops.read(async () => 1)
    ]
    expect([awaited, thrown, effect, asService, counted].every(Effect.isEffect)).toBe(true)
    expect(refused).toHaveLength(3)
  })

  it("is refused in a step of a transaction, whichever it is, and a table's step is no trouble", () => {
    const users = shops.table("users", Schema.Struct({ id: Schema.String, email: Schema.String }))
    const good = shops.transaction([
      (client) => client.from("shops").select("id, name").eq("id", "1"),
      users.getStep("1"),
      (client) => client.from("users").insert({ email: "a" }).select("id").single(),
      (client) => client.from("shops").delete().eq("id", "1")
    ])
    expectTypeOf<Effect.Effect.Success<typeof good>>().toEqualTypeOf<
      readonly [
        Array<{ id: string; name: string }>,
        { readonly id: string; readonly email: string },
        { id: string },
        null
      ]
    >()
    const many = shops.transaction(["a", "b"].map((name) => (client) => client.from("shops").insert({ name })))
    expectTypeOf<Effect.Effect.Success<typeof many>>().toEqualTypeOf<ReadonlyArray<null>>()
    const name = shops.transaction([(client) => client.from("users").select("email")])
    const refused = [
      // @ts-expect-error: no such column.
      shops.transaction([(client) => client.from("shops").select("nmae")]),
      shops.transaction([
        (client) => client.from("shops").select("name"),
        // @ts-expect-error: no such column.
        (client) => client.from("users").select("x")
      ]),
      // @ts-expect-error: no such column.
      shops.transaction([users.getStep("1"), (client) => client.from("shops").insert({ name: "a" }).select("nmae")]),
      // @ts-expect-error: no such column.
      shops.transaction([(client) => client.from("shops").select("nmae").single()]),
      // @ts-expect-error: no such table.
      shops.transaction([(client) => client.from("customers").select("id")]),
      // @ts-expect-error: no such column.
      Effect.map(shops.Db, (db) => db.transaction([(client) => client.from("shops").select("nmae")])),
      // @ts-expect-error: no such column.
      Own.transaction([(client) => client.from("shops").select("nmae")])
    ]
    expect([good, many, name, ...refused].every(Effect.isEffect)).toBe(true)
  })

  it("is none where rows are decoded, and nothing is any", () => {
    const Name = Schema.Struct({ name: Schema.String })
    const read = Db.readAs(Schema.Array(Name), (client) => client.from("shops").select("name"))
    expectTypeOf(read).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<{ readonly name: string }>, Db.ReadError | Db.DecodeError, Db.ReadDb>
    >()
    const written = Db.writeAs(Name, (client) => client.from("shops").insert({}).select("name").single())
    expectTypeOf(written).toEqualTypeOf<
      Effect.Effect<{ readonly name: string }, Db.WriteError | Db.DecodeError, Db.Db>
    >()
    expectTypeOf(Db.rpc("f")).toEqualTypeOf<Effect.Effect<unknown, Db.RequestError, Db.Db>>()
    expectTypeOf<Effect.Effect.Success<ReturnType<Db.Reader["rpc"]>>>().toBeUnknown()
    expectTypeOf(Db.rpcAs(Name, "f", {}, { get: true })).toEqualTypeOf<
      Effect.Effect<{ readonly name: string }, Db.RowsError, Db.ReadDb>
    >()
  })

  it("is refused by the services of Db.typed, which need nothing more", () => {
    const service = Effect.map(shops.Db, (db) => db.read((client) => client.from("shops").select("name")))
    expectTypeOf(service).toEqualTypeOf<
      Effect.Effect<Effect.Effect<Array<{ name: string }>, Db.ReadError>, never, Db.Db>
    >()
    // @ts-expect-error: no such column.
    const refused = Effect.map(shops.ReadDb, (db) => db.read((client) => client.from("shops").select("nmae")))
    expect(Effect.isEffect(refused)).toBe(true)
  })
})

describe("ReadDb", () => {
  it("has no way to write", () => {
    expectTypeOf<Db.Reader>().not.toHaveProperty("write")
    expectTypeOf<Db.Reader>().not.toHaveProperty("transaction")
    expectTypeOf<NonNullable<Parameters<Db.Reader["read"]>[1]>["as"]>().toEqualTypeOf<undefined>()
  })

  it("is all that a stream needs", () => {
    const stream = Db.stream((client) => client.from("products").select("id"))
    expectTypeOf(stream).toExtend<Stream.Stream<unknown, Db.DbError, Db.ReadDb>>()
  })
})
