/** What the Promise API says about the pools, in plain values: numbers are counts or milliseconds, times are ISO 8601. */
import { Duration, Option } from "effect"
import { assess, type HealthReport, type Status } from "../../Health.js"
import type { QueryMetrics as Measured, Recent, Totals } from "../../Metrics.js"
import type { PoolMetrics } from "../../Pool.js"
import { canConnectOf, errorRateOf, healthSample } from "../health/sample.js"
import type { Running } from "./host.js"

/**
 * Both pools together.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolStatus {
  readonly poolHealth: Status
  /** Open connections: active and idle. */
  readonly totalConnections: number
  readonly activeConnections: number
  readonly idleConnections: number
  /** Operations that wait for a connection. */
  readonly pendingRequests: number
  /** The most connections that may be open. */
  readonly maxConnections: number
  /** The fuller pool's active connections as a share of its maximum, 0 to 1. */
  readonly utilization: number
  /** Connections that were reclaimed because somebody kept them. */
  readonly connectionLeaks: number
  readonly totalRequests: number
  readonly failedRequests: number
  /** Mean of the last minute, in ms; waiting and retries included. */
  readonly averageResponseTime: number
  /** Of the last minute, 0 to 1. */
  readonly errorRate: number
  /** How long the pools have been up, in ms; 0 when they are not. */
  readonly uptime: number
  /** When the database was last asked whether it is there; null if it was not. */
  readonly lastHealthCheck: string | null
}

/**
 * @since 0.1.0
 * @category models
 */
export interface DatabaseHealth {
  readonly status: Status
  readonly timestamp: string
  /** How long the check took, in ms. */
  readonly responseTime: number
  readonly details: {
    readonly canConnect: boolean
    /** How long the database took to answer, in ms; null when it could not be asked. */
    readonly connectionTime: number | null
    /** Why the database could not be reached. */
    readonly error: string | null
    /** Why the status is not `healthy`. */
    readonly reasons: ReadonlyArray<string>
    readonly pool: PoolStatus
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SlowQuery {
  /** Its shape, with `?` for each value. */
  readonly query: string
  /** In ms. */
  readonly executionTime: number
  readonly timestamp: string
}

/**
 * The operations of one shape; times are in ms, waiting and retries included.
 *
 * @since 0.1.0
 * @category models
 */
export interface QueryFigures {
  /** Its shape, with `?` for each value. */
  readonly query: string
  readonly count: number
  readonly errors: number
  readonly averageExecutionTime: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface QueryMetrics {
  readonly window: "minute" | "hour" | "day"
  /** How much of the window the figures cover, in ms: less while the pools are younger. */
  readonly covered: number
  readonly totalQueries: number
  readonly failedQueries: number
  /** In ms; waiting and retries included. */
  readonly averageExecutionTime: number
  readonly p95: number
  readonly p99: number
  /** 0 to 1. */
  readonly errorRate: number
  /** By the time that they took altogether, the most first. */
  readonly queries: ReadonlyArray<QueryFigures>
  /** Longer than half a second; at most 20, the slowest first. */
  readonly slowQueries: ReadonlyArray<SlowQuery>
}

/** Of pools that are not up: nobody has asked for anything yet, or they were shut down. */
export const notStarted: PoolStatus = {
  poolHealth: "healthy",
  totalConnections: 0,
  activeConnections: 0,
  idleConnections: 0,
  pendingRequests: 0,
  maxConnections: 0,
  utilization: 0,
  connectionLeaks: 0,
  totalRequests: 0,
  failedRequests: 0,
  averageResponseTime: 0,
  errorRate: 0,
  uptime: 0,
  lastHealthCheck: null
}

export interface Figures {
  readonly read: PoolMetrics
  readonly write: PoolMetrics
  readonly totals: Totals
  readonly recent: Counts
  readonly last: Option.Option<HealthReport>
  readonly since: number
  readonly now: number
}

const iso = (millis: number): string => new Date(millis).toISOString()

/** As much of the recent past as is shown here. */
type Counts = Pick<Recent, "count" | "failed" | "mean">

/** The verdict of this moment: the last check's answer to "is it there", everything else as it is now. */
export const statusOf = ({ last, now, read, recent, since, totals, write }: Figures): PoolStatus => {
  const sample = healthSample(read, write, recent, now)
  const { status } = assess({ canConnect: canConnectOf(read, write, last), ...sample })
  return {
    poolHealth: status,
    totalConnections: read.total + write.total,
    activeConnections: read.active + write.active,
    idleConnections: read.idle + write.idle,
    pendingRequests: read.pending + write.pending,
    maxConnections: read.max + write.max,
    utilization: sample.utilization,
    connectionLeaks: read.leaks + write.leaks,
    totalRequests: totals.requests,
    failedRequests: totals.failed,
    averageResponseTime: recent.mean,
    errorRate: sample.errorRate,
    uptime: Math.max(0, now - since),
    lastHealthCheck: Option.getOrNull(Option.map(last, ({ timestamp }) => iso(timestamp)))
  }
}

export const healthOf = (report: HealthReport, pool: PoolStatus): DatabaseHealth => {
  const { canConnect, connectionTime, error, reasons } = report.details
  return {
    status: report.status,
    timestamp: iso(report.timestamp),
    responseTime: Duration.toMillis(report.responseTime),
    details: {
      canConnect,
      connectionTime: Option.getOrNull(Option.map(connectionTime, Duration.toMillis)),
      error: Option.getOrNull(error),
      reasons,
      pool
    }
  }
}

/** Of pools that are not up. */
export const noQueries = (window: QueryMetrics["window"]): QueryMetrics => ({
  window,
  covered: 0,
  totalQueries: 0,
  failedQueries: 0,
  averageExecutionTime: 0,
  p95: 0,
  p99: 0,
  errorRate: 0,
  queries: [],
  slowQueries: []
})

export const queryMetricsOf = ({ covered, queries, slow, total, window }: Measured): QueryMetrics => ({
  window,
  covered,
  totalQueries: total.count,
  failedQueries: total.failed,
  averageExecutionTime: total.mean,
  p95: total.p95,
  p99: total.p99,
  errorRate: errorRateOf(total),
  queries: queries.map(({ count, errors, mean, p50, p95, p99, query }) => ({
    query,
    count,
    errors,
    averageExecutionTime: mean,
    p50,
    p95,
    p99
  })),
  slowQueries: slow.map(({ at, duration, query }) => ({ query, executionTime: duration, timestamp: iso(at) }))
})

export const figuresOf = ({ health, metrics, operations, read, sync, write }: Running): Figures => ({
  read: sync(read.metrics),
  write: sync(write.metrics),
  totals: sync(metrics.totals),
  recent: sync(metrics.recent),
  last: sync(health.last),
  since: metrics.since,
  now: operations.now()
})
