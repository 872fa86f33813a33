import { HttpLayerRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Layer, Schema } from "effect"
import { Db, Health, Http } from "effect-supabase-pool"

const Search = Schema.Struct({ max: Schema.optionalWith(Schema.NumberFromString, { default: () => 10_000 }) })

/** Only reads: its type says that it needs `ReadDb`. */
const cheapLaptops = (max: number) =>
  Db.read((client) =>
    client.from("products").select("title, price").eq("category", "laptops").lte("price", max).order("price").limit(20)
  )

const Order = Schema.Struct({ product: Schema.UUID, buyer: Schema.UUID, total: Schema.Number })

/** Both steps or none. */
const buy = ({ buyer, product, total }: typeof Order.Type) =>
  Db.transaction([
    (client) => client.from("orders").insert({ buyer_id: buyer, product_id: product, quantity: 1, total }).select("id"),
    (client) => client.from("products").select("title, stock").eq("id", product).single()
  ])

/** What went wrong as a status: the caller may try again, or asked for what is not there. */
const answered = <R>(effect: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, R>) =>
  effect.pipe(
    Effect.catchAll((error) =>
      Effect.succeed(
        error instanceof Db.PoolOverloaded || error instanceof Db.AcquireTimeout
          ? HttpServerResponse.unsafeJson({ error: "busy" }, { status: 503, headers: { "retry-after": "1" } })
          : HttpServerResponse.unsafeJson(
              { error: error instanceof Error ? error.message : "unknown" },
              { status: 400 }
            )
      )
    )
  )

const laptops = HttpLayerRouter.add(
  "GET",
  "/laptops",
  HttpServerRequest.schemaSearchParams(Search).pipe(
    Effect.flatMap(({ max }) => cheapLaptops(max)),
    Effect.flatMap(HttpServerResponse.json),
    answered
  )
)

const orders = HttpLayerRouter.add(
  "POST",
  "/orders",
  HttpServerRequest.schemaBodyJson(Order).pipe(
    Effect.flatMap(buy),
    Effect.flatMap(([[order], product]) =>
      HttpServerResponse.json({ order: order?.id, left: product.stock }, { status: 201 })
    ),
    answered
  )
)

/** Its own routes and the pool's, in one server. */
export const service = HttpLayerRouter.serve(Layer.mergeAll(laptops, orders, Http.routes)).pipe(
  Layer.provide(Layer.merge(Health.layer, Http.Readiness.layer))
)
