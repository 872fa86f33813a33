/**
 * Row level security per request: the sender of an access token reads and writes as that user, on sockets that serve
 * everybody. No line here filters by user: the database's policies do, and a line that was forgotten gives nothing away.
 */
import { Effect, Match, Schema } from "effect"
import { Db, Marketplace } from "effect-supabase-pool"

const Wish = Schema.parseJson(Schema.Struct({ product: Schema.UUID, quantity: Schema.Int.pipe(Schema.between(1, 10)) }))

const body = (request: Request) => Effect.promise(() => request.text())

const mine = Effect.map(Marketplace.orders.list({ orderBy: { column: "created_at", descending: true } }), (orders) =>
  Response.json(orders)
)

/** Of all users, a user sees one. */
const me = Effect.flatMap(Marketplace.users.list({ limit: 1 }), ([user]) =>
  user === undefined ? Effect.fail(new Db.RowNotFound({ table: "users", details: "" })) : Effect.succeed(user)
)

const buy = (request: Request) =>
  Effect.gen(function* () {
    const { product, quantity } = yield* Effect.flatMap(body(request), Schema.decodeUnknown(Wish))
    const { buyer, price } = yield* Effect.all(
      {
        buyer: Effect.map(me, ({ id }) => id),
        price: Effect.map(Marketplace.products.get(product), ({ price }) => price)
      },
      { concurrency: "unbounded" }
    )
    const order = yield* Marketplace.orders.create({
      buyer_id: buyer,
      product_id: product,
      quantity,
      total: Math.round(price * quantity * 100) / 100
    })
    return Response.json(order, { status: 201 })
  })

const status = Match.type<Db.DbError>().pipe(
  Match.tag("RowNotFound", () => 404),
  Match.tag("QueryError", ({ status }) => (status === 401 || status === 403 || status === 409 ? status : 503)),
  Match.orElse(() => 503)
)

const refused = (code: number): Response => Response.json({ error: code }, { status: code })

const answer = (request: Request) =>
  (request.method === "POST" ? buy(request) : mine).pipe(
    Effect.catchTag("ParseError", () => Effect.succeed(refused(400))),
    Effect.catchAll((error) => Effect.succeed(refused(status(error))))
  )

export const handle = (request: Request): Effect.Effect<Response, never, Db.Db | Db.ReadDb> => {
  const [, token] = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "") ?? []
  return token === undefined ? Effect.succeed(refused(401)) : Db.withAccessToken(token)(answer(request))
}
