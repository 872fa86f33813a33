/** What the shop can do. It does not know its caller: each method has the caller's rights. */
import { HttpApiSchema } from "@effect/platform"
import { Effect, Schema, Stream } from "effect"
import { Db, Transaction } from "effect-supabase-pool"

export const Product = Schema.Struct({
  id: Schema.UUID,
  title: Schema.String,
  price: Schema.BigDecimal,
  stock: Schema.Int
})

export const Order = Schema.Struct({
  id: Schema.UUID,
  buyer_id: Schema.UUID,
  product_id: Schema.UUID,
  quantity: Schema.Int.pipe(Schema.positive()),
  total: Schema.BigDecimal,
  status: Schema.Literal("open", "cancelled"),
  placed_at: Schema.DateTimeUtc
})
type Order = typeof Order.Type

/** Over HTTP it is 409. */
export class SoldOut extends Schema.TaggedError<SoldOut>()(
  "SoldOut",
  { product: Schema.UUID },
  HttpApiSchema.annotations({ status: 409 })
) {}

/** `numeric` as text, so that no digit is lost. Columns that the database fills are not in an insert. */
const ofOrders = { cast: { total: "text" }, generated: ["id", "buyer_id", "total", "status", "placed_at"] } as const

export class Shop extends Effect.Service<Shop>()("examples/Shop", {
  effect: Effect.map(Db.Db, (db) => {
    const products = db.table("products", Product, { cast: { price: "text" }, generated: ["id"] })
    const orders = db.table("orders", Order, ofOrders)
    const everybodys = db.table("orders", Order, { ...ofOrders, as: "service" })

    return {
      inStock: (limit: number) => products.list({ where: { stock: Db.gt(0) }, orderBy: "price", limit }),

      orders: (page: number) =>
        orders.page({ orderBy: { column: "placed_at", descending: true }, limit: 20, offset: page * 20 }),

      /** The database counts the stock down, and its `check` refuses an order when the stock is empty. */
      order: (product: string, quantity: number) =>
        orders.create({ product_id: product, quantity }).pipe(
          Effect.catchIf(
            (error) => error._tag === "QueryError" && error.code === "23514",
            () => new SoldOut({ product })
          )
        ),

      /** Works once: an order that is no longer open fails with `GuardFailed`. */
      cancel: (order: string) =>
        db
          .transaction([orders.updateStep(order, { status: "cancelled" }, { expect: { status: "open" } })])
          .pipe(Effect.map(([cancelled]) => cancelled)),

      /** For the server, whose rights it has outside of a user's token. */
      restock: (product: string, pieces: number) =>
        db
          .transaction([products.updateStep(product, { stock: Transaction.increment(pieces) })])
          .pipe(Effect.map(([restocked]) => restocked)),

      /** The orders that a user may see, if it runs under their token. */
      export: orders.stream({ orderBy: "id" }),

      /** All orders, for a job of the server. */
      exportAll: everybodys.stream({ orderBy: "id" })
    }
  })
}) {}

const line = Schema.encodeSync(Schema.parseJson(Order))

/** A line of JSON for each order. */
export const asLines = <E, R>(orders: Stream.Stream<Order, E, R>): Stream.Stream<Uint8Array, E, R> =>
  Stream.encodeText(Stream.map(orders, (order) => `${line(order)}\n`))
