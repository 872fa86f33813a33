/** The guide's marketplace on the embedded database's data set. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { analytics, type Order, orders, type Product, products, profiles, shops, users } from "../../src/Marketplace.js"
import { ids, SharedSupabase, userToken } from "../support/embedded.js"
import { failureOf } from "../support/httpServer.js"

const Real = Db.layer.pipe(
  Layer.provide(SharedSupabase),
  Layer.provide(PoolConfig.layerOf({ minConnections: 1, maxConnections: 4 }))
)

const untyped = <A extends ReadonlyArray<unknown>, B>(f: (...args: A) => B, ...args: ReadonlyArray<unknown>): B =>
  Reflect.apply(f, undefined, args)

const unique = (what: string): string => `${what} ${crypto.randomUUID()}`

/** A user with a shop and whatever products are asked for; gone when the test is over. */
const shopOf = (goods: ReadonlyArray<{ readonly title: string } & Partial<Omit<Product, "title">>>) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const seller = yield* users.create({ email: `${crypto.randomUUID()}@example.com`, name: "Ann", role: "seller" })
      const shop = yield* shops.create({ owner_id: seller.id, name: unique("Shop") })
      const made = yield* products.createMany(
        goods.map((it) => ({ shop_id: shop.id, seller_id: seller.id, price: 10, ...it }))
      )
      return { seller, shop, products: made }
    }),
    ({ products: made, seller, shop }) =>
      Effect.orDie(
        Effect.all([
          Effect.forEach(made, ({ id }) => products.remove(id)),
          shops.remove(shop.id),
          users.remove(seller.id)
        ])
      )
  )

const titles = (found: ReadonlyArray<Product>): ReadonlyArray<string> => found.map(({ title }) => title).sort()

