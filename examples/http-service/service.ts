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

const wrong = () => HttpServerResponse.unsafeJson({ error: "This is not what this route takes." }, { status: 400 })

const laptops = HttpLayerRouter.add(
  "GET",
  "/laptops",
  HttpServerRequest.schemaSearchParams(Search).pipe(
    Effect.flatMap(({ max }) => cheapLaptops(max)),
    Effect.map((rows) => HttpServerResponse.unsafeJson(rows)),
    Effect.catchAll((error) => Effect.succeed(error._tag === "ParseError" ? wrong() : Http.failed(error)))
  )
)

const orders = HttpLayerRouter.add(
  "POST",
  "/orders",
  HttpServerRequest.schemaBodyJson(Order).pipe(
    Effect.flatMap(buy),
    Effect.map(([[order], product]) =>
      HttpServerResponse.unsafeJson({ order: order?.id, left: product.stock }, { status: 201 })
    ),
    Effect.catchAll((error) =>
      Effect.succeed(error._tag === "ParseError" || error._tag === "RequestError" ? wrong() : Http.failed(error))
    )
  )
)

/** Its own routes and the pool's, in one server. */
export const service = HttpLayerRouter.serve(Layer.mergeAll(laptops, orders, Http.routes)).pipe(
  Layer.provide(Layer.merge(Health.layer, Http.Readiness.layer))
)
