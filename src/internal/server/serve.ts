/** The server of `npm start` and `supabase-pool serve`: reads the environment, wires the layers, prints the addresses. */

import type { HttpApp } from "@effect/platform"
import { FetchHttpClient, HttpServer } from "@effect/platform"
import { NodeContext, NodeHttpServer } from "@effect/platform-node"
import { Console, Context, Deferred, Duration, Effect, Layer, Logger, Option, Redacted, Ref, Schedule } from "effect"
import * as Alerts from "../../Alerts.js"
import { type ConfigInvalid, type Loaded, load, PoolConfig, ServerConfig, SupabaseConfig } from "../../Config.js"
import * as Db from "../../Db.js"
import { Embedded, type EmbeddedStartFailed } from "../../embedded.js"
import * as Health from "../../Health.js"
import * as Http from "../../Http.js"
import * as Pool from "../../Pool.js"
import { debugLog } from "../audit/debugLog.js"
import * as AdminToken from "../http/adminToken.js"
import * as Hosts from "../http/hosts.js"
import { Guesses } from "../http/limits.js"
import { Dashboard } from "../http/page.js"
import * as Starting from "../http/starting.js"
import * as LoadOperations from "../load/loadOperations.js"
import { period } from "../shared/text.js"
import * as DashboardBuild from "./dashboardBuild.js"
import * as Demo from "./demo.js"
import * as HttpListener from "./httpListener.js"

/** How long the start waits for the minimum of connections; an unreachable database must not stop the server. */
const warmUpLimit = Duration.seconds(3)

const isWarm = ({ min, reachable, total }: Pool.PoolMetrics): boolean => total >= min || !reachable

