import { DateTime, Duration, Option } from "effect"
import type { HealthReport } from "../../Health.js"
import type { HealthJson } from "../feed/health.js"

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
        ...(read.limit === undefined || write.limit === undefined
          ? {}
          : { limit: { read: read.limit, write: write.limit } }),
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
