/**
 * Health over HTTP: is the database reachable, is this process alive, is it ready for traffic.
 *
 * One `HttpApi` defines all routes. `layer` serves them on any `HttpServer`, so nothing here needs Node.
 *
 * @since 0.1.0
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApiSwagger from "@effect/platform/HttpApiSwagger"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import type * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Cause, Context, Effect, Layer, Option, Ref, type Scope } from "effect"
import { ServerConfig } from "./Config.js"
import type { DbError } from "./Errors.js"
import type * as Health from "./Health.js"
import { debugLog } from "./internal/audit/debugLog.js"
import * as Admin from "./internal/http/admin.js"
import { Api } from "./internal/http/api.js"
import * as ApiErrors from "./internal/http/apiErrors.js"
import * as FailureResponse from "./internal/http/failureResponse.js"
import * as Graceful from "./internal/http/graceful.js"
import * as HealthRoutes from "./internal/http/healthRoutes.js"
import * as Hosts from "./internal/http/hosts.js"
import { Guesses } from "./internal/http/limits.js"
import * as Page from "./internal/http/page.js"
import * as Parts from "./internal/http/parts.js"
import { Readiness } from "./internal/http/readiness.js"
import { pathOf, problem } from "./internal/http/responses.js"
import type * as Metrics from "./Metrics.js"
import type * as Pool from "./Pool.js"
import type * as RateLimit from "./RateLimit.js"

export { Api } from "./internal/http/api.js"
export {
  AccessToken,
  BadGateway,
  BadRequest,
  Bearer,
  Conflict,
  Failed,
  Forbidden,
  GatewayTimeout,
  NotFound,
  ServerFailed,
  TooManyRequests,
  Unauthorized,
  Unavailable
} from "./internal/http/apiErrors.js"
export type { NodeServer } from "./internal/http/graceful.js"
export type { Part, RoutesOptions } from "./internal/http/parts.js"
export { Readiness } from "./internal/http/readiness.js"

/** The methods of each path, from the definition. */
const methodsOf: ReadonlyMap<string, ReadonlySet<string>> = (() => {
  const methods = new Map<string, Set<string>>()
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint: { method, path } }) => {
      const known = methods.get(path) ?? new Set()
      methods.set(path, known.add(method))
      // Every GET can be a HEAD too (RFC 9110 §9.3.2); the router handles it.
      if (method === "GET") known.add("HEAD")
    }
  })
  for (const path of Page.paths) methods.set(path, new Set(["GET", "HEAD"]))
  return methods
})()

const unmatched = (url: string): HttpServerResponse.HttpServerResponse => {
  const methods = methodsOf.get(pathOf(url))
  if (methods === undefined) return problem(404, "Not found.")
  const allow = [...methods].sort().join(", ")
  return problem(405, `This route answers ${allow}.`, { allow })
}

/** Only an administrator is told which methods an admin route has. */
const refused = (url: string) => {
  const response = Effect.succeed(unmatched(url))
  return pathOf(url).startsWith("/api/admin/") ? Admin.asAdmin(response) : response
}

/** Requests are routine: they are in the log at debug level only. */
const answering = <R>(app: HttpApp.Default<never, R>): HttpApp.Default<never, R | ServerConfig | Guesses> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method, url }) =>
    app.pipe(
      Effect.catchAllCause((cause) => {
        const ended = Cause.squash(cause)
        if (HttpServerResponse.isServerResponse(ended)) return Effect.succeed(ended)
        return ended instanceof HttpServerError.RouteNotFound ? refused(url) : Effect.failCause(cause)
      }),
      Effect.tap(({ status }) => Effect.logDebug(`${method} ${pathOf(url)} ${status}`))
    )
  )

/**
 * The requirements of the routes: `Db.layer` and `Health.layer` provide most of them. If `Alerts` is provided too, the event
 * stream and the dashboard show alerts.
 *
 * @since 0.1.0
 * @category models
 */
export type Services =
  | Health.Health
  | Metrics.Metrics
  | Readiness
  | ServerConfig
  | Pool.ReadPool
  | Pool.WritePool
  | RateLimit.RateLimit

/**
 * The page at `/docs` is third-party and contains its script and style; it may load and send nothing.
 */
const docsPolicy =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const withDocsPolicy = (app: HttpApp.Default<never, HttpRouter.HttpRouter.DefaultServices>) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) =>
    pathOf(url) === "/docs" ? Effect.map(app, HttpServerResponse.setHeader("content-security-policy", docsPolicy)) : app
  )