/** Serves when the pools are open, so that the first request sees them open. */
const warmUp: Effect.Effect<void, never, Pool.ReadPool | Pool.WritePool> = Effect.gen(function* () {
  const pools = [yield* Pool.ReadPool, yield* Pool.WritePool]
  yield* Effect.forEach(pools, (pool) => pool.metrics).pipe(
    Effect.repeat({ until: (metrics) => metrics.every(isWarm), schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutOption(warmUpLimit)
  )
})

const progress = Effect.logInfo("still starting the embedded Supabase").pipe(
  Effect.delay("10 seconds"),
  Effect.forever,
  Effect.forkScoped
)

const embedded: Layer.Layer<SupabaseConfig, EmbeddedStartFailed> = Layer.scopedContext(
  Effect.gen(function* () {
    yield* Effect.logInfo("SUPABASE_URL is not set: starting an embedded Supabase, which takes a few seconds")
    const scope = yield* Effect.scope
    const [took, context] = yield* Effect.scoped(
      Effect.zipRight(progress, Effect.timed(Layer.buildWithScope(Embedded.layer, scope)))
    )
    yield* Effect.logInfo(`the embedded Supabase took ${period(took)} to start`)
    return context
  })
)

const database = (loaded: Loaded): Layer.Layer<SupabaseConfig, EmbeddedStartFailed> =>
  Option.match(loaded.supabase, {
    onNone: () => embedded,
    onSome: (supabase) => Layer.succeed(SupabaseConfig, supabase)
  })

/** An embedded start has an operator at the keyboard, so it gets its own token. */
const server = (loaded: Loaded): Layer.Layer<ServerConfig> =>
  Layer.effect(
    ServerConfig,
    Option.isSome(loaded.server.adminToken) || Option.isSome(loaded.supabase)
      ? Effect.succeed(loaded.server)
      : Effect.map(AdminToken.make, (token) => ({ ...loaded.server, adminToken: Option.some(token) }))
  )

/** Each sample sends the database one small query, so there are no alerts if health checks are off. */
const alerts = ({ pool }: Loaded) =>
  pool.enableHealthChecks ? Layer.provide(Alerts.layerServer, FetchHttpClient.layer) : Layer.empty

const services = (loaded: Loaded) =>
  Layer.effectDiscard(warmUp).pipe(
    Layer.provideMerge(alerts(loaded)),
    Layer.provideMerge(Layer.merge(Health.layer, debugLog)),
    Layer.provideMerge(Db.layer),
    Layer.provideMerge(Layer.mergeAll(server(loaded), Layer.succeed(PoolConfig, loaded.pool))),
    Layer.provideMerge(database(loaded))
  )

const announcement = (
  address: string,
  loaded: Loaded,
  { url }: Context.Tag.Service<SupabaseConfig>,
  { adminToken }: Context.Tag.Service<ServerConfig>
): string => {
  // The user knows a token from the environment, so it is not printed.
  const token = Option.isSome(loaded.server.adminToken)
    ? Option.some("as in DB_POOL_ADMIN_TOKEN")
    : Option.map(adminToken, Redacted.value)
  // Browsers do not send the fragment of a URL.
  const page =
    Option.isNone(loaded.server.adminToken) && Option.isSome(adminToken)
      ? `${address}/#token=${encodeURIComponent(Redacted.value(adminToken.value))}`
      : `${address}/`
  return [
    `dashboard   ${page}`,
    `database    ${url} (${Option.isNone(loaded.supabase) ? "embedded; " : ""}the base URL for supabase-js, not a page)`,
    `health      ${address}/api/health/database`,
    `liveness    ${address}/api/health/live`,
    `readiness   ${address}/api/health/ready`,
    `metrics     ${address}/metrics`,
    `API         ${address}/docs (${address}/openapi.json)`,
    `queries     ${address}/api/admin/database/metrics`,
    `events      ${address}/api/admin/database/events`,
    `reset       POST ${address}/api/admin/database/reset-pool`,
    ...(Option.isNone(loaded.supabase) ? [`try         ${address}/demo/search?query=laptop`] : []),
    Option.match(token, {
      onNone: () => "admin token not set (DB_POOL_ADMIN_TOKEN): the admin routes answer 404",
      onSome: (value) => `admin token ${value}`
    })
  ].join("\n")
}

/**
 * Layers end in reverse order of their start, except HTTP: it listens before anything else starts, and stops before anything
 * else does. Then the pools drain, then the embedded database stops.
 */
const run = (loaded: Loaded, { load: rate }: ServeOptions) =>
  Effect.gen(function* () {
    const { host, port } = loaded.server
    const whole = yield* Deferred.make<HttpApp.Default>()
    const readiness = yield* Ref.make<"ready" | "starting" | "draining">("starting")
    const { server, stop } = yield* HttpListener.make(host, port, (server) =>
      Effect.provideService(
        HttpServer.serveEffect(Hosts.guarded(server.address, loaded.server)(Starting.whileStarting(whole))),
        HttpServer.HttpServer,
        server
      )
    )
    const stopHttp = Effect.gen(function* () {
      yield* Ref.set(readiness, "draining")
      yield* Effect.logInfo("shutting down")
      yield* Deferred.succeed(whole, Starting.unavailable)
      yield* stop
    })
    const dashboard = yield* DashboardBuild.make
    const context = yield* Layer.build(services(loaded)).pipe(Effect.onError(() => stopHttp))
    yield* Effect.addFinalizer(() => stopHttp)
    const app = Option.isNone(loaded.supabase) ? Effect.flatMap(Http.app, Demo.before) : Http.app
    yield* app.pipe(
      // One count of wrong tokens for all routes.
      Effect.provideServiceEffect(Guesses, Guesses.make),
      Effect.provideService(Dashboard, { state: Option.some(dashboard.state) }),
      Effect.provide(Context.add(context, Http.Readiness, readiness)),
      Effect.flatMap((app) => Deferred.succeed(whole, app))
    )
    yield* Ref.set(readiness, "ready")
    const address = HttpServer.formatAddress(server.address)
    yield* Console.log(
      announcement(address, loaded, Context.get(context, SupabaseConfig), Context.get(context, ServerConfig))
    )
    if (rate !== undefined) {
      const operation = Option.isNone(loaded.supabase) ? LoadOperations.own : LoadOperations.theirs
      yield* Effect.forkScoped(Effect.provide(LoadOperations.forever(rate, operation), context))
      yield* Effect.logInfo(`${rate} callers per second arrive until this server stops`)
    }
    // After everything else, so that it does not slow the first start.
    yield* dashboard.build
    return yield* Effect.never
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.mergeAll(NodeHttpServer.layerContext, NodeContext.layer, Logger.minimumLogLevel(loaded.server.logLevel))
    )
  )

export interface ServeOptions {
  /** Callers per second, made in this process, so that its pools and its dashboard have something to show. */
  readonly load?: number | undefined
}

/** Runs until interrupted. */
export const serve = (options: ServeOptions = {}): Effect.Effect<never, ServeError> =>
  Effect.flatMap(load, (loaded) => run(loaded, options))

export type ServeError = ConfigInvalid | EmbeddedStartFailed | HttpListener.ListenFailed
