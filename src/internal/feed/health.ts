import { Schema } from "effect"
import { PoolLimit, sinceStart } from "./wire.js"

const Status = Schema.Literal("healthy", "degraded", "unhealthy")

const Count = Schema.NonNegativeInt

const Total = Count.annotations({ description: sinceStart })

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
      limit: Schema.optional(Schema.Struct({ read: PoolLimit, write: PoolLimit })).annotations({
        description: "only where DB_POOL_ADAPTIVE is on"
      }),
      performance: Schema.Struct({
        totalRequests: Total,
        failedRequests: Total,
        averageResponseTime: Schema.Number.annotations({ description: "ms, of the last minute" }),
        errorRate: Schema.Number.annotations({ description: "0 to 1, of the last minute" })
      }),
      monitoring: Schema.Struct({
        connectionLeaks: Total,
        lastHealthCheck: Schema.String,
        uptimeSeconds: Count
      })
    })
  })
}).annotations({ identifier: "DatabaseHealth" })

export type HealthJson = typeof HealthJson.Type
