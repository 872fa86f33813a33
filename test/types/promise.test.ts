/** What the compiler knows of the Promise API: with a schema of the database's what is in it, and nowhere `any`. */
import type { SupabaseClient } from "@supabase/supabase-js"
import * as v from "valibot"
import { describe, expect, expectTypeOf, it } from "vitest"
import { z } from "zod"
import type { Known, Members, PrivateDatabase, RowStream } from "../../src/promise.js"
import * as Pool from "../../src/promise.js"

interface Database {
  public: {
    Tables: {
      products: {
        Row: { id: string; title: string; price: number; note: string | null }
        Insert: { id?: string; title: string; price: number; note?: string | null }
        Update: { title?: string; price?: number; note?: string | null }
        Relationships: []
      }
      pages: {
        Row: { slug: string; body: string }
        Insert: { slug: string; body: string }
        Update: { body?: string }
        Relationships: []
      }
    }
    Views: { cheap: { Row: { id: string; title: string }; Relationships: [] } }
    Functions: {
      total: { Args: { since: string }; Returns: number }
      ping: { Args: never; Returns: string }
    }
  }
}

type IsAny<T> = 0 extends 1 & T ? true : false

/** Whether there is an `any` in what comes back; what has methods counts by itself only. */
type HasAny<T, Depth extends ReadonlyArray<0> = []> =
  IsAny<T> extends true
    ? true
    : Depth["length"] extends 6
      ? never
      : T extends (...args: never) => unknown
        ? never
        : T extends ReadonlyArray<infer A>
          ? HasAny<A, [...Depth, 0]>
          : T extends object
            ? { [K in keyof T]-?: HasAny<T[K], [...Depth, 0]> }[keyof T]
            : never

const noAny = <T>(_: () => PromiseLike<T> | RowStream<T>) => expectTypeOf<HasAny<T>>()

// Nothing is called: each test looks at a type.
declare const given: { readonly untyped: Members; readonly database: Members<Database> }
const typed = (): Members<Database> => given.database
const untyped = (): Members => given.untyped
const client = () => typed().getPooledClient()
const products = () => typed().table("products")

const Product = z.object({ id: z.uuid(), title: z.string(), price: z.coerce.number() })
type Product = z.output<typeof Product>

const Flawed = z.object({ id: z.string(), nope: z.string() })
const Slug = z.object({ slug: z.string() })

describe("without a schema of the database", () => {
  it("no any comes back, whatever is asked", () => {
    noAny(() => untyped().executeWithPool((c) => c.from("t").select("id, title"))).toEqualTypeOf<never>()
    noAny(() => untyped().executeWithPool((c) => c.from("t").select("*"))).toEqualTypeOf<never>()
    noAny(() => untyped().executeWithPool((c) => c.from("t").select("id").single())).toEqualTypeOf<never>()
    noAny(() =>
      untyped().executeWithPool(async (c) => (await c.from("t").select("id, shops(name)")).data)
    ).toEqualTypeOf<never>()
    noAny(() => untyped().executeWithPool(async (c) => (await c.rpc("f", {})).data)).toEqualTypeOf<never>()
    noAny(() =>
      untyped()
        .getPooledClient()
        .read((c) => c.from("t").select("*"))
    ).toEqualTypeOf<never>()
    noAny(() =>
      untyped()
        .getPooledClient()
        .write((c) => c.from("t").insert({}).select())
    ).toEqualTypeOf<never>()
    noAny(() => untyped().db.transaction([(c) => c.from("t").select("*"), (c) => c.rpc("f")])).toEqualTypeOf<never>()
    noAny(() =>
      untyped()
        .getPooledClient()
        .transaction([(c) => c.from("t").select("a")])
    ).toEqualTypeOf<never>()
    noAny(() => untyped().rpc("f", { a: 1 })).toEqualTypeOf<never>()
    noAny(() => untyped().stream((c) => c.from("t").select("id, title"))).toEqualTypeOf<never>()
    noAny(() => untyped().stream((c) => c.from("t").select("*"))).toEqualTypeOf<never>()
    noAny(() => untyped().checkDatabaseHealth()).toEqualTypeOf<never>()
    noAny(() => untyped().db.orders.list()).toEqualTypeOf<never>()
    noAny(() => untyped().db.analytics.get("sales")).toEqualTypeOf<never>()
    noAny(() =>
      untyped()
        .withAccessToken("jwt")
        .executeWithPool((c) => c.from("t").select("*"))
    ).toEqualTypeOf<never>()
    noAny(() => Pool.withAccessToken("jwt").rpc("f")).toEqualTypeOf<never>()
  })

  it("nor of a table, with a schema and without, from any of its operations", () => {
    const all = [() => untyped().table("t"), () => untyped().table("t", { as: "service" })] as const
    const plain = all[0]
    type Operations = ReturnType<(typeof all)[number]>
    type Results = { [K in keyof Operations]: Operations[K] extends (...args: never) => infer R ? R : Operations[K] }
    type Given = Results[keyof Results] extends infer R
      ? R extends Promise<infer A>
        ? A
        : R extends RowStream<infer A>
          ? A
          : R
      : never
    expectTypeOf<HasAny<Given>>().toEqualTypeOf<never>()
    noAny(() => plain().get(1)).toEqualTypeOf<never>()
    noAny(() => plain().stream()).toEqualTypeOf<never>()
    noAny(() => untyped().table("t", { schema: Product }).page({ limit: 1 })).toEqualTypeOf<never>()
    expectTypeOf<Parameters<ReturnType<typeof plain>["create"]>[0]>().toEqualTypeOf<Record<string, unknown>>()
  })

  it("columns are unknown, and of whole rows not even they are known", () => {
    type Answered<F> = F extends (...args: never) => Promise<infer A> ? A : never
    const some = () =>
      untyped().executeWithPool(async (c) => (await c.from("t").select("id, title").throwOnError()).data)
    const whole = () => untyped().executeWithPool(async (c) => (await c.from("t").select("*").throwOnError()).data)
    expectTypeOf<Answered<typeof some>>().toEqualTypeOf<Array<{ id: unknown; title: unknown }>>()
    expectTypeOf<Answered<typeof whole>>().toEqualTypeOf<Array<Record<string, unknown>>>()
    expectTypeOf<Answered<() => ReturnType<ReturnType<typeof untyped>["rpc"]>>>().toEqualTypeOf<unknown>()
  })

  it("what is said stays as it is said", () => {
    class Own {
      readonly #secret = 1
      get one(): number {
        return this.#secret
      }
    }
    const own = () => untyped().executeWithPool(() => new Own())
    const said = () =>
      untyped().executeWithPool((c) =>
        c.from("t").select("id").overrideTypes<Array<{ id: number }>, { merge: false }>()
      )
    expectTypeOf<Awaited<ReturnType<typeof own>>>().toEqualTypeOf<Own>()
    expectTypeOf<NonNullable<Awaited<ReturnType<typeof said>>["data"]>>().toEqualTypeOf<Array<{ id: number }>>()
    expectTypeOf<Known<{ a: Date; b: string | null }>>().toEqualTypeOf<{ a: Date; b: string | null }>()
  })

  it("a function that was written for a client of its own schema is taken", () => {
    const f = async (client: SupabaseClient<Database>) => (await client.from("products").select("title")).data
    const given = () => untyped().executeWithPool(f)
    expectTypeOf<Awaited<ReturnType<typeof given>>>().toEqualTypeOf<Array<{ title: string }> | null>()
    // @ts-expect-error: a number is no client.
    expect(() => untyped().executeWithPool((client: number) => client)).toThrow()
  })
})

