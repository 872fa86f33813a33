/** Tables' steps in transactions of the Promise API: what they expect of rows, count and refer to, and how they fail. */
import { randomUUID } from "node:crypto"
import { afterAll, describe, expect, it } from "vitest"
import { z } from "zod"
import {
  createDatabase,
  DecodeError,
  GuardFailed,
  RowNotFound,
  Transaction,
  TransactionFailed
} from "../../src/promise.js"
import { embedded, ids, userToken } from "../support/embedded.js"

const { anonKey, serviceRoleKey, url } = embedded

interface Database {
  public: {
    Tables: {
      products: {
        Row: {
          id: string
          shop_id: string
          seller_id: string
          title: string
          price: number
          stock: number
          created_at: string
        }
        Insert: { id?: string; shop_id: string; seller_id: string; title: string; price: number; stock?: number }
        Update: { title?: string; price?: number; stock?: number }
        Relationships: []
      }
      orders: {
        Row: { id: string; buyer_id: string; product_id: string; quantity: number; total: number; status: string }
        Insert: { id?: string; buyer_id: string; product_id: string; quantity: number; total: number; status?: string }
        Update: { quantity?: number; total?: number; status?: string }
        Relationships: []
      }
    }
    Views: { [_ in never]: never }
    Functions: { [_ in never]: never }
  }
}

const database = createDatabase<Database>({ url, anonKey, serviceRoleKey, minConnections: 1, maxConnections: 4 })
const { db, table, withAccessToken } = database
const made: Array<string> = []

afterAll(async () => {
  await table("orders").removeMany({ product_id: made })
  await table("products").removeMany({ id: made })
  await database.close()
})

const Product = z.object({ id: z.uuid(), title: z.string(), stock: z.number(), created_at: z.coerce.date() })

const products = table("products")
const orders = table("orders", { as: "service" })

const product = (stock: number) => {
  const id = randomUUID()
  made.push(id)
  return { id, shop_id: ids.shop(1), seller_id: ids.user(1), title: `Product ${id}`, price: 5, stock }
}

const there = async (stock: number): Promise<string> => (await products.create(product(stock))).id

const order = (product_id: string, quantity: number) => ({ buyer_id: ids.user(12), product_id, quantity, total: 10 })

const buy = (id: string, n: number) =>
  db.transaction([
    orders.createStep(order(id, n)),
    products.updateStep(id, { stock: Transaction.decrement(n) }, { expect: { stock: Transaction.atLeast(n) } })
  ])

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error
  )

describe("a step of a table", () => {
  it("of each kind does what the table's operation does, and all of them at once", async () => {
    const [first, second, third] = [product(1), product(2), product(3)]
    const created = products.createStep(first)
    const results = await db.transaction([
      created,
      products.createManyStep([second, third]),
      products.updateStep(Transaction.ref(created, "id"), { stock: Transaction.increment(10), title: "Renamed" }),
      products.upsertStep({ ...second, stock: 20 }),
      products.removeStep(third.id),
      products.getStep(second.id, { lock: "update" }),
      products.listStep({ where: { id: [first.id, second.id, third.id] }, orderBy: "stock" }),
      (client) => client.from("products").select("stock").eq("id", Transaction.ref(0, "id")).single()
    ])
    expect(results).toMatchObject([
      first,
      [second, third],
      { id: first.id, stock: 11, title: "Renamed" },
      { id: second.id, stock: 20 },
      third,
      { id: second.id, stock: 20 },
      [
        { id: first.id, stock: 11 },
        { id: second.id, stock: 20 }
      ],
      { stock: 11 }
    ])
  })

  it("is decoded by the schema of the table, whichever library's", async () => {
    const id = await there(3)
    const decoded = table("products", { schema: Product })
    const [row, rows] = await db.transaction([
      decoded.updateStep(id, { title: "Decoded" }),
      decoded.listStep({ where: { id } })
    ])
    expect(row.created_at).toBeInstanceOf(Date)
    expect(rows.map(({ created_at }) => created_at)).toEqual([row.created_at])
    const strict = table("products", { schema: Product.extend({ stock: z.number().max(2) }) })
    const error = await failure(db.transaction([strict.updateStep(id, { title: "Too many" })]))
    expect(error).toBeInstanceOf(DecodeError)
    // It is found out when all is committed.
    expect(error).toMatchObject({ stage: "write", mayHaveExecuted: true, path: "stock" })
    expect((await products.get(id)).title).toBe("Too many")
  })

  it("is encoded as the table's operations are: what cannot be sent is refused, and nothing is", async () => {
    const id = await there(1)
    const wrong = [
      products.updateStep(id, { stock: Number.NaN }),
      products.updateStep(id, { title: "Count me" }, { expect: { stock: Number.NaN } }),
      products.updateStep(Reflect.get({}, "id"), { title: "No key" }),
      Reflect.apply(products.updateStep, products, [id, { title: Transaction.increment(Number.NaN) }]),
      Reflect.apply(products.updateStep, products, [id, { title: "x" }, { expect: { title: undefined } }])
    ]
    for (const step of wrong) {
      const error = await failure(db.transaction([products.updateStep(id, { stock: 7 }), step]))
      expect(error).toBeInstanceOf(DecodeError)
      expect(error).toMatchObject({ step: 1, mayHaveExecuted: false })
    }
    expect((await products.get(id)).stock).toBe(1)
  })

  it("has to be in the transaction that refers to it, and to have the column", async () => {
    const created = products.createStep(product(1))
    const error = await failure(
      db.transaction([orders.createStep({ ...order("", 1), product_id: Transaction.ref(created, "id") })])
    )
    expect(error).toBeInstanceOf(TransactionFailed)
    expect(String(error)).toContain("a reference to a step that is not in it")
    expect(() => Reflect.apply(Transaction.ref, Transaction, [created, "order"])).toThrow(TypeError)
    expect(() => Reflect.apply(Transaction.ref, Transaction, ["created", "id"])).toThrow(TypeError)
  })

  it("is sent as the user of whom the transaction is", async () => {
    const id = await there(1)
    const error = await failure(
      withAccessToken(userToken(ids.user(30))).db.transaction([products.updateStep(id, { stock: 0 })])
    )
    expect(error).toBeInstanceOf(RowNotFound)
    expect((await products.get(id)).stock).toBe(1)
  })
})