const pages = Layer.mergeAll(
  HttpApiSwagger.layer({ path: "/docs" }),
  HttpApiBuilder.middlewareOpenApi({ path: "/openapi.json" }),
  Page.routes
)

/**
 * Every route as one app, for a server that you assemble yourself. Background work ends with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const app: Effect.Effect<
  HttpApp.Default,
  never,
  Services | HttpRouter.HttpRouter.DefaultServices | Scope.Scope
> = Effect.gen(function* () {
  const services = yield* Effect.context<HttpRouter.HttpRouter.DefaultServices | ServerConfig>()
  const guesses = yield* Layer.build(Guesses.layerDefault)
  const api = yield* Layer.build(
    pages.pipe(
      Layer.provideMerge(HttpApiBuilder.api(Api)),
      Layer.provide(Layer.mergeAll(HealthRoutes.handlers, HealthRoutes.prometheus, Admin.handlers)),
      Layer.provide(Layer.succeedContext(guesses)),
      Layer.provideMerge(HttpApiBuilder.Router.Live),
      Layer.provideMerge(HttpApiBuilder.Middleware.layer)
    )
  )
  const whole = withDocsPolicy(yield* Effect.provide(HttpApiBuilder.httpApp, api))
  return Effect.mapInputContext(answering(whole), (request: Context.Context<HttpServerRequest.HttpServerRequest>) =>
    Context.mergeAll(services, guesses, request)
  )
})

/**
 * The answer of your route to a failed operation: 429 (`RateLimited`, `PoolOverloaded`) and 503 (no connection, or nothing
 * was executed for another transient reason) with `Retry-After`; 502 and 504 if the database may have executed it; 404, 403,
 * 409 and 400 if it refused; 500 for the rest. The body is `{ "error": "…" }`, a text for the client: no table, no value, no
 * figure.
 *
 * @example
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { Db, Http } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * export const shops = HttpLayerRouter.add(
 *   "GET",
 *   "/shops",
 *   Db.read((client) => client.from("shops").select("name")).pipe(
 *     Effect.map((rows) => HttpServerResponse.unsafeJson(rows)),
 *     Effect.catchAll((error) => Effect.succeed(Http.failed(error)))
 *   )
 * )
 *
 * @since 0.1.0
 * @category combinators
 */
export const failed: (error: DbError) => HttpServerResponse.HttpServerResponse = FailureResponse.failed

/**
 * The same for an endpoint of an `HttpApi` that has `.addError(Http.Failed)`: fails with the error that has the status, and
 * sends `Retry-After` and `WWW-Authenticate` with it. A status that `Failed` lacks becomes the nearest one that it has.
 * An error of your own passes unchanged: give the endpoint an `.addError` for it.
 *
 * @example
 * import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "@effect/platform"
 * import { Db, Http } from "effect-supabase-pool"
 * import { Effect, Schema } from "effect"
 *
 * const Order = Schema.Struct({ id: Schema.UUID, total: Schema.Number })
 * const orders = Db.table("orders", Order)
 *
 * class Shop extends HttpApi.make("shop").add(
 *   HttpApiGroup.make("orders")
 *     .add(HttpApiEndpoint.get("mine", "/orders").addSuccess(Schema.Array(Order)).addError(Http.Failed))
 *     .middleware(Http.Bearer)
 * ) {}
 *
 * // Layer<…, Db | Bearer>: provide Http.Bearer.layer, and the database
 * export const handlers = HttpApiBuilder.group(Shop, "orders", (group) =>
 *   group.handle("mine", () => orders.list().pipe(Http.asBearer, Effect.catchAll(Http.fail)))
 * )
 *
 * @since 0.1.0
 * @category combinators
 */
export const fail: <E>(error: E) => Effect.Effect<never, ApiErrors.Failed | Exclude<E, DbError>> = ApiErrors.fail

/**
 * Runs every request inside as the user whose access token `Bearer` took from the request.
 *
 * @since 0.1.0
 * @category combinators
 */
export const asBearer: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | ApiErrors.AccessToken> =
  ApiErrors.asBearer

/**
 * The same Node server with a clean shutdown: a request that arrives after the app has stopped is answered 503 and its
 * connection closed, answers in progress are finished, and unused connections no longer keep the server open.
 *
 * Effect's `NodeHttpServer` lets go of the requests before it closes the server. Without this function, a later request on
 * an open connection is never answered, and the process does not end until the client gives up.
 *
 * @example
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Http } from "effect-supabase-pool"
 * import { createServer } from "node:http"
 *
 * export const server = NodeHttpServer.layer(() => Http.graceful(createServer()), { port: 3000 })
 *
 * @since 0.1.0
 * @category combinators
 */