describe("with a schema of the database", () => {
  it("names that it lacks are refused", () => {
    const wrong = [
      // @ts-expect-error: no such table.
      () => typed().executeWithPool((c) => c.from("typo").select("id")),
      // @ts-expect-error: no such table.
      () => client().read((c) => c.from("typo").select("id")),
      // @ts-expect-error: no such table.
      () => client().write((c) => c.from("typo").delete()),
      // @ts-expect-error: no such table.
      () => typed().db.transaction([(c) => c.from("typo").select("id")]),
      // @ts-expect-error: no such table.
      () => typed().table("typo"),
      // @ts-expect-error: no such column.
      () => products().list({ where: { nope: 1 } }),
      // @ts-expect-error: no such column.
      () => products().list({ orderBy: "nope" }),
      // @ts-expect-error: a price is a number.
      () => products().create({ title: "a", price: "1" }),
      // @ts-expect-error: no such column.
      () => products().update("1", { nope: 1 }),
      // @ts-expect-error: pages have no id, so that their key has to be named.
      () => typed().table("pages"),
      // @ts-expect-error: pages have no id, so that their key has to be named.
      () => typed().table("pages", { as: "service" }),
      // @ts-expect-error: the schema has a column that the table lacks.
      () => typed().table("products", { schema: Flawed }),
      // @ts-expect-error: no such table.
      async () => (await typed().getConnectionPool().getConnection()).client.from("typo"),
      // @ts-expect-error: no such function.
      () => typed().rpc("nope"),
      // @ts-expect-error: since is missing.
      () => typed().rpc("total"),
      // @ts-expect-error: no such column.
      () => typed().stream((c) => c.from("products").select("nope"))
    ]
    expect(wrong).toHaveLength(16)
  })

  it("rows are what it says", () => {
    const titles = () => typed().executeWithPool(async (c) => (await c.from("products").select("title")).data)
    expectTypeOf<Awaited<ReturnType<typeof titles>>>().toEqualTypeOf<Array<{ title: string }> | null>()
    const steps = () => typed().db.transaction([(c) => c.from("products").select("price").single()])
    expectTypeOf<Awaited<ReturnType<typeof steps>>>().toEqualTypeOf<readonly [{ price: number }]>()
    const total = () => typed().rpc("total", { since: "today" }, { get: true })
    expectTypeOf<Awaited<ReturnType<typeof total>>>().toEqualTypeOf<number>()
    const rows = () => typed().stream((c) => c.from("products").select("id"))
    expectTypeOf<ReturnType<typeof rows>>().toEqualTypeOf<RowStream<{ id: string }>>()
    const table = () => typed().table("products")
    type Row = Database["public"]["Tables"]["products"]["Row"]
    expectTypeOf<Awaited<ReturnType<ReturnType<typeof table>["get"]>>>().toEqualTypeOf<Row>()
    expectTypeOf<Parameters<ReturnType<typeof table>["get"]>>().toEqualTypeOf<[id: string]>()
    type Insert = Database["public"]["Tables"]["products"]["Insert"]
    expectTypeOf<Parameters<ReturnType<typeof table>["create"]>[0]>().toEqualTypeOf<Insert>()
    const pages = () => typed().table("pages", { key: "slug" })
    expectTypeOf<Parameters<ReturnType<typeof pages>["get"]>>().toEqualTypeOf<[id: string]>()
    const decoded = () => typed().table("products", { schema: Product })
    expectTypeOf<Awaited<ReturnType<ReturnType<typeof decoded>["get"]>>>().toEqualTypeOf<Product>()
    const asUser = () =>
      typed()
        .withAccessToken(async () => "jwt")
        .table("products")
    expectTypeOf<ReturnType<typeof asUser>>().toEqualTypeOf<ReturnType<typeof table>>()
  })

  it("steps of tables are what it says, too", () => {
    type Row = Database["public"]["Tables"]["products"]["Row"]
    const { atLeast, decrement, increment, not, ref } = Pool.Transaction
    const created = () => products().createStep({ title: "a", price: 1 })
    const steps = () =>
      typed().db.transaction([
        created(),
        products().updateStep(
          ref(created(), "id"),
          { price: increment(1) },
          { expect: { price: atLeast(2), note: not(null) } }
        ),
        products().listStep({ where: { id: "a" }, lock: "share" }),
        typed().table("products", { schema: Product }).getStep("a"),
        (c) => c.from("products").select("price").single()
      ])
    expectTypeOf<Awaited<ReturnType<typeof steps>>>().toEqualTypeOf<
      readonly [Row, Row, ReadonlyArray<Row>, Product, { price: number }]
    >()
    noAny(steps).toEqualTypeOf<never>()
    noAny(() => untyped().db.transaction([untyped().table("t").getStep(1)])).toEqualTypeOf<never>()
    const wrong = [
      // @ts-expect-error: no such column.
      () => products().updateStep("a", { nope: 1 }),
      // @ts-expect-error: title is no number.
      () => products().updateStep("a", { title: decrement(1) }),
      // @ts-expect-error: of another type.
      () => products().updateStep("a", { title: "b" }, { expect: { price: atLeast("2") } }),
      // @ts-expect-error: no such column.
      () => products().getStep("a", { expect: { nope: 1 } }),
      // @ts-expect-error: no such column.
      () => ref(created(), "nope"),
      // @ts-expect-error: a number, where a text is expected.
      () => products().updateStep("a", { title: ref(created(), "price") })
    ]
    expect(wrong).toHaveLength(6)
  })

  it("is that of createDatabase and typed, too", () => {
    const made = () => Pool.createDatabase<Database>({ url: "", anonKey: "", serviceRoleKey: "" })
    expectTypeOf<ReturnType<typeof made>>().toEqualTypeOf<PrivateDatabase<Database>>()
    expectTypeOf(Pool.typed<Database>).returns.toEqualTypeOf<Members<Database>>()
    expectTypeOf<ReturnType<PrivateDatabase<Database>["withAccessToken"]>>().toEqualTypeOf<Members<Database>>()
    expect(Pool.typed<Database>().rpc).toBe(Pool.rpc)
  })
})

