/** What the compiler knows: who may write, what comes back, and what can go wrong. */

import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import type { PostgrestError } from "@supabase/supabase-js"
import { Data, type Effect as E, Effect, Match, Schema } from "effect"
import * as Db from "../../src/Db.js"

interface Product {
  readonly id: string
  readonly title: string
}

class Mine extends Data.TaggedError("Mine") {}

class Service extends Effect.Tag("Service")<Service, { readonly n: number }>() {}

const typed = Db.read((client) =>
  client.from("products").select("id, title").overrideTypes<Array<Product>, { merge: false }>()
)

describe("who may do what", () => {
  it("reading needs ReadDb and nothing else", () => {
    expectTypeOf(typed).toEqualTypeOf<E.Effect<Array<Product>, Db.ReadError, Db.ReadDb>>()
  })

  it("writing needs Db", () => {
    const written = Db.write((client) => client.from("a").insert({}))
    expectTypeOf<E.Effect.Context<typeof written>>().toEqualTypeOf<Db.Db>()
    expectTypeOf<E.Effect.Success<typeof written>>().toEqualTypeOf<null>()
  })

  it("reading as the service needs Db", () => {
    const asService = Db.read((client) => client.from("a").select("*"), { as: "service" })
    expectTypeOf<E.Effect.Context<typeof asService>>().toEqualTypeOf<Db.Db>()
  })

  it("a function that only reads needs ReadDb, another one Db", () => {
    expectTypeOf<E.Effect.Context<ReturnType<typeof byGet>>>().toEqualTypeOf<Db.ReadDb>()
    expectTypeOf<E.Effect.Context<ReturnType<typeof byPost>>>().toEqualTypeOf<Db.Db>()
  })
  const byGet = () => Db.rpc("f", {}, { get: true })
  const byPost = () => Db.rpc("f", {})

  it("ReadDb cannot write, and cannot read as the service", () => {
    expectTypeOf<Db.Reader>().not.toHaveProperty("write")
    expectTypeOf<Db.Reader>().not.toHaveProperty("transaction")
    expectTypeOf<Db.Reader>().not.toHaveProperty("writeAs")
    expectTypeOf<NonNullable<Parameters<Db.Reader["read"]>[1]>["as"]>().toEqualTypeOf<undefined>()
    const attempt = Effect.flatMap(Db.ReadDb, (db) =>
      // @ts-expect-error: a service that is given ReadDb cannot write.
      db.write((client) => client.from("a").insert({}))
    )
    const asService = Effect.flatMap(Db.ReadDb, (db) =>
      // @ts-expect-error: reading past row level security needs Db.
      db.read((client) => client.from("a").select("*"), { as: "service" })
    )
    expect([attempt, asService].every(Effect.isEffect)).toBe(true)
  })

  it("a program that writes does not run where only ReadDb is provided", () => {
    const run = (program: E.Effect<unknown, unknown, Db.ReadDb>) => program
    // @effect-diagnostics-next-line missingEffectContext:off
    // @ts-expect-error: Db is missing.
    const refused = run(Db.write((client) => client.from("a").insert({})))
    expect(Effect.isEffect(refused)).toBe(true)
  })
})

describe("what comes back", () => {
  it("is the builder's rows, and with response() its count and status", () => {
    expectTypeOf<E.Effect.Success<typeof typed>>().toEqualTypeOf<Array<Product>>()
    const all = Db.response((client) => client.from("a").select("*").overrideTypes<Array<Product>, { merge: false }>())
    expectTypeOf<E.Effect.Success<typeof all>["data"]>().toEqualTypeOf<Array<Product>>()
    expectTypeOf<E.Effect.Success<typeof all>["count"]>().toEqualTypeOf<number | null>()
    expectTypeOf<E.Effect.Success<typeof all>["error"]>().toEqualTypeOf<null>()
  })

  it("an Effect's own result, failure and needs, beside ours", () => {
    const mixed = Db.read(() =>
      Effect.gen(function* () {
        const { n } = yield* Service
        return n > 0 ? ("yes" as const) : yield* new Mine()
      })
    )
    expectTypeOf<E.Effect.Success<typeof mixed>>().toEqualTypeOf<"yes">()
    expectTypeOf<E.Effect.Error<typeof mixed>>().toEqualTypeOf<Mine | Db.ReadError>()
    expectTypeOf<E.Effect.Context<typeof mixed>>().toEqualTypeOf<Service | Db.ReadDb>()
  })
})

describe("what can go wrong", () => {
  it("is one union, in the type and in the schema", () => {
    expectTypeOf<Db.DbError>().toEqualTypeOf<Schema.Schema.Type<typeof Db.DbError>>()
    expectTypeOf<Db.DbError["_tag"]>().toEqualTypeOf<
      | "AcquireTimeout"
      | "PoolOverloaded"
      | "ConnectionFailed"
      | "RequestTimeout"
      | "ConnectionReclaimed"
      | "QueryError"
      | "RowNotFound"
      | "DecodeError"
      | "ReadOnlyConnection"
      | "RateLimited"
      | "TransactionFailed"
      | "GuardFailed"
      | "PoolClosed"
    >()
    expectTypeOf<Db.DbError["isTransient"]>().toEqualTypeOf<boolean>()
    expectTypeOf<Db.DbError["mayHaveExecuted"]>().toEqualTypeOf<boolean>()
    expectTypeOf<PostgrestError>().not.toExtend<Db.DbError>()
  })

  it("has to be matched to the end", () => {
    const incomplete = Match.type<Db.DbError>().pipe(Match.tag("PoolClosed", () => 1))
    // @ts-expect-error: eleven cases are missing.
    const refused = Match.exhaustive(incomplete)
    expect(typeof refused).toBe("function")
    expect(Schema.is(Db.DbError)(new Db.PoolClosed({ pool: "read", sent: false }))).toBe(true)
  })
})
