import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { Effect, type Stream } from "effect"
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
    expectTypeOf(titles).toEqualTypeOf<Effect.Effect<Array<{ title: string }>, Db.DbError, Db.ReadDb>>()
    const one = db.read((client) => client.from("products").select("id, price").single())
    expectTypeOf(one).toEqualTypeOf<Effect.Effect<{ id: string; price: number }, Db.DbError, Db.ReadDb>>()
    const maybe = db.read((client) => client.from("products").select("id").maybeSingle())
    expectTypeOf(maybe).toEqualTypeOf<Effect.Effect<{ id: string } | null, Db.DbError, Db.ReadDb>>()
  })

  it("needs Db to write, and to read with the service-role key", () => {
    const written = db.write((client) => client.from("products").insert({ title: "a", price: 1 }))
    expectTypeOf(written).toEqualTypeOf<Effect.Effect<null, Db.DbError, Db.Db>>()
    const asService = db.read((client) => client.from("products").select("id"), { as: "service" })
    expectTypeOf(asService).toEqualTypeOf<Effect.Effect<Array<{ id: string }>, Db.DbError, Db.Db>>()
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
      Effect.Effect<readonly [{ id: string }, Array<{ title: string }>, number], Db.DbError, Db.Db>
    >()
  })
})

describe("ReadDb", () => {
  it("has no way to write", () => {
    expectTypeOf<Db.Reader>().not.toHaveProperty("write")
    expectTypeOf<Db.Reader>().not.toHaveProperty("transaction")
    expectTypeOf<Parameters<Db.Reader["read"]>["length"]>().toEqualTypeOf<1>()
  })

  it("is all that a stream needs", () => {
    const stream = Db.stream((client) => client.from("products").select("id"))
    expectTypeOf(stream).toExtend<Stream.Stream<unknown, Db.DbError, Db.ReadDb>>()
  })
})
