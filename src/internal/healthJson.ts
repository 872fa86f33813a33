import { DateTime, Duration, Option, Schema } from "effect"
import type { HealthReport } from "../Health.js"

const Status = Schema.Literal("healthy", "degraded", "unhealthy")

const Count = Schema.NonNegativeInt

/** The body of `GET /api/health/database`: the guide's, field for field. Times are ms, rates 0 to 1. */
export const HealthJson = Schema.Struct({
  status: Status,
  timestamp: Schema.String,
  responseTime: Schema.Number,
  database: Schema.Struct({
    connection: Schema.Struct({
      status: Schema.Literal("connected", "disconnected"),
      responseTime: Schema.Number,
      poolStatus: Schema.String.annotations({ description: "active connections of the most there can be" })
    }),
    pool: Schema.Struct({
      health: Status,
      connections: Schema.Struct({ total: Count, active: Count, idle: Count, pending: Count }),
      performance: Schema.Struct({
        totalRequests: Count,
        failedRequests: Count,
        averageResponseTime: Schema.Number.annotations({ description: "ms, of the last minute" }),
        errorRate: Schema.Number.annotations({ description: "0 to 1, of the last minute" })
      }),
      monitoring: Schema.Struct({
        connectionLeaks: Count,
        lastHealthCheck: Schema.String,
        uptimeSeconds: Count
      })
    })
  })
}).annotations({ identifier: "DatabaseHealth" })

export type HealthJson = typeof HealthJson.Type

const iso = (millis: number): string => DateTime.formatIso(DateTime.unsafeMake(millis))

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits))

/** `previous` is the background check before this one, if there was one. */
export const healthJson = (report: HealthReport, previous: Option.Option<HealthReport>): HealthJson => {
  const { read, totals, write, ...details } = report.details
  const time = Option.getOrElse(details.connectionTime, () => Duration.zero)
  const active = read.active + write.active
  return {
    status: report.status,
    timestamp: iso(report.timestamp),
    responseTime: Duration.toMillis(report.responseTime),
    database: {
      connection: {
        status: details.canConnect ? "connected" : "disconnected",
        responseTime: Duration.toMillis(time),
        poolStatus: `${active}/${read.max + write.max} active`
      },
      pool: {
        health: report.status,
        connections: {
          total: read.total + write.total,
          active,
          idle: read.idle + write.idle,
          pending: read.pending + write.pending
        },
        performance: {
          totalRequests: totals.requests,
          failedRequests: totals.failed,
          averageResponseTime: rounded(Duration.toMillis(details.averageResponseTime), 1),
          errorRate: rounded(details.errorRate, 6)
        },
        monitoring: {
          connectionLeaks: read.leaks + write.leaks,
          lastHealthCheck: iso(Option.getOrElse(previous, () => report).timestamp),
          uptimeSeconds: Math.floor(Duration.toSeconds(details.uptime))
        }
      }
    }
  }
}
