/** `table` of the Promise API: any Standard Schema, the engine of `Db.table` behind it. */
import { FastCheck as fc, Schema } from "effect"
import * as v from "valibot"
import { afterEach, describe, expect, it } from "vitest"
import { z } from "zod"
import { DecodeError, RowNotFound } from "../../src/Errors.js"
import { createDatabase, gte, neq, type PrivateDatabase, type StandardSchema } from "../../src/promise.js"
import { type Answer, type Asked, asked } from "../support/asked.js"
import { embedded, ids } from "../support/embedded.js"

const closers: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const made = (options: Partial<Parameters<typeof createDatabase>[0]>): PrivateDatabase => {
  const { anonKey, serviceRoleKey, url } = embedded
  const db = createDatabase({ url, anonKey, serviceRoleKey, minConnections: 1, maxConnections: 4, ...options })
  closers.push(() => db.close())
  return db
}

const over = async (answer: Answer): Promise<{ readonly db: PrivateDatabase; readonly there: Asked }> => {
  const there = await asked(answer)
  closers.push(there.close)
  return { db: made({ url: there.url, maxRetries: 0, enableHealthChecks: false }), there }
}

/** One row for each library: an id, a text, a date made of a text. */
const schemas = {
  Zod: z.object({ id: z.number(), name: z.string(), at: z.iso.datetime().transform((at) => new Date(at)) }),
  Valibot: v.object({
    id: v.number(),
    name: v.string(),
    at: v.pipe(
      v.string(),
      v.transform((at) => new Date(at))
    )
  }),
  Effect: Schema.standardSchemaV1(Schema.Struct({ id: Schema.Number, name: Schema.String, at: Schema.Date })),
  "Zod, waiting": z
    .object({ id: z.number(), name: z.string(), at: z.string() })
    .transform(async ({ at, ...row }) => ({ ...row, at: new Date(at) })),
  "one by hand": {
    "~standard": {
      version: 1,
      vendor: "here",
      validate: (row) =>
        typeof row === "object" && row !== null && "id" in row && typeof row.id === "number" && "name" in row
          ? "at" in row && typeof row.name === "string"
            ? { value: { id: row.id, name: row.name, at: new Date(String(row.at)) } }
            : { issues: [{ message: "expected a text", path: [{ key: "name" }] }] }
          : { issues: [{ message: "expected a number", path: ["id"] }] }
    }
  } satisfies StandardSchema<{ id: number; name: string; at: string }, { id: number; name: string; at: Date }>
} as const

const at = "2026-11-29T05:00:00.000Z"

describe.each(Object.entries(schemas))("rows decoded by a schema of %s", (_, schema: StandardSchema) => {
  const tableOf = (db: PrivateDatabase) => db.table("things", { schema })
  const row = (id: number) => ({ id, name: `thing ${id}`, at })
  const decoded = (id: number) => ({ id, name: `thing ${id}`, at: new Date(at) })

  it("are what it makes of them, wherever they come from", async () => {
    const { db } = await over(({ headers, query }) => {
      if (query.get("offset") === "2") return []
      const rows = query.get("id")?.startsWith("eq") === true ? [row(1)] : [row(1), row(2)]
      return headers.accept?.includes("vnd.pgrst.object") === true ? rows[0] : rows
    })
    const table = tableOf(db)
    expect(await Reflect.apply(table.get, table, [1])).toEqual(decoded(1))
    expect(await Reflect.apply(table.find, table, [1])).toEqual(decoded(1))
    expect(await Reflect.apply(table.getMany, table, [[2, 1]])).toEqual([decoded(2), decoded(1)])
    expect(await table.list()).toEqual([decoded(1), decoded(2)])
    expect(await Reflect.apply(table.create, table, [row(1)])).toEqual(decoded(1))
    expect(await Reflect.apply(table.createMany, table, [[row(1), row(2)]])).toEqual([decoded(1), decoded(2)])
    expect(await Reflect.apply(table.update, table, [1, { name: "x" }])).toEqual(decoded(1))
    expect(await Reflect.apply(table.upsert, table, [row(1)])).toEqual(decoded(1))
    expect(await Reflect.apply(table.remove, table, [1])).toEqual(decoded(1))
    const streamed: Array<unknown> = []
    for await (const each of table.stream({ pageSize: 2 })) streamed.push(each)
    expect(streamed).toEqual([decoded(1), decoded(2)])
  })

  it("that it refuses are a DecodeError with row and field, and no value is in it", async () => {
    const { db } = await over(() => [row(1), { id: 77, name: { hidden: "secret-value-of-a-row" }, at }])
    const error: unknown = await tableOf(db)
      .list()
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(DecodeError)
    expect(error).toMatchObject({ table: "things", id: "77", stage: "read", path: expect.stringContaining("name") })
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain("secret-value")
  })

  it("of which a value is a text where a number should be are refused without it", async () => {
    const { db } = await over(() => [{ id: "secret value (of) a $row", name: "n", at }])
    const error: unknown = await tableOf(db)
      .list()
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ path: expect.stringContaining("id") })
    expect(error instanceof DecodeError ? error.issue : "").not.toContain("secret value")
  })
})