describe("a table with a schema of any library", () => {
  it("gives what the schema makes, and is given what the database holds", () => {
    const zod = () => untyped().table("t", { schema: Product, generated: ["id"] })
    expectTypeOf<Awaited<ReturnType<ReturnType<typeof zod>["get"]>>>().toEqualTypeOf<Product>()
    const Note = v.object({
      id: v.number(),
      at: v.pipe(
        v.string(),
        v.transform((at) => new Date(at))
      ),
      note: v.nullable(v.string())
    })
    const valibot = () => untyped().table("t", { schema: Note, generated: ["id"] })
    type Made = ReturnType<typeof valibot>
    expectTypeOf<Awaited<ReturnType<Made["get"]>>>().toEqualTypeOf<{ id: number; at: Date; note: string | null }>()
    expectTypeOf<{ at: string }>().toExtend<Parameters<Made["create"]>[0]>()
    expectTypeOf<{ at: Date }>().not.toExtend<Parameters<Made["create"]>[0]>()
    expectTypeOf<{ id: 1 }>().not.toExtend<Parameters<Made["create"]>[0]>()
    expectTypeOf<Parameters<Made["get"]>>().toEqualTypeOf<[id: number]>()
    // @ts-expect-error: no such column.
    expect(() => valibot().list({ orderBy: "nope" })).toThrow()
    // @ts-expect-error: it has no id, so that its key has to be named.
    expect(() => untyped().table("t", { schema: Slug })).toThrow()
  })
})
