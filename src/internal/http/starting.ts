/** A server's answers before its database is ready, and after its start has failed. */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Deferred, Effect } from "effect"
import * as HealthRoutes from "./healthRoutes.js"
import { pathOf, problem } from "./responses.js"

/**
 * The answer to requests that waited for a start that failed or was interrupted.
 */
export const unavailable: HttpApp.Default = Effect.succeed(problem(503, "Shutting down."))

/**
 * Answers for a process whose database is not ready yet: alive, and not ready. All other requests wait for the whole app.
 */
export const whileStarting = (whole: Deferred.Deferred<HttpApp.Default>): HttpApp.Default =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) =>
    Effect.flatMap(Deferred.isDone(whole), (done) => {
      if (!done && pathOf(url) === "/api/health/live") return Effect.succeed(HealthRoutes.live)
      if (!done && pathOf(url) === "/api/health/ready")
        return Effect.succeed(HealthRoutes.readinessResponse("starting"))
      return Effect.flatten(Deferred.await(whole))
    })
  )
