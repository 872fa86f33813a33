/** A service of an application, as the specs beside it swap what stands under it. */
import { Context, Data, Effect, Layer, Schema } from "effect"
import { Db, Transaction } from "effect-supabase-pool"

export class SoldOut extends Data.TaggedError("SoldOut")<{ readonly productId: string }> {}

interface Order {
  readonly buyerId: string
  readonly productId: string
  readonly quantity: number
}

/** As much of a product as a checkout has to know. */
const products = Db.table("products", Schema.Struct({ id: Schema.UUID, price: Schema.Number, stock: Schema.Int }))

export class Checkout extends Context.Tag("examples/Checkout")<
  Checkout,
  { readonly buy: (order: Order, requestId: string) => Effect.Effect<string, SoldOut | Db.DbError> }
>() {}

/** The stock is in the filter, so that of two buyers of the last piece one gets it and the other's order is undone. */
const buy = ({ buyerId, productId, quantity }: Order, requestId: string) =>
  Effect.gen(function* () {
    const { price, stock } = yield* products.get(productId)
    if (stock < quantity) return yield* new SoldOut({ productId })
    const [, order] = yield* Db.transaction(
      [
        (client) =>
          client
            .from("products")
            .update({ stock: stock - quantity })
            .eq("id", productId)
            .eq("stock", stock)
            .select("id")
            .single(),
        (client) =>
          client
            .from("orders")
            .insert({
              buyer_id: buyerId,
              product_id: Transaction.ref(0, "id"),
              quantity,
              total: price * quantity,
              status: "pending"
            })
            .select("id")
            .single<{ id: string }>()
      ],
      { idempotencyKey: requestId }
    )
    return order.id
  })

export const layer: Layer.Layer<Checkout, never, Db.Db | Db.ReadDb> = Layer.effect(
  Checkout,
  Effect.map(Effect.context<Db.Db | Db.ReadDb>(), (context) => ({
    buy: (order, requestId) => Effect.provide(buy(order, requestId), context)
  }))
)
