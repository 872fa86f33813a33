/** What the compiler makes of tables' steps in a transaction. */
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { BigDecimal, type Effect, Schema } from "effect"
import * as Db from "../../src/Db.js"
import * as Transaction from "../../src/Transaction.js"

const ProductId = Schema.String.pipe(Schema.brand("ProductId"))

const Product = Schema.Struct({
  id: ProductId,
  title: Schema.String,
  stock: Schema.Int,
  rating: Schema.NullOr(Schema.Number),
  price: Schema.BigDecimal,
  sold: Schema.BigInt,
  status: Schema.Literal("new", "old"),
  madeAt: Schema.propertySignature(Schema.Date).pipe(Schema.fromKey("made_at"))
})

type Product = typeof Product.Type

const products = Db.table("products", Product, { generated: ["id", "madeAt"] })

class Order extends Schema.Class<Order>("Order")({ id: Schema.Int, product: ProductId, at: Schema.Date }) {}

const orders = Db.table("orders", Order, { generated: ["id"], as: "service" })

const id = ProductId.make("1")

describe("a transaction of tables' steps", () => {
  it("gives a tuple of what each step gives, beside that of client's functions", () => {
    const all = Db.transaction([
      products.getStep(id),
      products.listStep({ where: { status: "new" }, lock: "share" }),
      orders.createStep({ product: id, at: new Date(0) }),
      (client) => client.from("notes").delete().eq("id", 1),
      products.removeStep(id),
      orders.createManyStep([])
    ])
    expectTypeOf<Effect.Effect.Success<typeof all>>().toEqualTypeOf<
      readonly [Product, ReadonlyArray<Product>, Order, null, Product, ReadonlyArray<Order>]
    >()
    expectTypeOf<Effect.Effect.Error<typeof all>>().toEqualTypeOf<Db.TransactionError>()
    // Whatever the table reads with.
    expectTypeOf<Effect.Effect.Context<typeof all>>().toEqualTypeOf<Db.Db>()
  })

  it("of a list whose length is not known gives a list", () => {
    const some = Db.transaction([id].map((one) => products.getStep(one)))
    expectTypeOf<Effect.Effect.Success<typeof some>>().toEqualTypeOf<ReadonlyArray<Product>>()
  })
})

describe("a reference", () => {
  const product = products.getStep(id)

  it("has the type of the step's column, and stands where that is expected", () => {
    expectTypeOf(Transaction.ref(product, "madeAt")).toEqualTypeOf<Transaction.Ref<Date>>()
    expectTypeOf(Transaction.ref(0, "made_at")).toEqualTypeOf<string>()
    orders.createStep({ product: Transaction.ref(product, "id"), at: Transaction.ref(product, "madeAt") })
    products.updateStep(Transaction.ref(product, "id"), { rating: Transaction.ref(product, "stock") })
    products.updateStep(id, { stock: Transaction.decrement(Transaction.ref(product, "stock")) })
    products.getStep(id, { expect: { stock: Transaction.atMost(Transaction.ref(product, "stock")) } })
  })

  it("is to no other column, and of no other type", () => {
    // @ts-expect-error the schema's names count
    expect(() => Transaction.ref(product, "made_at")).toThrow('names "made_at"')
    // @ts-expect-error no product's key
    orders.createStep({ product: Transaction.ref(product, "title"), at: new Date(0) })
    // @ts-expect-error may be null
    products.updateStep(id, { stock: Transaction.ref(product, "rating") })
    // @ts-expect-error outside of a transaction there is nothing to refer to
    const outside = orders.create({ product: Transaction.ref(product, "id"), at: new Date(0) })
    expectTypeOf(outside).not.toBeAny()
  })
})

describe("counting", () => {
  it("is for columns of numbers, by their type", () => {
    products.updateStep(id, {
      stock: Transaction.decrement(2),
      price: Transaction.increment(BigDecimal.unsafeFromNumber(1)),
      sold: Transaction.increment(1n)
    })
  })

  it("is for no other, for none that may be null, by no other type, and in no insert", () => {
    // @ts-expect-error a text
    products.updateStep(id, { title: Transaction.increment(1) })
    // @ts-expect-error null and one is null
    products.updateStep(id, { rating: Transaction.increment(1) })
    // @ts-expect-error bigint
    products.updateStep(id, { sold: Transaction.increment(1) })
    // @ts-expect-error text is not counted
    products.updateStep(id, { stock: Transaction.increment("1") })
    // @ts-expect-error there is nothing yet
    orders.createStep({ id: Transaction.increment(1), product: id, at: new Date(0) })
    // @ts-expect-error only in a transaction
    const outside = products.update(id, { stock: Transaction.increment(1) })
    expectTypeOf(outside).not.toBeAny()
  })
})

describe("what is expected", () => {
  it("has the type of the column", () => {
    products.updateStep(
      id,
      { title: "x" },
      {
        expect: {
          stock: Transaction.atLeast(2),
          status: Transaction.oneOf("new", "old"),
          rating: Transaction.not(null),
          price: Transaction.lessThan(BigDecimal.unsafeFromNumber(1)),
          title: "y",
          madeAt: new Date(0),
          sold: 1n
        }
      }
    )
    products.getStep(id, { expect: { rating: null } })
  })

  it("is of a column that there is, and of its type", () => {
    // @ts-expect-error no such column
    products.getStep(id, { expect: { made_at: new Date(0) } })
    // @ts-expect-error no text
    products.getStep(id, { expect: { stock: Transaction.atLeast("2") } })
    // @ts-expect-error no such status
    products.getStep(id, { expect: { status: Transaction.oneOf("new", "other") } })
    // @ts-expect-error never null
    products.getStep(id, { expect: { stock: null } })
    // @ts-expect-error would expect nothing
    products.getStep(id, { expect: { stock: undefined } })
  })
})