layer(Real)("the marketplace", (it) => {
  describe("repositories", () => {
    it.scoped("what is created is found, changed and removed", () =>
      Effect.gen(function* () {
        const { products: made, seller, shop } = yield* shopOf([{ title: unique("Lamp"), stock: 3 }])
        const [lamp] = made
        assert.deepInclude(lamp, { category: "other", description: "", price: 10, stock: 3 })
        assert.deepInclude(yield* users.get(seller.id), { name: "Ann", role: "seller" })
        assert.deepStrictEqual(yield* shops.search({ query: shop.name }), [shop])
        assert.deepStrictEqual(yield* users.search({ query: seller.email.toUpperCase() }), [seller])

        assert.deepStrictEqual(yield* profiles.upsert({ user_id: seller.id, bio: "one" }), {
          user_id: seller.id,
          bio: "one"
        })
        assert.strictEqual((yield* profiles.upsert({ user_id: seller.id, bio: "two" })).bio, "two")
        assert.strictEqual((yield* profiles.get(seller.id)).bio, "two")

        const order = yield* orders.create({ buyer_id: seller.id, product_id: lamp?.id ?? "", total: 20, quantity: 2 })
        assert.deepInclude(order, { status: "pending", quantity: 2 })
        assert.strictEqual((yield* orders.update(order.id, { status: "paid" })).status, "paid")
        assert.deepStrictEqual(
          (yield* orders.list({ where: { buyer_id: seller.id } })).map(({ id }) => id),
          [order.id]
        )
        assert.strictEqual((yield* orders.search({ query: "paid", where: { buyer_id: seller.id } })).length, 1)
        assert.strictEqual((yield* orders.remove(order.id)).status, "paid")
      })
    )

    it.effect("the data set decodes, all of it", () =>
      Effect.gen(function* () {
        const sizes = [
          (yield* users.getMany(Array.from({ length: 50 }, (_, n) => ids.user(n + 1)))).length,
          (yield* profiles.getMany(Array.from({ length: 50 }, (_, n) => ids.user(n + 1)))).length,
          (yield* shops.getMany(Array.from({ length: 10 }, (_, n) => ids.shop(n + 1)))).length,
          (yield* products.getMany(Array.from({ length: 500 }, (_, n) => ids.product(n + 1)))).length,
          (yield* orders.getMany(Array.from({ length: 300 }, (_, n) => ids.order(n + 1)))).length
        ]
        assert.deepStrictEqual(sizes, [50, 50, 10, 500, 300])
      })
    )

    it.effect("what the database would refuse does not leave", () =>
      Effect.gen(function* () {
        const wrong: ReadonlyArray<readonly [string, Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>]> = [
          ["id", users.get("user-id")],
          ["email", users.create({ email: "" })],
          ["role", untyped(users.create, { email: "a@b", role: "boss" })],
          ["price", products.update(ids.product(1), { price: -1 })],
          ["stock", products.update(ids.product(1), { stock: 1.5 })],
          ["quantity", orders.update(ids.order(1), { quantity: 0 })]
        ]
        for (const [path, operation] of wrong) {
          assert.deepInclude(yield* failureOf(operation), { _tag: "DecodeError", path, mayHaveExecuted: false })
        }
      })
    )

    it.effect("what only the database can know, it says", () =>
      Effect.gen(function* () {
        const { email } = yield* users.get(ids.user(1))
        assert.deepInclude(yield* failureOf(users.create({ email })), { _tag: "QueryError", code: "23505" })
        const orphan = products.create({ shop_id: crypto.randomUUID(), seller_id: ids.user(2), title: "X", price: 1 })
        assert.deepInclude(yield* failureOf(orphan), { _tag: "QueryError", code: "23503" })
      })
    )
  })

  describe("products.search", () => {
    it.effect("finds the laptops", () =>
      Effect.gen(function* () {
        const found = yield* products.search({ query: "laptop" })
        assert.isAbove(found.length, 0)
        assert.isTrue(found.every(({ description, title }) => /laptop/i.test(title + description)))
        assert.deepStrictEqual(
          (yield* products.search({ query: "LAPTOP", limit: 2, offset: 1 })).map(({ id }) => id),
          found.slice(1, 3).map(({ id }) => id)
        )
        assert.isAtLeast((yield* products.search()).length, 500)
      })
    )

    it.scoped("applies each filter, alone and together", () =>
      Effect.gen(function* () {
        const mark = crypto.randomUUID()
        const one = { title: `${mark} one`, price: 5, stock: 0, category: "lamps" }
        const two = { title: `${mark} two`, price: 10, stock: 2, category: "lamps" }
        const three = { title: "three", description: `in words: ${mark}`, price: 15, stock: 1, category: "chairs" }
        const { shop } = yield* shopOf([one, two, three])
        const find = (filters: Parameters<typeof products.search>[0]) =>
          Effect.map(products.search({ query: mark, ...filters }), (found) => titles(found).map((it) => it.slice(-3)))
        assert.deepStrictEqual(yield* find({}), ["one", "two", "ree"])
        assert.deepStrictEqual(yield* find({ category: "lamps" }), ["one", "two"])
        assert.deepStrictEqual(yield* find({ minPrice: 10 }), ["two", "ree"])
        assert.deepStrictEqual(yield* find({ maxPrice: 10 }), ["one", "two"])
        assert.deepStrictEqual(yield* find({ minPrice: 10, maxPrice: 10 }), ["two"])
        assert.deepStrictEqual(yield* find({ inStock: true }), ["two", "ree"])
        assert.deepStrictEqual(yield* find({ inStock: false }), ["one"])
        assert.deepStrictEqual(yield* find({ category: "lamps", inStock: true, minPrice: 1, maxPrice: 99 }), ["two"])
        assert.deepStrictEqual(yield* find({ shopId: shop.id }), ["one", "two", "ree"])
        assert.deepStrictEqual(yield* find({ shopId: ids.shop(1) }), [])
        assert.deepStrictEqual(yield* find({ category: "no such" }), [])
        assert.deepStrictEqual(yield* find({ limit: 0 }), [])
        assert.strictEqual((yield* find({ offset: 1, limit: 5 })).length, 2)
        const dearest = yield* products.search(
          { query: mark, limit: 1 },
          { orderBy: { column: "price", descending: true } }
        )
        assert.deepStrictEqual(titles(dearest), ["three"])
      })
    )

    it.scoped("takes every character of its text for itself", () =>
      Effect.gen(function* () {
        const mark = crypto.randomUUID()
        const texts = [
          "100% wool",
          "100x wool",
          "y_z",
          "y-z",
          'size 5" (new), or not',
          "c:\\temp",
          "it's",
          "*star*",
          "{a}.b|c?^$+"
        ]
        yield* shopOf(texts.map((text) => ({ title: `${mark} ${text}` })))
        const find = (query: string) =>
          Effect.map(products.search({ query: `${mark} ${query}` }), (found) =>
            titles(found).map((title) => title.slice(mark.length + 1))
          )
        for (const text of texts) assert.deepStrictEqual(yield* find(text), [text])
        assert.deepStrictEqual(yield* find("%"), ["100% wool"])
        assert.deepStrictEqual(yield* find("_"), ["y_z"])
        assert.deepStrictEqual(yield* find("*"), ["*star*"])
        assert.deepStrictEqual(yield* find(`x'),title.not.is.null,(title.ilike.*`), [])
      })
    )

    it.effect("names a filter that makes no sense", () =>
      Effect.gen(function* () {
        const wrong: ReadonlyArray<readonly [path: string, filters: unknown]> = [
          ["minPrice", { minPrice: -1 }],
          ["minPrice", { minPrice: Number.NaN }],
          ["maxPrice", { maxPrice: Number.POSITIVE_INFINITY }],
          ["minPrice", { minPrice: 2, maxPrice: 1 }],
          ["maxPrice", { maxPrice: "10" }],
          ["inStock", { inStock: "yes" }],
          ["query", { query: 7 }],
          ["category", { category: null }],
          ["limit", { limit: -1 }],
          ["limit", { limit: 1.5 }],
          ["offset", { offset: -3 }],
          ["shopId", { shopId: "shop-1" }],
          ["qeury", { qeury: "laptop" }],
          ["", "laptop"],
          ["", null]
        ]
        for (const [path, filters] of wrong) {
          const error = yield* failureOf(untyped(products.search, filters))
          assert.deepInclude(error, { _tag: "DecodeError", path, stage: "filter", mayHaveExecuted: false })
          assert.match(
            error.message,
            /^Filter not understood: products\.search at .*Nothing was sent\. Fix the filter\.$/
          )
        }
      })
    )
  })

  describe("analytics.get", () => {
    const service = (name: string) => Db.rpc(name, {}, { get: true })

    it.effect("gives the rows of each report", () =>
      Effect.gen(function* () {
        const window = { from: "2025-06-01", to: new Date("2025-09-01T00:00:00Z") } as const
        const sales = yield* analytics.get("sales", window)
        assert.isAbove(sales.length, 0)
        assert.isTrue(sales.every(({ day }) => day >= "2025-06-01" && day < "2025-09-01"))
        const sold = yield* analytics.get("products", window)
        const sum = (numbers: ReadonlyArray<number>) => Math.round(numbers.reduce((a, b) => a + b, 0) * 100)
        assert.strictEqual(sum(sales.map(({ revenue }) => revenue)), sum(sold.map(({ revenue }) => revenue)))
        const roles = yield* analytics.get("users")
        assert.deepStrictEqual(
          roles.map(({ role }) => role),
          ["admin", "buyer", "seller"]
        )
      })
    )

    it.effect("covers one shop where it is asked to", () =>
      Effect.gen(function* () {
        const own = yield* analytics.get("products", { shopId: ids.shop(1) })
        const goods = yield* products.getMany(own.map(({ product_id }) => product_id))
        assert.isAbove(goods.length, 0)
        assert.isTrue(goods.every(({ shop_id }) => shop_id === ids.shop(1)))
        assert.deepStrictEqual(yield* analytics.get("sales", { shopId: crypto.randomUUID() }), [])
      })
    )

    it.effect("sees nothing of others' orders as a user or as nobody", () =>
      Effect.gen(function* () {
        const mine = yield* Db.withAccessToken(userToken(ids.user(12)))(analytics.get("users"))
        assert.deepStrictEqual(
          mine.map(({ role, users: n }) => [role, n]),
          [["buyer", 1]]
        )
        const nobodys: unknown = yield* service("analytics_users")
        assert.deepStrictEqual(nobodys, [])
      })
    )

    it.effect("names a report or filter that makes no sense", () =>
      Effect.gen(function* () {
        const wrong: ReadonlyArray<readonly [path: string, report: unknown, filters?: unknown]> = [
          ["from", "sales", { from: "yesterday" }],
          ["from", "sales", { from: "01/02/2025" }],
          ["from", "sales", { from: "2025-02-30" }],
          ["from", "sales", { from: "2025-02-01T10:00" }],
          ["to", "sales", { to: new Date(Number.NaN) }],
          ["to", "sales", { to: 1_700_000_000_000 }],
          ["from", "sales", { from: "2025-02-02", to: "2025-02-01" }],
          ["from", "sales", { from: "2025-02-02", to: "2025-02-02" }],
          ["shopId", "users", { shopId: "shop-1" }],
          ["form", "users", { form: "2025-02-01" }],
          ["", "stock"],
          ["", undefined]
        ]
        for (const [path, report, filters] of wrong) {
          const error = yield* failureOf(untyped(analytics.get, report, filters))
          assert.deepInclude(error, { _tag: "DecodeError", path, stage: "filter", mayHaveExecuted: false })
          assert.include(error.message, "Filter not understood: analytics.get")
        }
      })
    )
  })

  describe("inside Db.withAccessToken", () => {
    it.effect("a user sees and changes what is theirs", () =>
      Effect.gen(function* () {
        const me = ids.user(13)
        const asMe = Db.withAccessToken(userToken(me))
        const mine: ReadonlyArray<Order> = yield* asMe(orders.list())
        assert.isAbove(mine.length, 0)
        assert.isTrue(mine.every(({ buyer_id }) => buyer_id === me))
        assert.deepStrictEqual(
          (yield* asMe(users.list())).map(({ id }) => id),
          [me]
        )
        assert.strictEqual((yield* failureOf(asMe(users.get(ids.user(14)))))._tag, "RowNotFound")
        assert.strictEqual((yield* failureOf(asMe(profiles.update(ids.user(14), { bio: "x" }))))._tag, "RowNotFound")
        assert.deepInclude(yield* failureOf(asMe(users.update(me, { role: "admin" }))), { code: "42501" })
        const { bio } = yield* asMe(profiles.get(me))
        assert.deepStrictEqual(yield* asMe(profiles.update(me, { bio })), { user_id: me, bio })
      })
    )
  })
})
