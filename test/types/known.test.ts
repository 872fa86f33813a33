/** Without a `Database` type nothing that comes back is `any`, by whichever accessor: what nobody described is `unknown`. */
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { Effect, Schema, type Stream } from "effect"
import * as Db from "../../src/Db.js"

interface Product {
  readonly id: string
  readonly title: string
}

/** An `any` would satisfy every expectation but one of its own: that of a thing, and of its opposite. */
type IsAny<T> = 0 extends 1 & T ? true : false

type AnyPath<T> =
  IsAny<T> extends true
    ? "here"
    : T extends ReadonlyArray<infer A>
      ? AnyPath<A>
      : T extends object
        ? { [K in keyof T & string]: AnyPath<T[K]> extends never ? never : K }[keyof T & string]
        : never

const holds = <A, E, R>(_: Effect.Effect<A, E, R>) => expectTypeOf<[AnyPath<A>, IsAny<E>, IsAny<R>]>()
const flows = <A, E, R>(_: Stream.Stream<A, E, R>) => expectTypeOf<[AnyPath<A>, IsAny<E>, IsAny<R>]>()
type Nothing = [never, false, false]

class Own extends Db.make<Db.Untyped>()("Untyped") {}

describe("what comes back from a database that nobody described", () => {
  it("has columns that are unknown", () => {
    const read = Db.read((client) => client.from("products").select("id, title"))
    expectTypeOf(read).toEqualTypeOf<Effect.Effect<Array<{ id: unknown; title: unknown }>, Db.ReadError, Db.ReadDb>>()
    const one = Db.read((client) => client.from("products").select("id").single())
    expectTypeOf<Effect.Effect.Success<typeof one>>().toEqualTypeOf<{ id: unknown }>()
    const maybe = Db.read((client) => client.from("products").select("id").maybeSingle())
    expectTypeOf<Effect.Effect.Success<typeof maybe>>().toEqualTypeOf<{ id: unknown } | null>()
    const nested = Db.read((client) => client.from("products").select("id, shops(name, owner:users(email))"))
    expectTypeOf<Effect.Effect.Success<typeof nested>>().toEqualTypeOf<
      Array<{ id: unknown; shops: Array<{ name: unknown; owner: Array<{ email: unknown }> }> }>
    >()
    const written = Db.write((client) => client.from("products").insert({}).select("id").single())
    expectTypeOf(written).toEqualTypeOf<Effect.Effect<{ id: unknown }, Db.WriteError, Db.Db>>()
  })

  it("has rows of unknown columns where all are asked for", () => {
    const all = Db.read((client) => client.from("products").select("*"))
    expectTypeOf<Effect.Effect.Success<typeof all>>().toEqualTypeOf<Array<Record<string, unknown>>>()
    const back = Db.write((client) => client.from("products").insert({}).select())
    expectTypeOf<Effect.Effect.Success<typeof back>>().toEqualTypeOf<Array<Record<string, unknown>>>()
    const one = Db.read((client) => client.from("products").select("*").single())
    expectTypeOf<Effect.Effect.Success<typeof one>>().toBeUnknown()
    const called = Db.read((client) => client.rpc("f", {}, { get: true }))
    expectTypeOf<Effect.Effect.Success<typeof called>>().toBeUnknown()
  })

  it("is what the builder knows all the same, and what is said of it", () => {
    const counted = Db.read((client) => client.from("products").select("count()"))
    expectTypeOf<Effect.Effect.Success<typeof counted>>().toEqualTypeOf<Array<{ count: number }>>()
    const csv = Db.read((client) => client.from("products").select("id").csv())
    expectTypeOf<Effect.Effect.Success<typeof csv>>().toEqualTypeOf<string>()
    const gone = Db.write((client) => client.from("products").delete().eq("id", "1"))
    expectTypeOf<Effect.Effect.Success<typeof gone>>().toEqualTypeOf<null>()
    const said = Db.read((client) =>
      client.from("products").select("id, title").overrideTypes<Array<Product>, { merge: false }>()
    )
    expectTypeOf<Effect.Effect.Success<typeof said>>().toEqualTypeOf<Array<Product>>()
    const own = Db.read(() => Effect.succeed({ a: 1 }))
    expectTypeOf<Effect.Effect.Success<typeof own>>().toEqualTypeOf<{ a: number }>()
  })

  it("is any by no accessor of Db", () => {
    const Titles = Schema.Array(Schema.Struct({ title: Schema.String }))
    holds(Db.read((client) => client.from("a").select("*"))).toEqualTypeOf<Nothing>()
    holds(Db.read((client) => client.from("a").select("b, c(d)"))).toEqualTypeOf<Nothing>()
    holds(Db.read((client) => client.from("a").select("b"), { as: "service" })).toEqualTypeOf<Nothing>()
    holds(Db.read((client) => client.from("a").select("b").not("b", "is", null))).toEqualTypeOf<Nothing>()
    holds(Db.read((client) => client.from("a").select("b").throwOnError())).toEqualTypeOf<Nothing>()
    holds(Db.readAs(Titles, (client) => client.from("a").select("title"))).toEqualTypeOf<Nothing>()
    holds(Db.write((client) => client.from("a").update({}).eq("b", 1).select())).toEqualTypeOf<Nothing>()
    holds(Db.writeAs(Titles, (client) => client.from("a").insert({}).select("title"))).toEqualTypeOf<Nothing>()
    holds(Db.response((client) => client.from("a").select("b, c(d(e(f)))"))).toEqualTypeOf<Nothing>()
    holds(Db.response((client) => client.from("a").select("*"), { pool: "write" })).toEqualTypeOf<Nothing>()
    holds(Db.rpc("f")).toEqualTypeOf<Nothing>()
    holds(Db.rpc("f", {}, { get: true })).toEqualTypeOf<Nothing>()
    holds(Db.rpcAs(Titles, "f")).toEqualTypeOf<Nothing>()
    holds(
      Db.transaction([
        (client) => client.from("a").select("b"),
        (client) => client.from("a").insert({}).select().single(),
        (client) => client.from("a").delete().eq("b", 1).select(),
        (client) => client.rpc("f")
      ])
    ).toEqualTypeOf<Nothing>()
    flows(Db.stream((client) => client.from("a").select("b").order("b"))).toEqualTypeOf<Nothing>()
    flows(Db.stream((client) => client.from("a").select("*"), { as: "service" })).toEqualTypeOf<Nothing>()
  })

  it("is any by no service, and by no accessor of a database of one's own", () => {
    const services = Effect.gen(function* () {
      const db = yield* Db.Db
      const reading = yield* Db.ReadDb
      holds(db.read((client) => client.from("a").select("b"))).toEqualTypeOf<Nothing>()
      holds(db.write((client) => client.from("a").insert({}).select())).toEqualTypeOf<Nothing>()
      holds(db.response((client) => client.from("a").select("*"))).toEqualTypeOf<Nothing>()
      holds(db.rpc("f")).toEqualTypeOf<Nothing>()
      holds(db.transaction([(client) => client.from("a").select("b")])).toEqualTypeOf<Nothing>()
      flows(db.stream((client) => client.from("a").select("b"))).toEqualTypeOf<Nothing>()
      holds(reading.read((client) => client.from("a").select("*"))).toEqualTypeOf<Nothing>()
      holds(reading.response((client) => client.from("a").select("b"))).toEqualTypeOf<Nothing>()
      holds(reading.rpc("f")).toEqualTypeOf<Nothing>()
      flows(reading.stream((client) => client.from("a").select("*"))).toEqualTypeOf<Nothing>()
    })
    holds(Own.read((client) => client.from("a").select("b"))).toEqualTypeOf<Nothing>()
    holds(Own.write((client) => client.from("a").insert({}).select())).toEqualTypeOf<Nothing>()
    holds(Own.rpc("f")).toEqualTypeOf<Nothing>()
    holds(Own.transaction([(client) => client.from("a").select("b")])).toEqualTypeOf<Nothing>()
    flows(Own.stream((client) => client.from("a").select("b"))).toEqualTypeOf<Nothing>()
    expect(Effect.isEffect(services)).toBe(true)
  })

  it("can be spoken of by who builds on it", () => {
    const mine = <Q extends Db.Query>(f: (client: Db.Client<Db.Untyped>) => Q) => Db.read(f)
    const rows = mine((client) => client.from("a").select("b"))
    expectTypeOf<Effect.Effect.Success<typeof rows>>().toEqualTypeOf<Array<{ b: unknown }>>()
    expectTypeOf<Db.Known<{ a: Array<Db.Known<unknown>>; b: string }>>().toEqualTypeOf<{
      a: Array<unknown>
      b: string
    }>()
  })
})
