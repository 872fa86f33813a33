/** The records of `Metrics` about finished operations. */
import { Cause, type Clock, type Exit, Metric, type MetricHook, Option } from "effect"
import { isDbError } from "../../Errors.js"
import type { Latency, Outcome, QueryMetrics, QueryStatistics, RecentAnswers, Totals } from "../../Metrics.js"
import * as Instruments from "./instruments.js"
import type { LatencyCell } from "./latency.js"
import type { Lately, Observation } from "./observer.js"
import { type Ended, type Entry, type Limits, Queries } from "./queries.js"
import { SlidingWindow } from "./slidingWindow.js"
import { stepOf, steps } from "./spread.js"
import { beginningOf, finest, type Window } from "./windows.js"

const ended = (errorType: string, statusCode: string, isError: boolean, isFailure: boolean): Ended => ({
  errorType,
  statusCode,
  isError,
  isFailure
})

const succeeded = ended("", "", false, false)
const interrupted = ended("interrupted", "", false, false)
/** The caller's own code failed; OpenTelemetry's word for an unnamed error. */
const callersOwn = ended("_OTHER", "", false, false)

const endedOf = (exit: Exit.Exit<unknown, unknown>, outcome: Outcome): Ended => {
  if (exit._tag === "Success") return succeeded
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (!isDbError(error)) return Cause.isInterrupted(exit.cause) ? interrupted : callersOwn
  const isFailure = outcome === "failed" || outcome === "unanswered"
  if (error._tag !== "QueryError" && error._tag !== "TransactionFailed") return ended(error._tag, "", true, isFailure)
  const status = error.status === 0 ? "" : String(error.status)
  return ended(error._tag, error.code === "" ? status : error.code, true, isFailure)
}

const latencyOf = (cell: LatencyCell): Latency => ({
  count: cell.count,
  errors: cell.errors,
  failed: cell.failed,
  mean: cell.mean,
  p50: cell.percentile(0.5),
  p95: cell.percentile(0.95),
  p99: cell.percentile(0.99),
  max: cell.max
})

const busiestFirst = (left: QueryStatistics, right: QueryStatistics): number =>
  right.mean * right.count - left.mean * left.count

export class Recorder {
  private readonly window: SlidingWindow
  private readonly queries: Queries
  private readonly retries: MetricHook.MetricHook.Counter<number>
  private readonly clock: Clock.Clock
  private readonly began: number
  /** Operations by duration, since the start. */
  readonly spread: Array<number> = Array.from({ length: steps }, () => 0)
  private requests = 0
  private failures = 0

  constructor(clock: Clock.Clock, origin: string, windowSeconds: number, limits: Limits) {
    this.clock = clock
    this.began = clock.unsafeCurrentTimeMillis()
    this.window = new SlidingWindow(windowSeconds)
    this.queries = new Queries(origin, limits)
    const key = Instruments.counterKey(
      "supabase.client.retries",
      "Attempts after the first.",
      "{attempt}",
      Instruments.serverAttributes(origin)
    )
    this.retries = Metric.globalMetricRegistry.getCounter(key)
  }

  observe({ duration, exit, mode, retries, sent }: Observation, outcome: Outcome): void {
    const now = this.clock.unsafeCurrentTimeMillis()
    const end = endedOf(exit, outcome)
    this.requests += 1
    if (end.isFailure) this.failures += 1
    if (retries > 0) this.retries.update(retries)
    this.window.add(now, duration, outcome)
    const step = stepOf(duration)
    this.spread[step] = (this.spread[step] ?? 0) + 1
    this.queries.record(now, duration, mode, sent, end)
  }

  get recent(): RecentAnswers {
    return this.window.sample(this.clock.unsafeCurrentTimeMillis())
  }

  get totals(): Totals {
    return { requests: this.requests, failed: this.failures }
  }

  latency(window: Window): Latency {
    return latencyOf(this.queries.overall.sum(window, this.clock.unsafeCurrentTimeMillis()))
  }

  /** The last few seconds that are over, and at most so many queries. */
  lately(most: number): Lately {
    const now = this.clock.unsafeCurrentTimeMillis()
    const queries = this.queries.all.flatMap(({ pool, shape, windows }) => {
      const cell = windows.last(now)
      if (cell === undefined || cell.count === 0) return []
      const { count, errors, max, mean } = cell
      return [{ query: shape.text, pool, count, errors, mean, p95: cell.percentile(0.95), max }]
    })
    const busiest = queries.sort((left, right) => right.mean * right.count - left.mean * left.count)
    return { at: Math.floor(now / finest) * finest, covered: finest, queries: busiest.slice(0, most) }
  }

  queryMetrics(window: Window): QueryMetrics {
    const now = this.clock.unsafeCurrentTimeMillis()
    return {
      window,
      covered: Math.max(0, now - Math.max(this.began, beginningOf(window, now))),
      total: this.latency(window),
      queries: this.queries.all
        .map((entry) => statisticsOf(entry, window, now))
        .filter(({ count }) => count > 0)
        .sort(busiestFirst),
      slow: this.queries
        .slowest(window, now)
        .map(({ at, error, millis, query }) => ({ query, duration: millis, at, error }))
    }
  }
}

const statisticsOf = ({ pool, shape, windows }: Entry, window: Window, now: number): QueryStatistics => ({
  query: shape.text,
  operation: shape.operation,
  name: shape.name,
  pool,
  ...latencyOf(windows.sum(window, now))
})
