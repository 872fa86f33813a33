import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Duration, Effect, Ref } from "effect"
import * as Health from "../../Health.js"
import * as Metrics from "../../Metrics.js"
import { healthJson } from "../health/json.js"
import { Api, type ReadinessJson } from "./api.js"
import { limited } from "./limits.js"
import { Readiness } from "./readiness.js"
import { json, noStore } from "./responses.js"

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
  return json(healthJson(report, previous), {
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

export const readinessResponse = (status: typeof ReadinessJson.Type.status): HttpServerResponse.HttpServerResponse =>
  json({ status }, { status: status === "ready" ? 200 : 503 })

export const live = json({ status: "alive" })

export const handlers = HttpApiBuilder.group(Api, "health", (group) =>
  group
    .handle("database", () => limited(database))
    .handle("databaseHead", () => limited(databaseHead))
    .handle("live", () => Effect.succeed(live))
    .handle("ready", () => Effect.map(readiness, readinessResponse))
)

export const prometheus = HttpApiBuilder.group(Api, "prometheus", (group) =>
  group.handle("metrics", () =>
    Effect.map(Metrics.prometheus, (text) =>
      HttpServerResponse.text(text, { contentType: Metrics.prometheusContentType, headers: noStore })
    )
  )
)
