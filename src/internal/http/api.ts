import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import { Schema } from "effect"
import { prometheusContentType } from "../../Metrics.js"
import { HealthJson } from "../feed/health.js"
import { QueryReport, Window } from "../feed/wire.js"
import { version } from "../shared/version.js"

const Liveness = Schema.Struct({ status: Schema.Literal("alive") })

export const ReadinessJson = Schema.Struct({ status: Schema.Literal("ready", "starting", "draining", "unhealthy") })

const describe = (summary: string, description = summary) => OpenApi.annotations({ summary, description })

const Problem = Schema.Struct({ error: Schema.String })

const TooManyRequests = Problem.annotations({ identifier: "TooManyRequests" })

/** The schema of an error without a body matches every such error, so these are described and not defined. */
const withoutBody = OpenApi.annotations({
  override: {
    responses: {
      "200": { description: "Healthy or degraded" },
      "429": { description: "TooManyRequests" },
      "503": { description: "Unhealthy" }
    }
  }
})

const Database = HttpApiGroup.make("health")
  .add(
    HttpApiEndpoint.get("database", "/api/health/database")
      .addSuccess(HealthJson)
      .addError(HealthJson.annotations({ identifier: "DatabaseUnhealthy" }), { status: 503 })
      .addError(TooManyRequests, { status: 429 })
      .annotateContext(
        describe(
          "Health of database and pools",
          "Sends the database one small query. 200 when healthy or degraded, 503 when unhealthy. The verdict and the connections are in the headers X-Pool-Health, X-Active-Connections, X-Total-Connections and X-Health-Check-Time too."
        )
      )
  )
  .add(
    HttpApiEndpoint.head("databaseHead", "/api/health/database")
      .addSuccess(HttpApiSchema.Empty(200))
      .annotateContext(describe("The same status and headers, without a body"))
      .annotateContext(withoutBody)
  )
  .add(
    HttpApiEndpoint.get("live", "/api/health/live")
      .addSuccess(Liveness)
      .annotateContext(describe("Whether the process runs"))
  )
  .add(
    HttpApiEndpoint.get("ready", "/api/health/ready")
      .addSuccess(ReadinessJson)
      .addError(ReadinessJson.annotations({ identifier: "NotReady" }), { status: 503 })
      .annotateContext(
        describe("Whether to send traffic", "503 while the process starts or drains, and while the database is away.")
      )
  )
  .annotateContext(OpenApi.annotations({ description: "For load balancers and people; open to everybody." }))

const Reset = Schema.Struct({ reset: Schema.NonNegativeInt })

const Unauthorized = Problem.annotations({ identifier: "Unauthorized" })
const NoAdminToken = Problem.annotations({ identifier: "NoAdminToken" })

/**
 * Checks the admin token before any part of the request is decoded: without a token nobody learns anything about it. An
 * `HttpApiSecurity` could not choose between 404 and 401 by the configuration.
 */
export class Admission extends HttpApiMiddleware.Tag<Admission>()("effect-supabase-pool/internal/Admission") {}

/** Documents what `Admission` does. */
const asksForToken = OpenApi.annotations({ override: { security: [{ adminToken: [] }] } })

const tokenIsBearer = (spec: Record<string, unknown>): Record<string, unknown> => ({
  ...spec,
  components: Object.assign({}, spec["components"], {
    securitySchemes: { adminToken: { type: "http", scheme: "bearer", description: "DB_POOL_ADMIN_TOKEN" } }
  })
})

const Prometheus = HttpApiGroup.make("prometheus", { topLevel: true })
  .add(
    HttpApiEndpoint.get("metrics", "/metrics")
      .addSuccess(HttpApiSchema.Text({ contentType: prometheusContentType }))
      .annotateContext(
        describe(
          "Metrics for Prometheus",
          "Names and units are those of OpenTelemetry's conventions for database clients."
        )
      )
  )
  .annotateContext(OpenApi.annotations({ description: "For a scraper; open to everybody, so keep the port inside." }))

const Admin = HttpApiGroup.make("admin")
  .add(
    HttpApiEndpoint.post("reset", "/api/admin/database/reset-pool")
      .addSuccess(Reset)
      .annotateContext(
        describe(
          "Replace every connection",
          "Idle connections close at once, busy ones when they come back; no operation fails."
        )
      )
  )
  .add(
    HttpApiEndpoint.get("metrics", "/api/admin/database/metrics")
      .setUrlParams(Schema.Struct({ window: Schema.optionalWith(Window, { default: () => "minute" }) }))
      .addSuccess(QueryReport)
      .annotateContext(
        describe(
          "Queries of the last minute, hour or day",
          "By normalised query, without any value; slow ones with their time."
        )
      )
  )
  .add(
    HttpApiEndpoint.get("events", "/api/admin/database/events")
      .setHeaders(
        Schema.Struct({
          "last-event-id": Schema.optional(Schema.String).annotations({
            description: "Go on after this message instead of beginning with the history."
          })
        })
      )
      .setUrlParams(
        Schema.Struct({
          history: Schema.optionalWith(Schema.Literal("true", "false"), { default: () => "true" }).annotations({
            description: "false: begin with what happens now."
          })
        })
      )
      .addSuccess(HttpApiSchema.Text({ contentType: "text/event-stream" }))
      .annotateContext(
        describe(
          "What happens, as it happens",
          "Server-sent events: `hello` first, then `sample` every second, `connection` when one is made, closed, leaked or reclaimed, `alert` when one fires or is resolved. Begins with the last five minutes."
        )
      )
  )
  .addError(Unauthorized, { status: 401 })
  .addError(NoAdminToken, { status: 404 })
  .addError(TooManyRequests, { status: 429 })
  .middleware(Admission)
  .annotateEndpointsContext(asksForToken)
  .annotateContext(
    OpenApi.annotations({
      description:
        "Send the admin token as `Authorization: Bearer …`. Without DB_POOL_ADMIN_TOKEN these routes answer 404."
    })
  )

/**
 * The definition of all routes.
 *
 * @since 0.1.0
 * @category models
 */
export class Api extends HttpApi.make("effect-supabase-pool")
  .add(Database)
  .add(Prometheus)
  .add(Admin)
  .annotateContext(
    OpenApi.annotations({
      title: "effect-supabase-pool",
      version,
      description: "Health, metrics and administration of the connection pools.",
      transform: tokenIsBearer
    })
  ) {}
