import { describe, expect, it } from "@effect/vitest"
import { createClient, type SupabaseClient, type WebSocketLike } from "@supabase/supabase-js"
import { Effect } from "effect"
import * as fc from "effect/FastCheck"
import { fingerprint, none } from "../../src/internal/metrics/fingerprint.js"
import { keyOf, shapeOf } from "../../src/internal/metrics/shape.js"

const transport = Object.assign(class {}, {}) as unknown as new () => WebSocketLike

/** The shape of what supabase-js sends for a builder, and its key. */
const sent = (build: (client: SupabaseClient) => PromiseLike<unknown>) =>
  Effect.promise(async () => {
    const seen: Array<string> = []
    const client = createClient("http://db.test", "key", {
      accessToken: () => Promise.resolve("key"),
      realtime: { transport },
      global: {
        fetch: (input, init) => {
          const { pathname, search } = new URL(String(input))
          seen.push(keyOf(init?.method ?? "GET", `${pathname}${search}`))
          return Promise.resolve(Response.json([]))
        }
      }
    })
    await build(client)
    return seen[0] ?? ""
  })

const text = (build: (client: SupabaseClient) => PromiseLike<unknown>) =>
  Effect.map(sent(build), (key) => shapeOf(key).text)

describe("the shape of a query", () => {
  it.effect("says what is read, from where and how, in the order of SQL", () =>
    Effect.gen(function* () {
      const shape = yield* text((client) =>
        client
          .from("products")
          .select("id, title, shops(name)")
          .eq("category", "laptops")
          .lt("price", 20)
          .not("stock", "is", null)
          .in("id", [1, 2, 3])
          .order("price", { ascending: false })
          .order("name", { referencedTable: "shops" })
          .limit(10)
      )
      expect(shape).toBe(
        "SELECT id, title, shops(name) FROM products WHERE category = ? AND price < ? AND NOT stock is ? AND id in ?" +
          " ORDER BY price.desc, shops.order name.asc LIMIT ?"
      )
    })
  )

  it.effect("names writes, and calls with their arguments", () =>
    Effect.gen(function* () {
      const shapes = yield* Effect.all([
        text((client) => client.from("users").insert({ name: "Ann" })),
        text((client) =>
          client
            .from("users")
            .insert([{ name: "Ann", email: "a@b.c" }])
            .select("id")
        ),
        text((client) => client.from("users").upsert({ id: 1 }, { onConflict: "id" })),
        text((client) => client.from("users").update({ name: "Eve" }).eq("id", 7).select()),
        text((client) => client.from("users").delete().lte("created_at", "2020-01-01")),
        text((client) => client.rpc("sales", { secret: "x" }, { get: true })),
        text((client) => client.rpc("sales", { secret: "x" }))
      ])
      expect(shapes).toEqual([
        "INSERT INTO users",
        "INSERT INTO users (name, email) RETURNING id",
        "UPSERT INTO users",
        "UPDATE users WHERE id = ? RETURNING *",
        "DELETE FROM users WHERE created_at <= ?",
        "CALL sales(secret)",
        "CALL sales()"
      ])
    })
  )

  it.effect(
    "keeps the columns and operators of nested conditions, and nothing that looks like one inside a value",
    () =>
      Effect.gen(function* () {
        const shape = yield* text((client) =>
          client
            .from("products")
            .select()
            .or('price.lt.20,and(title.ilike."%eq.secret,(a.eq.1)%",stock.in.(7,8)),category.not.eq.hidden')
        )
        expect(shape).toBe("SELECT * FROM products WHERE or(price.lt,and(title.ilike,stock.in),category.not.eq)")
      })
  )

  it.effect("is one whatever the values are", () =>
    Effect.gen(function* () {
      const of = (value: string, count: number) =>
        sent((client) =>
          client.from("t").select("a").eq("b", value).or(`c.eq."${value}"`).contains("d", [value]).limit(count)
        )
      expect(yield* of("x", 1)).toBe(yield* of("eq.y&select=z,(),", 20))
    })
  )

  it("names the service and not the path where the request is not for the database", () => {
    expect(shapeOf(keyOf("GET", "/storage/v1/object/passports/ann.png?token=secret")).text).toBe("GET /storage/v1")
    expect(shapeOf(keyOf("GET", "/who/knows/what")).text).toBe("GET /")
    expect(shapeOf(keyOf("POST", "/auth/v1/admin/users/4711")).text).toBe("POST /auth/v1")
  })

  it("holds no value of a filter, whatever the value", () => {
    const value = fc.string({ minLength: 1, maxLength: 30, size: "max" }).map((inner) => `s3cr3t${inner}`)
    const operator = fc.constantFrom("eq", "not.eq", "in", "fts(english)", "like(any)", "is", "cs", "nonsense", "")
    fc.assert(
      fc.property(value, operator, fc.constantFrom("and", "or", "not.and"), (secret, filter, junction) => {
        const query = new URLSearchParams()
        query.append("select", "id,title")
        query.append("column", `${filter}.${secret}`)
        query.append("other", secret)
        query.append("limit", secret)
        query.append(
          junction,
          `(a.${filter}."${secret.replace(/["\\]/g, "\\$&")}",b.in.("${secret.replace(/["\\]/g, "")}"))`
        )
        const key = keyOf("GET", `/rest/v1/products?${query}`)
        expect(key).not.toContain("s3cr3t")
        expect(shapeOf(key).text).not.toContain("s3cr3t")
      })
    )
  })

  it("has a fingerprint that is equal for equal shapes only, and the same whatever the values of filters are", () => {
    const word = fc.constantFrom(
      "a",
      "b",
      "price",
      "select",
      "order",
      "limit",
      "shops.order",
      "columns",
      "shops.or",
      "or",
      "data->x"
    )
    const operator = fc.constantFrom("eq", "not.eq", "in", "fts(english)", "nonsense", "not.nonsense", "is", "")
    const part = fc.tuple(word, operator, fc.string({ maxLength: 4 }))
    const pathOf = (parts: ReadonlyArray<readonly [string, string, string]>, value = ""): string => {
      const query = new URLSearchParams()
      for (const [name, filter, text] of parts) query.append(name, `${filter}.${text}${value}`)
      return `/rest/v1/t?${query}`
    }
    fc.assert(
      fc.property(fc.array(part, { maxLength: 3 }), fc.array(part, { maxLength: 3 }), (left, right) => {
        const [one, other] = [pathOf(left), pathOf(right)]
        const print = fingerprint("GET", one)
        if (print !== none && print === fingerprint("GET", other)) expect(keyOf("GET", one)).toBe(keyOf("GET", other))
        const isFilter = left.every(([name]) => !/select|order|columns|or$/.test(name))
        if (isFilter) expect(fingerprint("GET", pathOf(left, "another"))).toBe(print)
      }),
      { numRuns: 2_000 }
    )
    expect(fingerprint("GET", "/rest/v1/t?a=eq.1")).not.toBe(fingerprint("HEAD", "/rest/v1/t?a=eq.1"))
    expect(fingerprint("GET", "/rest/v1/t?a=eq.1")).not.toBe(fingerprint("GET", "/rest/v1/t?a=gt.1"))
    expect(fingerprint("GET", "/rest/v1/t?a=eq.1")).not.toBe(fingerprint("GET", "/rest/v1/t?a=not.eq.1"))
    expect(fingerprint("GET", "/rest/v1/t?select=a")).not.toBe(fingerprint("GET", "/rest/v1/t?select=b"))
  })

  it("is never longer than a few hundred characters", () => {
    const path = `/rest/v1/products?select=${"column,".repeat(1_000)}&id=eq.1`
    expect(keyOf("GET", path).length).toBeLessThanOrEqual(600)
    expect(keyOf("GET", `/rest/v1/${"t".repeat(5_000)}`).length).toBeLessThanOrEqual(620)
  })

  it("survives what no client sends", () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 60, size: "max" }),
        fc.string({ maxLength: 60, size: "max" }),
        (path, query) => {
          expect(typeof shapeOf(keyOf("GET", `/rest/v1/${path}?${query}`)).text).toBe("string")
        }
      )
    )
  })
})
