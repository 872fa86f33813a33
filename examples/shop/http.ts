/** The shop over HTTP: the database sees the user whose access token was sent. No line here filters by user. */
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiSchema,
  HttpLayerRouter,
  HttpServerResponse
} from "@effect/platform"
import { Effect, Layer, Schema } from "effect"
import { Db, Http } from "effect-supabase-pool"
import { asLines, Order, Product, Shop, SoldOut } from "./shop.js"

const Wish = Schema.Struct({ product: Schema.UUID, quantity: Schema.Int.pipe(Schema.positive()) })
const Page = Schema.Struct({ page: Schema.optionalWith(Schema.NumberFromString, { default: () => 0 }) })
const Lines = HttpApiSchema.Text({ contentType: "application/x-ndjson" })

const { Failed } = Http
const inStock = HttpApiEndpoint.get("inStock", "/products").addSuccess(Schema.Array(Product)).addError(Failed)

const mine = HttpApiEndpoint.get("mine", "/orders")
  .setUrlParams(Page)
  .addSuccess(Schema.Struct({ rows: Schema.Array(Order), total: Schema.Number }))
  .addError(Failed)

const order = HttpApiEndpoint.post("order", "/orders")
  .setPayload(Wish)
  .addSuccess(Order, { status: 201 })
  .addError(Failed)
  .addError(SoldOut)

const cancel = HttpApiEndpoint.post("cancel", "/orders/:id/cancel")
  .setPath(Schema.Struct({ id: Schema.UUID }))
  .addSuccess(Order)
  .addError(Failed)

const exported = HttpApiEndpoint.get("export", "/orders/export").addSuccess(Lines)

/** Without a token, 401. */
const ofUsers = HttpApiGroup.make("orders").add(mine).add(order).add(cancel).add(exported).middleware(Http.Bearer)

class Api extends HttpApi.make("shop").add(HttpApiGroup.make("products").add(inStock)).add(ofUsers) {}

const products = HttpApiBuilder.group(Api, "products", (group) =>
  Effect.map(Shop, (shop) => group.handle("inStock", () => Effect.catchAll(shop.inStock(20), Http.fail)))
)

const orders = HttpApiBuilder.group(Api, "orders", (group) =>
  Effect.map(Shop, (shop) =>
    group
      .handle("mine", ({ urlParams }) => shop.orders(urlParams.page).pipe(Http.asBearer, Effect.catchAll(Http.fail)))
      // An error of the shop's own, SoldOut, stays what it is.
      .handle("order", ({ payload: { product, quantity } }) =>
        shop.order(product, quantity).pipe(Http.asBearer, Effect.catchAll(Http.fail))
      )
      .handle("cancel", ({ path }) => shop.cancel(path.id).pipe(Http.asBearer, Effect.catchAll(Http.fail)))
      // It goes on after the handler has ended, so the stream itself has the token.
      .handleRaw("export", () =>
        Effect.map(Http.AccessToken, (token) =>
          HttpServerResponse.stream(asLines(shop.export).pipe(Db.withAccessToken(token)), {
            contentType: "application/x-ndjson"
          })
        )
      )
  )
)

export const routes = HttpLayerRouter.addHttpApi(Api).pipe(
  Layer.provide([products, orders]),
  Layer.provide([Shop.Default, Http.Bearer.layer])
)
