import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Context, Effect, Layer, Option, Schedule, Stream } from "effect"
import * as Alerts from "../../Alerts.js"
import { ServerConfig } from "../../Config.js"
import * as Health from "../../Health.js"
import * as Metrics from "../../Metrics.js"
import * as Pool from "../../Pool.js"
import * as AdminToken from "../adminToken.js"
import { encode, heartbeat } from "../feed/sse.js"
import { Api } from "./api.js"
import * as Hub from "./hub.js"
import * as Limits from "./limits.js"
import { noStore, problem } from "./responses.js"

const missing = "The admin token is missing. Send it as `Authorization: Bearer <token>`."

const wrong =
  "This is not the admin token. It is the value of DB_POOL_ADMIN_TOKEN, or what the start printed, which is new after each start."

/** The challenge is RFC 6750's: with an error only where a token was sent. */
const unauthorized = (error: string, challenge: string): HttpServerResponse.HttpServerResponse =>
  problem(401, error, { "www-authenticate": challenge })

/** Without a token in the configuration the admin routes do not exist: 404, not 401. */
export const asAdmin = <E, R>(
  admitted: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  E,
  R | ServerConfig | Limits.Guesses | HttpServerRequest.HttpServerRequest
> =>
  Effect.gen(function* () {
    const { adminToken } = yield* ServerConfig
    if (Option.isNone(adminToken)) return problem(404, "Not found. Set DB_POOL_ADMIN_TOKEN to open the admin routes.")
    const locked = yield* Limits.tooManyGuesses
    if (Option.isSome(locked)) return locked.value
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const given = /^Bearer +(\S+)$/i.exec(headers["authorization"] ?? "")?.[1]
    if (given === undefined) return unauthorized(missing, "Bearer")
    if (AdminToken.matches(adminToken.value, given)) return yield* admitted
    yield* Limits.guessedWrong
    return unauthorized(wrong, 'Bearer error="invalid_token"')
  })

const reset = Effect.gen(function* () {
  const pools = [yield* Pool.ReadPool, yield* Pool.WritePool]
  const reports = yield* Effect.forEach(pools, (pool) => pool.reset)
  const count = reports.reduce((sum, { closed, deferred }) => sum + closed + deferred, 0)
  yield* Effect.logInfo("pools reset by an administrator").pipe(Effect.annotateLogs({ connections: count }))
  return HttpServerResponse.unsafeJson({ reset: count }, { headers: noStore })
})

const queries = (window: Metrics.Window) =>
  Effect.map(Metrics.queryMetrics(window), (report) => HttpServerResponse.unsafeJson(report, { headers: noStore }))

class Events extends Context.Tag("effect-supabase-pool/internal/Events")<Events, Hub.Hub>() {
  static readonly layer = Layer.scoped(
    Events,
    Effect.gen(function* () {
      return yield* Hub.make({
        read: yield* Pool.ReadPool,
        write: yield* Pool.WritePool,
        metrics: yield* Metrics.Metrics,
        health: yield* Health.Health,
        alerts: yield* Effect.serviceOption(Alerts.Alerts)
      })
    })
  )
}

const heartbeats = Stream.as(Stream.fromSchedule(Schedule.spaced("15 seconds")), heartbeat)

const events = (lastId: Option.Option<string>, withHistory: boolean) =>
  Effect.map(Events, ({ follow }) => {
    const messages = Stream.map(follow(lastId, withHistory), encode)
    return HttpServerResponse.stream(Stream.encodeText(Stream.merge(messages, heartbeats, { haltStrategy: "left" })), {
      contentType: "text/event-stream",
      // The stream ends only when the server does, and its socket must not outlive it. Nginx is not to hold it back.
      headers: { ...noStore, connection: "close", "x-accel-buffering": "no" }
    })
  })

export const handlers = HttpApiBuilder.group(Api, "admin", (group) =>
  group
    .handle("reset", () => asAdmin(reset))
    .handle("metrics", ({ urlParams }) => asAdmin(queries(urlParams.window)))
    .handle("events", ({ headers, urlParams }) =>
      asAdmin(events(Option.fromNullable(headers["last-event-id"]), urlParams.history === "true"))
    )
).pipe(Layer.provide(Layer.merge(Events.layer, Limits.Guesses.layer)))
