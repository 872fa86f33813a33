/** The results of a load test, beside the guide's targets. */

export type PresetName = "development" | "production" | "highLoad"

/** Response time in ms (mean), throughput per second, parts of 1. */
export interface Targets {
  readonly responseTime: number
  readonly throughput: number
  readonly errorRate: number
  readonly utilization: number
}

export const targets: Readonly<Record<PresetName, Targets>> = {
  development: { responseTime: 100, throughput: 100, errorRate: 0.01, utilization: 0.6 },
  production: { responseTime: 50, throughput: 1_000, errorRate: 0.001, utilization: 0.7 },
  highLoad: { responseTime: 30, throughput: 5_000, errorRate: 0.0005, utilization: 0.8 }
}

/** The result of one preset. */
export interface Run {
  readonly preset: PresetName
  /** Arrivals per second, and how many arrived. */
  readonly rate: number
  readonly arrived: number
  /** Operations per second that the server carried before the run, if that was measured to choose the rate. */
  readonly carried?: number | undefined
  /** In ms from each caller's intended arrival, of those that succeeded. */
  readonly latencies: ReadonlyArray<number>
  readonly failed: number
  /** Names of the errors, and how often. */
  readonly errors: Readonly<Record<string, number>>
  /** From the first arrival to the last answer, in ms. */
  readonly elapsed: number
  /** Active ÷ open connections, the mean of samples taken while callers arrived. */
  readonly utilization: number
  /** Connections that were still lent, or callers still in the queue, when every operation had ended. */
  readonly unreturned: number
}

/** The smallest value that a part `q` of 1 does not exceed; 0 of nothing. `sorted` ascends. */
export const percentile = (sorted: ReadonlyArray<number>, q: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * q) - 1)] ?? 0

export interface Line {
  readonly metric: "response time" | "throughput" | "error rate" | "utilization"
  readonly target: number
  readonly measured: number
  readonly met: boolean
}

export interface Verdict {
  readonly preset: PresetName
  readonly rate: number
  readonly arrived: number
  readonly carried?: number | undefined
  readonly succeeded: number
  readonly failed: number
  /** Operations that ended neither in a result nor in an error. */
  readonly lost: number
  readonly unreturned: number
  readonly errors: Readonly<Record<string, number>>
  readonly lines: ReadonlyArray<Line>
  readonly latency: {
    readonly mean: number
    readonly p50: number
    readonly p90: number
    readonly p95: number
    readonly p99: number
    readonly p999: number
    readonly max: number
  }
}

export const verdict = (run: Run): Verdict => {
  const target = targets[run.preset]
  const sorted = [...run.latencies].sort((a, b) => a - b)
  const succeeded = sorted.length
  const ended = succeeded + run.failed
  const mean = succeeded === 0 ? 0 : sorted.reduce((sum, latency) => sum + latency, 0) / succeeded
  const throughput = run.elapsed === 0 ? 0 : (succeeded * 1_000) / run.elapsed
  const errorRate = ended === 0 ? 0 : run.failed / ended
  const below = (metric: Line["metric"], measured: number, limit: number): Line => ({
    metric,
    target: limit,
    measured,
    met: measured < limit
  })
  return {
    preset: run.preset,
    rate: run.rate,
    arrived: run.arrived,
    carried: run.carried,
    succeeded,
    failed: run.failed,
    lost: run.arrived - ended,
    unreturned: run.unreturned,
    errors: run.errors,
    lines: [
      { ...below("response time", mean, target.responseTime), met: succeeded > 0 && mean < target.responseTime },
      // The number of random arrivals varies a little around the target's rate.
      {
        metric: "throughput",
        target: target.throughput,
        measured: throughput,
        met: throughput >= target.throughput * 0.97
      },
      below("error rate", errorRate, target.errorRate),
      below("utilization", run.utilization, target.utilization)
    ],
    latency: {
      mean,
      p50: percentile(sorted, 0.5),
      p90: percentile(sorted, 0.9),
      p95: percentile(sorted, 0.95),
      p99: percentile(sorted, 0.99),
      p999: percentile(sorted, 0.999),
      max: sorted.at(-1) ?? 0
    }
  }
}

/** Missed targets depend on the server as much as on the pool; this depends on the pool alone. */
export const isSound = ({ lost, unreturned }: Verdict): boolean => lost === 0 && unreturned === 0

const ms = (value: number): string => `${value.toFixed(1)} ms`
const percent = (value: number): string => `${(value * 100).toFixed(2)} %`

const show = {
  "response time": ms,
  throughput: (n: number) => `${n.toFixed(0)}/s`,
  "error rate": percent,
  utilization: percent
}

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/**
 * If fewer callers arrived than the target says, the pool was not tested at it; a server at its limit makes everything
 * worse.
 */
const missed = ({ metric }: Line, { carried, preset, rate }: Verdict): string => {
  if (rate >= targets[preset].throughput) return "missed"
  if (metric !== "throughput") return carried === undefined ? "missed" : "missed: the server is near its limit"
  return carried === undefined
    ? `missed: callers arrived at ${rate.toFixed(0)}/s`
    : `missed: the server is the limit, it carries ${carried.toFixed(0)}/s`
}

const lineOf = (line: Line, found: Verdict): ReadonlyArray<string> => [
  line.metric,
  `${line.metric === "throughput" ? "" : "< "}${show[line.metric](line.target)}`,
  show[line.metric](line.measured),
  line.met ? "met" : missed(line, found)
]

export const textOf = (found: Verdict): string => {
  const { arrived, errors, failed, latency, lost, preset, rate, succeeded, unreturned } = found
  const named = Object.entries(errors).map(([name, count]) => `${name} ${count}`)
  return [
    `${preset}: ${arrived} operations at ${rate.toFixed(0)} per second`,
    table([["", "target", "measured", ""], ...found.lines.map((line) => lineOf(line, found))]),
    table([
      ["latency", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"],
      ["ms", latency.mean, latency.p50, latency.p90, latency.p95, latency.p99, latency.p999, latency.max].map(
        (value) => (typeof value === "number" ? value.toFixed(1) : value)
      )
    ]),
    `${succeeded} succeeded, ${failed} failed${named.length === 0 ? "" : ` (${named.join(", ")})`}, ${lost} lost, ${unreturned} connections not returned`
  ].join("\n")
}
