/** The server of `npm start` and `supabase-pool serve`: reads the environment, wires the layers, says where things are. */
import { createServer } from "node:http"
import { HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Console, Context, Duration, Effect, Layer, Logger, Option, Redacted, Ref, Schedule } from "effect"
import { type ConfigInvalid, type Loaded, load, PoolConfig, ServerConfig, SupabaseConfig } from "../Config.js"
import * as Db from "../Db.js"
import { Embedded, type EmbeddedStartFailed } from "../embedded.js"
import * as Health from "../Health.js"
import * as Http from "../Http.js"
import * as Pool from "../Pool.js"
import * as AdminToken from "./adminToken.js"

/** How long the start waits for the minimum of connections; a database that is away must not keep the server away. */
const warmUpLimit = Duration.seconds(3)

const isWarm = ({ min, reachable, total }: Pool.PoolMetrics): boolean => total >= min || !reachable

/** Serve when the pools are open, so that the first who asks sees them open. */
const warmUp: Effect.Effect<void, never, Pool.ReadPool | Pool.WritePool> = Effect.gen(function* () {
  const pools = [yield* Pool.ReadPool, yield* Pool.WritePool]
  yield* Effect.forEach(pools, (pool) => pool.metrics).pipe(
    Effect.repeat({ until: (metrics) => metrics.every(isWarm), schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutOption(warmUpLimit)
  )
})

const database = (loaded: Loaded): Layer.Layer<SupabaseConfig, EmbeddedStartFailed> =>
  Option.match(loaded.supabase, {
    onNone: () =>
      Layer.unwrapEffect(
        Effect.as(
          Effect.logInfo("SUPABASE_URL is not set: starting an embedded Supabase, which takes a few seconds"),
          Embedded.layer
        )
      ),
    onSome: (supabase) => Layer.succeed(SupabaseConfig, supabase)
  })

/** An embedded start has an operator at the keyboard, so it gets a token of its own. */
const server = (loaded: Loaded): Layer.Layer<ServerConfig> =>
  Layer.effect(
    ServerConfig,
    Option.isSome(loaded.server.adminToken) || Option.isSome(loaded.supabase)
      ? Effect.succeed(loaded.server)
      : Effect.map(AdminToken.make, (token) => ({ ...loaded.server, adminToken: Option.some(token) }))
  )

const everything = (loaded: Loaded) => {
  const { host, port } = loaded.server
  const listening = NodeHttpServer.layer(createServer, { host, port })
  const http = Layer.unwrapEffect(Effect.as(warmUp, Layer.provideMerge(Http.layer, listening)))
  return http.pipe(
    Layer.provideMerge(Health.layer),
    Layer.provideMerge(Db.layer),
    Layer.provideMerge(Layer.mergeAll(Http.Readiness.layer, server(loaded), Layer.succeed(PoolConfig, loaded.pool))),
    Layer.provideMerge(database(loaded))
  )
}

const announce = (database: string, token: Option.Option<Redacted.Redacted>) =>
  HttpServer.addressFormattedWith((address) =>
    Console.log(
      [
        `database    ${database}`,
        `health      ${address}/api/health/database`,
        `liveness    ${address}/api/health/live`,
        `readiness   ${address}/api/health/ready`,
        `reset       POST ${address}/api/admin/database/reset-pool`,
        Option.match(token, {
          onNone: () => "admin token not set (DB_POOL_ADMIN_TOKEN): the admin routes answer 404",
          onSome: (value) => `admin token ${Redacted.value(value)}`
        })
      ].join("\n")
    )
  )

const run = (loaded: Loaded) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(everything(loaded))
    const readiness = Context.get(context, Http.Readiness)
    yield* Effect.addFinalizer(() => Effect.zipRight(Ref.set(readiness, "draining"), Effect.logInfo("shutting down")))
    yield* Ref.set(readiness, "ready")
    const { url } = Context.get(context, SupabaseConfig)
    const embedded = Option.isNone(loaded.supabase) ? " (embedded)" : ""
    const { adminToken } = Context.get(context, ServerConfig)
    // A token from the environment is known to whoever set it and has no place on a screen.
    const shown = Option.isSome(loaded.server.adminToken)
      ? Option.some(Redacted.make("as in DB_POOL_ADMIN_TOKEN"))
      : adminToken
    yield* Effect.provide(announce(`${url}${embedded}`, shown), context)
    return yield* Effect.never
  }).pipe(Effect.scoped, Effect.provide(Logger.minimumLogLevel(loaded.server.logLevel)))

/** Runs until interrupted. */
export const serve = Effect.flatMap(load, run)

export type ServeError = ConfigInvalid | EmbeddedStartFailed
