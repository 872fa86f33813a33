/** The messages of the event stream: one definition for the server that sends them and for every reader. */
import { Schema } from "effect"
import { EventType } from "../audit/eventType.js"

const Count = Schema.NonNegativeInt

/** Counters: shown as a total since the start, or as a rate, and never as a current value. */
export const sinceStart = "since the process started"

const Total = Count.annotations({ description: sinceStart })

const Mode = Schema.Literal("read", "write")

const Status = Schema.Literal("healthy", "degraded", "unhealthy")

/** How many may be under way at once; absent where nothing limits that. */
export const PoolLimit = Schema.Struct({
  value: Schema.Number.annotations({ description: "below 1: one at a time, with a break after each" }),
  reason: Schema.Literal("start", "free", "queueing", "refused").annotations({ description: "what moved it last" }),
  said: Schema.String.annotations({ description: "code or status of the last refusal; empty without one" })
}).annotations({ identifier: "PoolLimit" })

/** One pool at one moment. */
export const PoolSample = Schema.Struct({
  min: Count,
  max: Count,
  active: Count,
  idle: Count,
  pending: Count,
  connecting: Count,
  reachable: Schema.Boolean,
  created: Total,
  closed: Total,
  acquired: Total,
  timeouts: Total,
  overloaded: Total,
  leaks: Total,
  connectFailures: Total,
  longestHeld: Schema.Number.annotations({ description: "ms" }),
  limit: Schema.optional(PoolLimit),
  oldestRequest: Schema.optional(
    Schema.Struct({
      age: Schema.Number.annotations({ description: "ms" }),
      query: Schema.String.annotations({ description: "without values; empty below a second" }),
      holder: Schema.String.annotations({ description: "the span, or the fiber, that sent it" })
    }).annotations({ identifier: "OldestRequest" })
  ).annotations({ description: "the oldest request without an answer; absent without one" }),
  oldestWait: Schema.optional(Schema.Number).annotations({
    description: "ms that the first in the queue has waited; absent when nobody waits"
  }),
  unanswered: Schema.optional(Schema.Number).annotations({
    description: "ms for which nothing was answered that was asked; absent when all was"
  })
}).annotations({ identifier: "PoolSample" })

export type PoolSample = typeof PoolSample.Type

const Percentile = Schema.NullOr(Schema.Number).annotations({ description: "ms; null without operations" })

/** Operations of both pools. */
const OperationsSample = Schema.Struct({
  perSecond: Schema.Number.annotations({ description: "since the sample before" }),
  total: Total,
  failed: Total,
  errorRate: Schema.Number.annotations({ description: "0 to 1, of the last minute" }),
  mean: Schema.Number.annotations({ description: "ms, of the last minute" }),
  p50: Percentile,
  p95: Percentile,
  p99: Percentile,
  spread: Schema.optional(Schema.Array(Schema.Tuple(Count, Count))).annotations({
    description:
      "durations since the sample before: step (see spread.ts) and number of operations; absent without metrics"
  })
}).annotations({ identifier: "OperationsSample" })

export const Alert = Schema.Struct({
  rule: Schema.String,
  severity: Schema.Literal("info", "warning", "critical"),
  summary: Schema.String,
  detail: Schema.String,
  since: Schema.Number,
  fineSince: Schema.optional(Schema.Number).annotations({
    description: "when the condition stopped holding; absent while it holds"
  })
}).annotations({ identifier: "Alert" })

export type Alert = typeof Alert.Type

/** A rule whose condition holds, and which fires if it lasts. */
const PendingAlert = Schema.Struct({
  rule: Schema.String,
  severity: Schema.Literal("info", "warning", "critical"),
  summary: Schema.String,
  detail: Schema.String,
  since: Schema.Number,
  firesAt: Schema.Number
}).annotations({ identifier: "PendingAlert" })

export type PendingAlert = typeof PendingAlert.Type