describe("a schema", () => {
  it("that repeats what it was given has it in no error, whatever the value is", async () => {
    let value = ""
    const { db } = await over(() => [{ id: 1, name: value }])
    const repeating: StandardSchema = {
      "~standard": {
        version: 1,
        vendor: "here",
        validate: () => ({ issues: [{ message: `got ⟦${value}⟧ and ${JSON.stringify(value)}`, path: ["name"] }] })
      }
    }
    const table = db.table("t", { schema: repeating })
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" }), async (text) => {
        value = text
        const error: unknown = await table.list().catch((thrown: unknown) => thrown)
        expect(error instanceof DecodeError && error.issue.includes(`⟦${text}⟧`)).toBe(false)
        expect(error).toBeInstanceOf(DecodeError)
      }),
      { numRuns: 60 }
    )
  })

  it("that waits is asked for all rows at once, and the first row that is wrong is the one that is told", async () => {
    const { db } = await over(() => [{ id: 1 }, { id: 2 }, { id: 3 }])
    let under = 0
    let most = 0
    const schema: StandardSchema = {
      "~standard": {
        version: 1,
        vendor: "here",
        validate: async (row) => {
          under += 1
          most = Math.max(most, under)
          await new Promise((resolve) => setTimeout(resolve, 1))
          under -= 1
          const { id } = row as { readonly id: number }
          return id > 1 ? { issues: [{ message: "too late" }] } : { value: row }
        }
      }
    }
    await expect(db.table("t", { schema }).list()).rejects.toMatchObject({ id: "2" })
    expect(most).toBe(3)
  })

  it("that throws or rejects: what it throws comes back as it was thrown", async () => {
    const { db } = await over(() => [{ id: 1 }, { id: 2 }])
    const mine = new Error("mine")
    for (const validate of [
      () => {
        throw mine
      },
      () => Promise.reject(mine)
    ]) {
      const schema: StandardSchema = { "~standard": { version: 1, vendor: "here", validate } }
      await expect(db.table("t", { schema }).list()).rejects.toBe(mine)
    }
    expect(db.getConnectionPool().getMetrics().activeConnections).toBe(0)
  })

  it("that is none is refused at once, by the table's name and by what it is", () => {
    const db = made({ url: "http://127.0.0.1:1" })
    const wrong: ReadonlyArray<unknown> = [
      null,
      "a text",
      {},
      { "~standard": {} },
      { "~standard": { version: 2, validate: () => ({ value: 1 }) } },
      () => true
    ]
    for (const schema of wrong) {
      expect(() => Reflect.apply(db.table, db, ["things", { schema }])).toThrow(
        /^table\("things"\): schema is no Standard Schema of version 1/
      )
    }
    expect(() => Reflect.apply(db.table, db, ["things", { schema: Schema.Struct({ id: Schema.Number }) }])).toThrow(
      "Schema.standardSchemaV1(schema)"
    )
  })
})

