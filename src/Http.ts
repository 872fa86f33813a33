/**
 * What the outside asks over HTTP: is the database there, is this process alive, may it be sent traffic.
 *
 * One `HttpApi` defines all routes. `layer` serves them on whatever `HttpServer` it is given, so that nothing in here
 * needs Node.
 *
 * @since 0.1.0
 */
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  type HttpApp,
  type HttpRouter,
  HttpServer,
  HttpServerError,
  HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { Cause, Context, Deferred, Duration, Effect, Layer, Option, Ref, Schema, type Scope } from "effect"
import { ServerConfig } from "./Config.js"
import * as Health from "./Health.js"
import * as AdminToken from "./internal/adminToken.js"
import { HealthJson, healthJson } from "./internal/healthJson.js"
import * as Pool from "./Pool.js"

const Liveness = Schema.Struct({ status: Schema.Literal("alive") })

const ReadinessJson = Schema.Struct({ status: Schema.Literal("ready", "starting", "draining", "unhealthy") })

const Database = HttpApiGroup.make("health")
  .add(
    HttpApiEndpoint.get("database", "/api/health/database")
      .addSuccess(HealthJson)
      .addError(HealthJson.annotations({ identifier: "DatabaseUnhealthy" }), { status: 503 })
  )
  .add(HttpApiEndpoint.head("databaseHead", "/api/health/database").addSuccess(Schema.Void))
  .add(HttpApiEndpoint.get("live", "/api/health/live").addSuccess(Liveness))
  .add(
    HttpApiEndpoint.get("ready", "/api/health/ready")
      .addSuccess(ReadinessJson)
      .addError(ReadinessJson.annotations({ identifier: "NotReady" }), { status: 503 })
  )

const Reset = Schema.Struct({ reset: Schema.NonNegativeInt })

const Problem = Schema.Struct({ error: Schema.String })

const Admin = HttpApiGroup.make("admin").add(
  HttpApiEndpoint.post("reset", "/api/admin/database/reset-pool")
    .addSuccess(Reset)
    .addError(Problem.annotations({ identifier: "Unauthorized" }), { status: 401 })
    .addError(Problem.annotations({ identifier: "NoAdminToken" }), { status: 404 })
)

/**
 * The definition of all routes.
 *
 * @since 0.1.0
 * @category models
 */
export class Api extends HttpApi.make("effect-supabase-pool").add(Database).add(Admin) {}

/**
 * Whether the process wants traffic, beside what the database's health says.
 *
 * @since 0.1.0
 * @category tags
 */
export class Readiness extends Context.Tag("effect-supabase-pool/Readiness")<
  Readiness,
  Ref.Ref<"ready" | "starting" | "draining">
>() {
  /** Starts as `starting`. */
  static readonly layer: Layer.Layer<Readiness> = Layer.effect(
    Readiness,
    Ref.make<"ready" | "starting" | "draining">("starting")
  )
}

const noStore = { "cache-control": "no-store" }

const statusOf = (report: Health.HealthReport): number => (report.status === "unhealthy" ? 503 : 200)

const headersOf = ({ details: { read, write }, responseTime, status }: Health.HealthReport) => ({
  ...noStore,
  "x-pool-health": status,
  "x-active-connections": String(read.active + write.active),
  "x-total-connections": String(read.total + write.total),
  "x-health-check-time": String(Duration.toMillis(responseTime))
})

const database = Effect.gen(function* () {
  const health = yield* Health.Health
  const previous = yield* health.last
  const report = yield* health.check
  return HttpServerResponse.unsafeJson(healthJson(report, previous), {
    status: statusOf(report),
    headers: headersOf(report)
  })
})

const databaseHead = Effect.map(Health.check, (report) =>
  HttpServerResponse.empty({ status: statusOf(report), headers: headersOf(report) })
)

const readiness = Effect.gen(function* () {
  const phase = yield* Effect.flatMap(Readiness, Ref.get)
  if (phase !== "ready") return phase
  const report = yield* Health.check
  return report.status === "unhealthy" ? report.status : phase
})

const readinessResponse = (status: typeof ReadinessJson.Type.status): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson({ status }, { status: status === "ready" ? 200 : 503, headers: noStore })

const ready = Effect.map(readiness, readinessResponse)

const live = HttpServerResponse.unsafeJson({ status: "alive" }, { headers: noStore })

const handlers = HttpApiBuilder.group(Api, "health", (group) =>
  group
    .handle("database", () => database)
    .handle("databaseHead", () => databaseHead)
    .handle("live", () => Effect.succeed(live))
    .handle("ready", () => ready)
)

const problem = (status: number, error: string, headers: Record<string, string> = {}) =>
  HttpServerResponse.unsafeJson({ error }, { status, headers: { ...noStore, ...headers } })

