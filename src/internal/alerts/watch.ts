/** Takes samples periodically, and announces the results of the rules. */
import { Clock, type Duration, Effect, Ref, Schedule, type Scope } from "effect"
import type { AlertEvent, Sample } from "../../Alerts.js"
import type { HealthReport } from "../../Health.js"
import { leaksOf, unansweredOf, utilizationOf } from "../health/sample.js"
import { forkBackground } from "../shared/asyncContext.js"
import { oneLine, withoutSecrets } from "../shared/text.js"
import { monotonic } from "../shared/time.js"
import * as Board from "./board.js"

export const sampleOf = ({ details, status, timestamp }: HealthReport): Sample => {
  const { averageResponseTime, canConnect, error, errorRate, read, reasons, write } = details
  return {
    at: timestamp,
    status,
    reasons,
    canConnect,
    error,
    errorRate,
    averageResponseTime,
    utilization: utilizationOf(read, write),
    leaks: leaksOf(read, write, timestamp),
    unanswered: unansweredOf(read, write),
    read,
    write
  }
}

export const logEvent = ({ alert, sample, type }: AlertEvent): Effect.Effect<void> => {
  const detail = alert.detail === "" ? "" : `: ${alert.detail}`
  const line =
    type === "resolved"
      ? Effect.logInfo(`alert resolved: ${alert.summary}`)
      : Effect.logWarning(`alert${type === "reminded" ? " lasts" : ""}: ${alert.summary}${detail}`)
  const { read, write } = sample
  return Effect.annotateLogs(line, {
    alert: alert.rule,
    severity: alert.severity,
    connections: `${read.active + write.active}/${read.total + write.total}`,
    pending: read.pending + write.pending
  })
}

interface Parts {
  readonly check: Effect.Effect<HealthReport>
  readonly board: Ref.Ref<Board.Board>
  readonly rules: ReturnType<typeof Board.prepare>
  readonly interval: Duration.Duration
  readonly tell: (event: AlertEvent) => Effect.Effect<void>
}

export const run = (parts: Parts): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const broken = new Set<string>()
    const logBroken = ({ error, rule }: Board.Turn["broken"][number]): Effect.Effect<void> => {
      if (broken.has(rule)) return Effect.void
      broken.add(rule)
      const words = withoutSecrets(oneLine(String(error)))
      return Effect.logWarning(`the alert rule ${rule} throws; this is not logged again: ${words}`)
    }
    const once = Effect.gen(function* () {
      const sample = sampleOf(yield* parts.check)
      const now = yield* Clock.clockWith((clock) => Effect.sync(() => monotonic(clock)))
      const turn = yield* Ref.modify(parts.board, (board) => {
        const next = Board.turn(parts.rules, board, sample, now)
        return [next, next.board]
      })
      yield* Effect.forEach(turn.broken, logBroken, { discard: true })
      yield* Effect.forEach(turn.events, parts.tell, { discard: true })
    })
    yield* once.pipe(
      // One failed sample must not end the watch.
      Effect.catchAllCause((cause) => Effect.logError("checking the alert rules failed", cause)),
      Effect.repeat(Schedule.fixed(parts.interval)),
      forkBackground
    )
  })