/** The whole state at one moment. */
export const Sample = Schema.Struct({
  at: Schema.Number.annotations({ description: "ms since the epoch" }),
  status: Status,
  reasons: Schema.Array(Schema.String).annotations({ description: "why the status is not healthy" }),
  uptime: Schema.Number.annotations({ description: "ms" }),
  read: PoolSample,
  write: PoolSample,
  operations: OperationsSample,
  alerts: Schema.Array(Alert).annotations({ description: "the alerts that fire now" }),
  pending: Schema.optional(Schema.Array(PendingAlert)).annotations({
    description: "rules that fire if it lasts; absent where no rules are watched"
  })
}).annotations({ identifier: "Sample" })

export type Sample = typeof Sample.Type

/** The operations of a few seconds by query, those with the most time first. */
export const Lately = Schema.Struct({
  at: Schema.Number.annotations({ description: "the end of that time, in ms since the epoch" }),
  covered: Schema.Number.annotations({ description: "ms" }),
  queries: Schema.Array(
    Schema.Struct({
      query: Schema.String,
      pool: Mode,
      count: Count,
      errors: Count,
      mean: Schema.Number.annotations({ description: "ms" }),
      p95: Schema.Number.annotations({ description: "ms" }),
      max: Schema.Number.annotations({ description: "ms" })
    })
  )
}).annotations({ identifier: "QueriesLately" })

export type Lately = typeof Lately.Type

/** A connection event. */
export const Happened = Schema.Struct({
  type: EventType,
  pool: Mode,
  connectionId: Schema.String,
  at: Schema.Number,
  holder: Schema.String.annotations({
    description: "the span, or the fiber, that holds or held it; empty if there was no holder"
  }),
  held: Schema.Number.annotations({ description: "ms" }),
  age: Schema.Number.annotations({ description: "ms since it was opened" }),
  reason: Schema.String.annotations({ description: "why it could not be opened; empty otherwise" })
}).annotations({ identifier: "ConnectionEvent" })

export type Happened = typeof Happened.Type

export const AlertTold = Schema.Struct({
  type: Schema.Literal("fired", "reminded", "resolved"),
  at: Schema.Number,
  alert: Alert
}).annotations({ identifier: "AlertEvent" })

export type AlertTold = typeof AlertTold.Type

/** The first message of every connection. */
export const Hello = Schema.Struct({
  process: Schema.String.annotations({ description: "changes when the server was restarted" }),
  resumed: Schema.Boolean.annotations({ description: "false: what follows begins with the history" })
})

export type Hello = typeof Hello.Type

const Millis = Schema.Number.annotations({ description: "ms" })

export const Window = Schema.Literal("minute", "hour", "day")

export type Window = typeof Window.Type

const figures = {
  count: Count,
  errors: Count,
  failed: Count.annotations({ description: "errors that count against the pool or the database" }),
  mean: Millis,
  p50: Millis,
  p95: Millis,
  p99: Millis,
  max: Millis
}

/** The operations of the last minutes, without any of their values. */
export const QueryReport = Schema.Struct({
  window: Window,
  covered: Millis.annotations({ description: "ms of the past that the figures cover" }),
  total: Schema.Struct(figures).annotations({ identifier: "Latency" }),
  queries: Schema.Array(
    Schema.Struct({
      query: Schema.String,
      operation: Schema.String,
      name: Schema.String.annotations({ description: "of the table, view or function" }),
      pool: Mode,
      ...figures
    }).annotations({ identifier: "QueryStatistics" })
  ).annotations({ description: "by normalised query; ordered by total time, largest first" }),
  slow: Schema.Array(
    Schema.Struct({
      query: Schema.String,
      duration: Millis,
      at: Schema.Number.annotations({ description: "ms since the epoch" }),
      error: Schema.String.annotations({ description: "name of the error; empty after a success" })
    }).annotations({ identifier: "SlowQuery" })
  ).annotations({ description: "the slowest first" })
}).annotations({ identifier: "QueryReport" })

export type QueryReport = typeof QueryReport.Type