/** Without a token in the configuration the admin routes do not exist: 404, not 401. */
const asAdmin = <E, R>(
  admitted: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | ServerConfig | HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function* () {
    const { adminToken } = yield* ServerConfig
    if (Option.isNone(adminToken)) return problem(404, "Not found. Set DB_POOL_ADMIN_TOKEN to open the admin routes.")
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const given = /^Bearer +(\S+)$/i.exec(headers["authorization"] ?? "")?.[1]
    if (given === undefined || !AdminToken.matches(adminToken.value, given)) {
      return problem(401, "Send the admin token as `Authorization: Bearer …`.", { "www-authenticate": "Bearer" })
    }
    return yield* admitted
  })

const reset = Effect.gen(function* () {
  const pools = [yield* Pool.ReadPool, yield* Pool.WritePool]
  const reports = yield* Effect.forEach(pools, (pool) => pool.reset)
  const count = reports.reduce((sum, { closed, deferred }) => sum + closed + deferred, 0)
  yield* Effect.logInfo("pools reset by an administrator").pipe(Effect.annotateLogs({ connections: count }))
  return HttpServerResponse.unsafeJson({ reset: count }, { headers: noStore })
})

const admin = HttpApiBuilder.group(Api, "admin", (group) => group.handle("reset", () => asAdmin(reset)))

const pathOf = (url: string): string => url.split("?", 1)[0] ?? url

/** Which methods each path knows, from the definition. */
const methodsOf: ReadonlyMap<string, ReadonlySet<string>> = (() => {
  const methods = new Map<string, Set<string>>()
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint: { method, path } }) => {
      const known = methods.get(path) ?? new Set()
      methods.set(path, known.add(method))
      // What can be asked for can be asked about (RFC 9110 §9.3.2); the router sees to it.
      if (method === "GET") known.add("HEAD")
    }
  })
  return methods
})()

const unmatched = (url: string): HttpServerResponse.HttpServerResponse => {
  const methods = methodsOf.get(pathOf(url))
  if (methods === undefined) return problem(404, "Not found.")
  const allow = [...methods].sort().join(", ")
  return problem(405, `This route answers ${allow}.`, { allow })
}

/** Requests are routine, and so is what they ask for: they are in the log at debug level only. */
const answering = (app: HttpApp.Default): HttpApp.Default =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method, url }) =>
    app.pipe(
      Effect.catchAllCause((cause) =>
        Cause.squash(cause) instanceof HttpServerError.RouteNotFound
          ? Effect.succeed(unmatched(url))
          : Effect.failCause(cause)
      ),
      Effect.tap(({ status }) => Effect.logDebug(`${method} ${pathOf(url)} ${status}`))
    )
  )

type Services = Health.Health | Readiness | ServerConfig | Pool.ReadPool | Pool.WritePool

/**
 * Every route as one app, for who serves it by hand.
 *
 * @internal
 */
export const app: Effect.Effect<
  HttpApp.Default,
  never,
  Services | HttpRouter.HttpRouter.DefaultServices | Scope.Scope
> = Effect.gen(function* () {
  const services = yield* Effect.context<HttpRouter.HttpRouter.DefaultServices>()
  const api = yield* Layer.build(
    Layer.mergeAll(
      HttpApiBuilder.api(Api).pipe(Layer.provide(Layer.mergeAll(handlers, admin))),
      HttpApiBuilder.Router.Live,
      HttpApiBuilder.Middleware.layer
    )
  )
  const routes = yield* Effect.provide(HttpApiBuilder.httpApp, api)
  return answering(
    Effect.mapInputContext(routes, (request: Context.Context<HttpServerRequest.HttpServerRequest>) =>
      Context.merge(services, request)
    )
  )
})

/**
 * What is answered to who waited for a start that failed or was ended.
 *
 * @internal
 */
export const unavailable: HttpApp.Default = Effect.succeed(problem(503, "Shutting down."))

/**
 * Answers for a process whose database is not there yet: alive, and not ready. Who asks for anything else waits for the
 * whole app.
 *
 * @internal
 */
export const whileStarting = (whole: Deferred.Deferred<HttpApp.Default>): HttpApp.Default =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) =>
    Effect.flatMap(Deferred.isDone(whole), (done) => {
      if (!done && pathOf(url) === "/api/health/live") return Effect.succeed(live)
      if (!done && pathOf(url) === "/api/health/ready") return Effect.succeed(readinessResponse("starting"))
      return Effect.flatten(Deferred.await(whole))
    })
  )

/**
 * Serves every route on the `HttpServer` that it is given, until the scope closes.
 *
 * @example
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Config, Db, Health, Http } from "effect-supabase-pool"
 * import { Layer } from "effect"
 * import { createServer } from "node:http"
 *
 * export const server = Http.layer.pipe(
 *   Layer.provide(Health.layer),
 *   Layer.provide(Db.layer),
 *   Layer.provide(Http.Readiness.layer),
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 3000 })),
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
> = Layer.unwrapScoped(Effect.map(app, (whole) => HttpServer.serve(whole)))