describe("what a step expects of its row", () => {
  it("holds, or all is undone and GuardFailed says which, of the class that the entry exports", async () => {
    const id = await there(3)
    const [{ quantity }, { stock }] = await buy(id, 2)
    expect([quantity, stock]).toEqual([2, 1])
    const error = await failure(buy(id, 2))
    expect(error).toBeInstanceOf(GuardFailed)
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      _tag: "GuardFailed",
      step: 1,
      operation: "update products",
      id,
      column: "stock",
      guard: "at least 2",
      isTransient: false,
      mayHaveExecuted: false
    })
    expect(await orders.count({ where: { product_id: id } })).toBe(1)
    expect(
      await failure(db.transaction([products.updateStep(randomUUID(), {}, { expect: { stock: 1 } })]))
    ).toBeInstanceOf(RowNotFound)
  })

  const { atLeast, atMost, lessThan, moreThan, not, oneOf } = Transaction
  it.each([
    ["a value", 2, 3, ""],
    ["atLeast", atLeast(2), atLeast(3), "at least 3"],
    ["atMost", atMost(2), atMost(1), "at most 1"],
    ["moreThan", moreThan(1), moreThan(2), "more than 2"],
    ["lessThan", lessThan(3), lessThan(2), "less than 2"],
    ["not", not(3), not(2), "not 2"],
    ["oneOf", oneOf(1, 2), oneOf(3, 4), "one of 3, 4"]
  ] as const)("%s", async (_, holds, fails, guard) => {
    const id = await there(2)
    for (const step of [
      products.getStep(id, { expect: { stock: fails } }),
      products.updateStep(id, { title: "never" }, { expect: { title: not("never"), stock: fails } }),
      products.removeStep(id, { expect: { stock: fails } })
    ]) {
      expect(await failure(db.transaction([step]))).toMatchObject({
        _tag: "GuardFailed",
        column: "stock",
        ...(guard === "" ? {} : { guard })
      })
    }
    await db.transaction([
      products.getStep(id, { expect: { stock: holds } }),
      products.updateStep(id, { title: "now" }, { expect: { stock: holds } }),
      products.removeStep(id, { expect: { stock: holds, title: "now" } })
    ])
    expect(await products.find(id)).toBeUndefined()
  })

  it("lets as many buy at once as there are pieces", async () => {
    const id = await there(7)
    const ends = await Promise.all(Array.from({ length: 20 }, () => failure(buy(id, 1))))
    expect(ends.filter((end) => end === undefined)).toHaveLength(7)
    expect(ends.filter((end) => end instanceof GuardFailed)).toHaveLength(13)
    expect((await products.get(id)).stock).toBe(0)
    expect(await orders.count({ where: { product_id: id } })).toBe(7)
  })
})
