import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Context, Effect, Layer, Option, Schedule, Stream } from "effect"
import * as Alerts from "../../Alerts.js"
import { ServerConfig } from "../../Config.js"
import * as Health from "../../Health.js"
import * as Metrics from "../../Metrics.js"
import * as Pool from "../../Pool.js"
import { heartbeat } from "../feed/sse.js"
import * as AdminToken from "./adminToken.js"
import { Admission, Api } from "./api.js"
import * as Hub from "./hub.js"
import * as Limits from "./limits.js"
import { hangUpOn } from "./nodeRequest.js"
import { json, noStore, problem } from "./responses.js"

const missing = "The admin token is missing. Send it as `Authorization: Bearer <token>`."

const wrong =
  "This is not the admin token. It is the value of DB_POOL_ADMIN_TOKEN, or the token printed at the start, which changes with each start."

/** The challenge is RFC 6750's: with an error only where a token was sent. */
const unauthorized = (error: string, challenge: string): HttpServerResponse.HttpServerResponse =>
  problem(401, error, { "www-authenticate": challenge })

type Refusing = ServerConfig | Limits.Guesses | HttpServerRequest.HttpServerRequest

/**
 * The answer to anyone who is not an administrator. Without a token in the configuration the routes do not exist: 404, not
 * 401.
 */
const refusal: Effect.Effect<Option.Option<HttpServerResponse.HttpServerResponse>, never, Refusing> = Effect.gen(
  function* () {
    const { adminToken } = yield* ServerConfig
    if (Option.isNone(adminToken)) {
      return Option.some(problem(404, "Not found. Set DB_POOL_ADMIN_TOKEN to open the admin routes."))
    }
    const locked = yield* Limits.tooManyGuesses
    if (Option.isSome(locked)) return locked
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const given = /^Bearer +(\S+)$/i.exec(headers["authorization"] ?? "")?.[1]
    if (given === undefined) return Option.some(unauthorized(missing, "Bearer"))
    yield* Limits.slowedDown
    if (AdminToken.matches(adminToken.value, given)) return Option.none()
    yield* Limits.guessedWrong
    return Option.some(unauthorized(wrong, 'Bearer error="invalid_token"'))
  }
)

/** For answers outside of the definition. */
export const asAdmin = <E, R>(
  admitted: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | Refusing> =>
  Effect.flatMap(refusal, (refused) => (Option.isNone(refused) ? admitted : Effect.succeed(refused.value)))

/** Ends a refused request with the answer itself, which has headers; errors of the definition have no headers. */
const admission: Layer.Layer<Admission, never, ServerConfig | Limits.Guesses> = Layer.effect(
  Admission,
  Effect.map(Effect.context<ServerConfig | Limits.Guesses>(), (services) =>
    Effect.provide(
      Effect.flatMap(refusal, (refused) => (Option.isNone(refused) ? Effect.void : Effect.die(refused.value))),
      services
    )
  )
)

const reset = Effect.gen(function* () {
  const pools = [yield* Pool.ReadPool, yield* Pool.WritePool]
  const reports = yield* Effect.forEach(pools, (pool) => pool.reset)
  const count = reports.reduce((sum, { closed, deferred }) => sum + closed + deferred, 0)
  yield* Effect.logInfo("pools reset by an administrator").pipe(Effect.annotateLogs({ connections: count }))
  return json({ reset: count })
})

const queries = (window: Metrics.Window) => Effect.map(Metrics.queryMetrics(window), (report) => json(report))

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

const crowded = problem(
  503,
  `${Hub.mostListeners} event streams are open, which is the limit. Close one, and try again.`,
  { "retry-after": "5" }
)

const events = (lastId: Option.Option<string>, withHistory: boolean) =>
  Effect.gen(function* () {
    const { follow } = yield* Events
    const hangUp = hangUpOn(yield* HttpServerRequest.HttpServerRequest)
    // In the scope of the request, which ends when it was answered or its client has disconnected.
    const followed = yield* follow({ lastId, withHistory, hangUp })
    if (Option.isNone(followed)) return crowded
    const messages = Stream.merge(followed.value, heartbeats, { haltStrategy: "left" })
    return HttpServerResponse.stream(Stream.encodeText(messages), {
      contentType: "text/event-stream",
      // The stream ends only when the server does, and its socket must not outlive it. Nginx is not to hold it back.
      headers: { ...noStore, connection: "close", "x-accel-buffering": "no" }
    })
  })

export const handlers = HttpApiBuilder.group(Api, "admin", (group) =>
  group
    .handle("reset", () => reset)
    .handle("metrics", ({ urlParams }) => queries(urlParams.window))
    .handle("events", ({ headers, urlParams }) =>
      events(Option.fromNullable(headers["last-event-id"]), urlParams.history === "true")
    )
).pipe(Layer.provide(Layer.merge(Events.layer, Layer.provide(admission, Limits.Guesses.layerDefault))))