describe("a table without a schema", () => {
  it("gives rows as they come, and sends values as JSON has them", async () => {
    const { db, there } = await over(({ headers }) =>
      headers.accept?.includes("vnd.pgrst.object") === true ? { id: 1 } : [{ id: 1 }]
    )
    const table = db.table("things", { search: ["name"] })
    await table.list({
      where: { price: gte(10), seen: new Date(at), big: 2n ** 60n, kind: neq("a"), gone: null },
      orderBy: { column: "price", descending: true },
      limit: 5
    })
    await table.create({ name: "n", at: new Date(at), big: 2n ** 60n, tags: ["a"] })
    await table.search({ query: "50% off" })
    const [list] = there.seen
    const create = there.seen.find(({ method }) => method === "POST")
    expect(Object.fromEntries(list?.query ?? [])).toMatchObject({
      select: "*",
      price: "gte.10",
      seen: `eq.${at}`,
      big: expect.stringContaining(String(2n ** 60n)),
      gone: "is.null",
      order: "price.desc,id.asc",
      limit: "5"
    })
    expect(JSON.parse(create?.body ?? "")).toEqual({ name: "n", at, big: String(2n ** 60n), tags: ["a"] })
  })

  it("refuses, before anything is sent, what is no column and what JSON would change", async () => {
    const { db, there } = await over(() => [])
    const table = db.table("things")
    for (const name of [
      "select",
      "order",
      "limit",
      "offset",
      "and",
      "or",
      "not",
      "columns",
      "on_conflict",
      "a.order",
      ""
    ]) {
      await expect(table.list({ where: { [name]: 1 } }), name).rejects.toMatchObject({ stage: "filter", path: name })
    }
    for (const value of [{ gt: 1 }, new Map(), undefined, Number.NaN, () => 1, "a\u0000"]) {
      await expect(table.list({ where: { a: value } })).rejects.toMatchObject({ stage: "filter" })
    }
    for (const value of [Number.NaN, new Uint8Array(1), "a\u0000", () => 1]) {
      await expect(table.create({ a: value })).rejects.toMatchObject({ stage: "encode" })
    }
    await expect(table.updateMany({}, { a: 1 })).rejects.toMatchObject({ stage: "filter" })
    await expect(Reflect.apply(table.get, table, [undefined])).rejects.toMatchObject({ stage: "filter" })
    expect(there.seen).toEqual([])
  })

  it("says at once what is wrong with its options", () => {
    const db = made({ url: "http://127.0.0.1:1" })
    expect(() => db.table("t", { columns: ["name"] })).toThrow('table("t"): columns lacks the key, id')
    expect(() => db.table("t", { cast: { price: "text" } })).toThrow('table("t"): cast says how columns are selected')
    expect(() => Reflect.apply(db.table, db, [""])).toThrow("is no name")
    expect(() => Reflect.apply(db.table, db, [undefined])).toThrow("is no name")
  })

  it("calls at the same time share one request", async () => {
    const { db, there } = await over(({ query }) =>
      (query.get("id") ?? "").match(/\d+/g)?.map((id) => ({ id: Number(id) }))
    )
    const table = db.table("things")
    const rows = await Promise.all(Array.from({ length: 20 }, (_, n) => table.get(n)))
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, n) => n))
    expect(there.seen.length).toBeLessThanOrEqual(2)
  })
})

describe("on the embedded database", () => {
  const Product = z.object({
    id: z.uuid(),
    title: z.string(),
    price: z.number(),
    created_at: z.coerce.date()
  })

  it("reads what is there, by key, by list, by page, by stream and by count", async () => {
    const products = made({}).table("products", {
      schema: Product,
      columns: ["id", "title", "price", "created_at"],
      search: ["title"]
    })
    const one = await products.get(ids.product(1))
    expect(one.created_at).toBeInstanceOf(Date)
    expect(await products.find("00000000-0000-4000-8000-00000000dead")).toBeUndefined()
    await expect(products.get("00000000-0000-4000-8000-00000000dead")).rejects.toBeInstanceOf(RowNotFound)
    const two = [ids.product(2), ids.product(1)]
    expect((await products.getMany(two)).map(({ id }) => id)).toEqual(two)
    const page = await products.page({ where: { id: two }, orderBy: "price", limit: 1 })
    expect([page.rows.length, page.total]).toEqual([1, 2])
    expect(await products.count({ where: { id: two } })).toBe(2)
    const seen: Array<string> = []
    for await (const { id } of products.stream({ where: { id: two }, pageSize: 1 })) seen.push(id)
    expect(seen).toEqual([...two].sort())
  })

  it("creates, changes and removes", async () => {
    const id = "dddd0000-0000-4000-8000-0000f0e7c402"
    const users = made({}).table("users", {
      schema: z.object({ id: z.uuid(), email: z.string(), name: z.string(), role: z.string() }),
      columns: ["id", "email", "name", "role"],
      as: "service"
    })
    closers.push(async () => void (await users.removeMany({ id })))
    const row = { id, email: "promise-table@example.com", name: "Ann", role: "buyer" }
    expect(await users.create(row)).toEqual(row)
    expect(await users.update(id, { name: "Ann B." })).toEqual({ ...row, name: "Ann B." })
    expect(await users.upsert(row)).toEqual(row)
    expect(await users.updateMany({ id }, { name: "C" })).toEqual([{ ...row, name: "C" }])
    expect(await users.remove(id)).toEqual({ ...row, name: "C" })
    await expect(users.remove(id)).rejects.toBeInstanceOf(RowNotFound)
  })
})
