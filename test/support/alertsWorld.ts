import { Data, Duration, Effect, HashMap, Layer, Logger, LogLevel, Option, TestClock } from "effect"
import * as Alerts from "../../src/Alerts.js"
import * as Health from "../../src/Health.js"
import type * as Pool from "../../src/Pool.js"

export const poolMetrics = (pool: "read" | "write", active: number): Pool.PoolMetrics => ({
  pool,
  min: 5,
  max: 10,
  total: 10,
  active,
  idle: 10 - active,
  pending: 0,
  connecting: 0,
  reachable: true,
  created: 10,
  closed: 0,
  acquired: 100,
  timeouts: 0,
  overloaded: 0,
  leaks: 0,
  lastLeak: Number.NEGATIVE_INFINITY,
  lateReturns: 0,
  connectFailures: 0,
  longestHeld: Duration.zero
})

export type Details = Health.HealthReport["details"]

const report = (timestamp: number, change: Partial<Details>): Health.HealthReport => {
  const details: Details = {
    canConnect: true,
    connectionTime: Option.some(Duration.millis(3)),
    error: Option.none(),
    reasons: [],
    read: poolMetrics("read", 6),
    write: poolMetrics("write", 2),
    totals: { requests: 100, failed: 0 },
    errorRate: 0,
    averageResponseTime: Duration.millis(12),
    uptime: Duration.minutes(5),
    ...change
  }
  return { status: details.canConnect ? "healthy" : "unhealthy", timestamp, responseTime: Duration.millis(3), details }
}

export const sample = (change: Partial<Details> = {}): Alerts.Sample => Alerts.sampleOf(report(1_000_000, change))

export const down: Partial<Details> = { canConnect: false, error: Option.some("connect ECONNREFUSED 127.0.0.1:5432") }

/** A health check whose findings a test sets. */
export class Patient {
  details: Partial<Details> = {}
  checks = 0
  readonly layer: Layer.Layer<Health.Health> = Layer.succeed(Health.Health, {
    check: Effect.flatMap(Effect.clock, (clock) =>
      Effect.sync(() => {
        this.checks += 1
        return report(clock.unsafeCurrentTimeMillis(), this.details)
      })
    ),
    last: Effect.succeedNone
  })
}

/** A sink that keeps what it is told. */
export class Notebook {
  readonly events: Array<Alerts.AlertEvent> = []
  readonly sink: Alerts.Sink = { name: "a notebook", send: (event) => Effect.sync(() => this.events.push(event)) }
  get words(): ReadonlyArray<string> {
    return this.events.map(({ alert, type }) => `${type} ${alert.rule}`)
  }
}

export interface Line {
  readonly level: string
  readonly message: string
  readonly annotations: Record<string, unknown>
}

export const logging = (lines: Array<Line>): Layer.Layer<never> =>
  Layer.merge(
    Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ annotations, cause, logLevel, message }) => {
        lines.push({
          level: logLevel.label,
          message: `${String(message)}${cause._tag === "Empty" ? "" : String(cause)}`,
          annotations: Object.fromEntries(HashMap.toEntries(annotations))
        })
      })
    ),
    Logger.minimumLogLevel(LogLevel.All)
  )

/** A second of virtual time, and a turn of the event loop for what is on its way through sockets and promises. */
export const second = Effect.zipRight(
  TestClock.adjust("1 second"),
  Effect.promise(() => new Promise(setImmediate))
)

export const passSeconds = (count: number): Effect.Effect<void> => Effect.asVoid(Effect.replicateEffect(second, count))

export class Refusal extends Data.TaggedError("Refusal")<{ readonly message: string }> {}

export const always: Alerts.Rule = { name: "always", severity: "info", when: () => true, holdFor: 0 }

export const names = (alerts: ReadonlyArray<Alerts.Alert>): ReadonlyArray<string> => alerts.map(({ rule }) => rule)
