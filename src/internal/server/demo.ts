/**
 * A demo for new users: a search in the embedded marketplace, and a leak on request, so that the dashboard has something to
 * show. Served only with the embedded database.
 */
import { type HttpApp, HttpRouter, HttpServerRequest } from "@effect/platform"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { PoolConfig, type ServerConfig } from "../../Config.js"
import * as Db from "../../Db.js"
import * as Pool from "../../Pool.js"
import { asAdmin } from "../http/admin.js"
import { Guesses } from "../http/limits.js"
import { json, problem } from "../http/responses.js"
import { period } from "../shared/text.js"

const Search = Schema.Struct({ query: Schema.optionalWith(Schema.String, { default: () => "laptop" }) })

const search = HttpServerRequest.schemaSearchParams(Search).pipe(
  Effect.flatMap(({ query }) =>
    Db.read((client) =>
      client
        .from("products")
        .select("title, price, stock")
        .ilike("title", `%${query.replace(/[%_\\]/g, "")}%`)
        .order("price")
        .limit(10)
    )
  ),
  Effect.map((products) => json(products)),
  Effect.catchAll(({ message }) => Effect.succeed(problem(503, message)))
)

/** A forgotten connection: it is held until the pool takes it back. */
const forget = (scope: Scope.Scope) =>
  Effect.gen(function* () {
    const pool = yield* Pool.ReadPool
    const { leakDetectionTimeout } = yield* PoolConfig
    const holding = Effect.withSpan(
      Effect.scoped(Effect.zipRight(pool.connection, Effect.never)),
      "demo: a forgotten connection"
    )
    yield* Effect.forkIn(Effect.ignore(holding), scope)
    return json({ leaked: 1, reclaimedAfter: period(leakDetectionTimeout) })
  })

type Services = Db.ReadDb | Pool.ReadPool | PoolConfig | ServerConfig

/** Answers under /demo, and passes everything else to the app. */
export const before = (app: HttpApp.Default): Effect.Effect<HttpApp.Default, never, Services | Scope.Scope> =>
  Effect.map(
    Effect.all([Effect.scope, Effect.context<Services>(), Layer.build(Guesses.layerDefault)]),
    ([scope, services, guesses]) => {
      const routes = HttpRouter.empty.pipe(
        HttpRouter.get("/demo/search", search),
        HttpRouter.post("/demo/leak", asAdmin(forget(scope)))
      )
      return Effect.catchAll(Effect.scoped(routes), () => app).pipe(
        Effect.mapInputContext((request: Context.Context<HttpServerRequest.HttpServerRequest>) =>
          Context.mergeAll(services, guesses, request)
        )
      )
    }
  )
