/** `db.users` and its kind as promises: the embedded database, and a server that counts. */
import { createServer } from "node:http"
import { afterAll, afterEach, describe, expect, expectTypeOf, it } from "vitest"
import { DecodeError, QueryError, RowNotFound } from "../../src/Errors.js"
import type { Product, SalesDay, User } from "../../src/Marketplace.js"
import { createDatabase, type PromiseDb } from "../../src/promise.js"
import { embedded, ids } from "../support/embedded.js"

const { anonKey, serviceRoleKey, url } = embedded

const database = createDatabase({ url, anonKey, serviceRoleKey, minConnections: 1, maxConnections: 4 })
const { db } = database

afterAll(() => database.close())

const closers: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.unreachable("it was fulfilled"),
    (error: unknown) => error
  )

const email = (): string => `${crypto.randomUUID()}@example.com`

describe("a repository", () => {
  it("creates, gets, changes, counts and removes", async () => {
    const ann = await db.users.create({ email: email(), name: "Ann" })
    expect(await db.users.get(ann.id)).toEqual(ann)
    const changed = await db.users.update(ann.id, { role: "seller" })
    expect(changed).toEqual({ ...ann, role: "seller" })
    expect(await db.users.upsert({ ...changed, name: "Ann B." })).toEqual({ ...changed, name: "Ann B." })
    expect(await db.users.count({ where: { email: ann.email } })).toBe(1)
    expect(await db.users.list({ where: { email: ann.email } })).toHaveLength(1)
    expect(await db.users.search({ query: ann.email })).toHaveLength(1)
    const others = await db.users.createMany([{ email: email() }, { email: email(), name: "Bob" }])
    expect(await db.users.getMany(others.map(({ id }) => id))).toEqual(others)
    for (const { id } of [ann, ...others]) await db.users.remove(id)
    expect(await db.users.getMany([ann.id])).toEqual([])
  })

  it("rejects with the errors of Db", async () => {
    expect(await rejection(db.users.get(crypto.randomUUID()))).toBeInstanceOf(RowNotFound)
    expect(await rejection(db.users.get("user-id"))).toBeInstanceOf(DecodeError)
    expect(await rejection(db.products.search({ minPrice: -1 }))).toBeInstanceOf(DecodeError)
    const { email: taken } = await db.users.get(ids.user(1))
    expect(await rejection(db.users.create({ email: taken }))).toBeInstanceOf(QueryError)
  })

  it("gives all rows for no id, and nothing for an id that is missing by mistake", async () => {
    expect((await db.shops.get()).length).toBeGreaterThanOrEqual(10)
    const missing: { readonly id?: string } = {}
    expect(await rejection(Reflect.apply(db.shops.get, undefined, [missing.id]))).toMatchObject({
      _tag: "DecodeError",
      path: "id",
      stage: "filter"
    })
    expect(await rejection(Reflect.apply(db.shops.get, undefined, [null]))).toBeInstanceOf(DecodeError)
  })

  it("works where its functions are taken apart", async () => {
    const { get } = db.products
    const products = await Promise.all([1, 2, 3].map(ids.product).map((id) => get(id)))
    expect(products.map(({ id }) => id)).toEqual([1, 2, 3].map(ids.product))
  })

  it("asks for 100 rows in one request", async () => {
    let requests = 0
    const server = createServer((request, response) => {
      const asked = new URL(request.url ?? "", url).searchParams.get("id") ?? ""
      if (asked !== "") requests += 1
      const rows = [...asked.matchAll(/[0-9a-f-]{36}/g)].map(([id]) => ({
        id,
        owner_id: id,
        name: "x",
        created_at: "2025-01-01"
      }))
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(rows))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()))
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    const counted = createDatabase({ url: `http://127.0.0.1:${port}`, anonKey, serviceRoleKey, minConnections: 1 })
    closers.push(
      async () => server.closeAllConnections(),
      async () => server.close(),
      () => counted.close()
    )
    const asked = Array.from({ length: 100 }, () => crypto.randomUUID())
    const rows = await Promise.all(asked.map((id) => counted.db.shops.get(id)))
    expect(rows.map(({ id }) => id)).toEqual(asked)
    expect(requests).toBe(1)
  })
})

describe("analytics", () => {
  it("gives a report", async () => {
    const roles = await db.analytics.get("users", { to: new Date("2026-01-01") })
    expect(roles.map(({ role }) => role)).toEqual(["admin", "buyer", "seller"])
    expect(await rejection(db.analytics.get("sales", { from: "soon" }))).toBeInstanceOf(DecodeError)
  })
})

describe("the types", () => {
  it("are those of the rows", () => {
    expectTypeOf<ReturnType<typeof db.products.search>>().toEqualTypeOf<Promise<ReadonlyArray<Product>>>()
    expectTypeOf<Awaited<ReturnType<PromiseDb["users"]["create"]>>>().toEqualTypeOf<User>()
    expectTypeOf(() => db.users.get("")).returns.toEqualTypeOf<Promise<User>>()
    expectTypeOf(() => db.users.get()).returns.toEqualTypeOf<Promise<ReadonlyArray<User>>>()
    expectTypeOf(() => db.analytics.get("sales")).returns.toEqualTypeOf<Promise<ReadonlyArray<SalesDay>>>()
  })
})