export const graceful: <S extends Graceful.NodeServer>(server: S) => S = Graceful.graceful

/** Ready from now on, and draining when the scope closes, unless somebody else has set another state. */
const whileServing: Effect.Effect<void, never, Readiness | Scope.Scope> = Effect.flatMap(Readiness, (phase) =>
  Effect.acquireRelease(
    Ref.update(phase, (now) => (now === "starting" ? "ready" : now)),
    () => Ref.set(phase, "draining")
  )
)

/**
 * Serves every route on the `HttpServer` that it is given, until the scope closes.
 *
 * Provide the server before `Db.layer`: layers that are provided later end later, so the server finishes its requests before
 * the pools close. In the opposite order, operations that wait for a connection get `PoolClosed` at shutdown.
 *
 * @example
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Config, Db, Health, Http } from "effect-supabase-pool"
 * import { Layer } from "effect"
 * import { createServer } from "node:http"
 *
 * export const server = Http.layer.pipe(
 *   Layer.provide(Health.layer),
 *   Layer.provide(Http.Readiness.layer),
 *   Layer.provide(NodeHttpServer.layer(() => Http.graceful(createServer()), { port: 3000 })),
 *   Layer.provide(Db.layer),
 *   Layer.provide(Config.layer)
 * )
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  never,
  never,
  HttpServer.HttpServer | HttpRouter.HttpRouter.DefaultServices | Services
> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    yield* HttpServer.serveEffect(Hosts.guarded(address, yield* ServerConfig)(yield* app))
    yield* whileServing
  })
).pipe(Layer.merge(debugLog))

/**
 * Every route, mounted in your own `HttpLayerRouter` server.
 *
 * With `LOG_LEVEL=debug` (the `logLevel` of `ServerConfig`) every connection event is in the log, as with `supabase-pool serve`.
 *
 * They keep their paths; `GET /` is the dashboard, so put your own page elsewhere. All other paths are yours. Provide the
 * server before `Db.layer`, as here, so that it ends first.
 *
 * @example
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Config, Db, Health, Http } from "effect-supabase-pool"
 * import { Effect, Layer } from "effect"
 * import { createServer } from "node:http"
 *
 * const laptops = HttpLayerRouter.add(
 *   "GET",
 *   "/laptops",
 *   Effect.flatMap(
 *     Db.read((client) => client.from("products").select("title, price").eq("category", "laptops")),
 *     HttpServerResponse.json
 *   )
 * )
 *
 * export const server = HttpLayerRouter.serve(Layer.merge(laptops, Http.routes)).pipe(
 *   Layer.provide(Health.layer),
 *   Layer.provide(Http.Readiness.layer),
 *   Layer.provide(NodeHttpServer.layer(() => Http.graceful(createServer()), { port: 3000 })),
 *   Layer.provide(Db.layer),
 *   Layer.provide(Config.layer)
 * )
 *
 * @since 0.1.0
 * @category layers
 */
export const routes: Layer.Layer<
  never,
  never,
  HttpLayerRouter.HttpRouter | HttpRouter.HttpRouter.DefaultServices | Services
> = Layer.suspend(() => routesOf({}))

/**
 * Some of the routes, or under a prefix: `{ parts: ["health", "metrics"] }`, `{ prefix: "/internal" }`. The pages (`docs`,
 * `dashboard`) know their own paths and cannot have a prefix.
 *
 * If another route already has the path, the start fails, and the error names both.
 *
 * @example
 * import { Http } from "effect-supabase-pool"
 *
 * // GET /internal/api/health/database and its like, and no page at /
 * export const routes = Http.routesOf({ prefix: "/internal", parts: ["health", "metrics"] })
 *
 * @since 0.1.0
 * @category layers
 */
export const routesOf = (
  options: Parts.RoutesOptions
): Layer.Layer<never, never, HttpLayerRouter.HttpRouter | HttpRouter.HttpRouter.DefaultServices | Services> =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const router = yield* HttpLayerRouter.HttpRouter
      // Of no use if the server is not known: any server can serve a router.
      const server = Option.getOrUndefined(yield* Effect.serviceOption(HttpServer.HttpServer))
      const whole = Hosts.guarded(server?.address, yield* ServerConfig)(yield* app)
      yield* Parts.mount(router, [...methodsOf.keys()], whole, options)
      yield* whileServing
    })
  ).pipe(Layer.merge(debugLog))
