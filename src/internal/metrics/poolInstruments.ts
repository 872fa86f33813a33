/** A pool's metrics in Effect's metric registry. */
import { Duration, Effect, type MetricHook, type Scope } from "effect"
import type { Mode } from "../../Errors.js"
import { type Attributes, counterKey, gaugeKey, histogram, poolAttributes, upDownKey } from "./instruments.js"
import * as LazyMetrics from "./lazyMetrics.js"

/** The figures of `PoolMetrics` that are exported. */
export interface Figures {
  readonly min: number
  readonly max: number
  readonly active: number
  readonly idle: number
  readonly pending: number
  readonly reachable: boolean
  readonly created: number
  readonly closed: number
  readonly timeouts: number
  readonly overloaded: number
  readonly leaks: number
  readonly connectFailures: number
  readonly longestHeld: Duration.Duration
  readonly limit?: { readonly value: number; readonly reason: string }
}

/** Periods in a connection's life, in ms; each is called where it ends. */
export interface Periods {
  readonly created: (millis: number) => void
  readonly waited: (millis: number) => void
  readonly used: (millis: number) => void
}

const inSeconds =
  (hook: MetricHook.MetricHook.Histogram): ((millis: number) => void) =>
  (millis) =>
    hook.update(millis / 1_000)

export const periods = (mode: Mode, origin: string): Periods => {
  const attributes = poolAttributes(mode, origin)
  const period = (name: string, description: string) => inSeconds(histogram(name, description, attributes))
  return {
    created: period("db.client.connection.create_time", "How long it took to open a connection."),
    waited: period("db.client.connection.wait_time", "How long an operation waited for a connection."),
    used: period("db.client.connection.use_time", "How long a connection was lent.")
  }
}

interface Row {
  readonly name: string
  readonly unit: string
  readonly description: string
  readonly value: (figures: Figures) => number
  readonly attributes?: Attributes
}

const count = "db.client.connection.count"
const countMeans = "Open connections, by state."

/** OpenTelemetry's up-down counters. */
const levels: ReadonlyArray<Row> = [
  {
    name: count,
    unit: "{connection}",
    description: countMeans,
    value: ({ idle }) => idle,
    attributes: { "db.client.connection.state": "idle" }
  },
  {
    name: count,
    unit: "{connection}",
    description: countMeans,
    value: ({ active }) => active,
    attributes: { "db.client.connection.state": "used" }
  },
  {
    name: "db.client.connection.idle.max",
    unit: "{connection}",
    description: "The most connections that may be idle.",
    value: ({ max }) => max
  },
  {
    name: "db.client.connection.idle.min",
    unit: "{connection}",
    description: "The fewest connections that the pool keeps open.",
    value: ({ min }) => min
  },
  {
    name: "db.client.connection.max",
    unit: "{connection}",
    description: "The most connections that may be open.",
    value: ({ max }) => max
  },
  {
    name: "db.client.connection.pending_requests",
    unit: "{request}",
    description: "Operations that wait for a connection.",
    value: ({ pending }) => pending
  }
]

/** Counters: OpenTelemetry's first, then our own. */
const counts: ReadonlyArray<Row> = [
  {
    name: "db.client.connection.timeouts",
    unit: "{timeout}",
    description: "Operations that got no connection in time.",
    value: ({ timeouts }) => timeouts
  },
  {
    name: "supabase.pool.connections.created",
    unit: "{connection}",
    description: "Connections that were opened.",
    value: ({ created }) => created
  },
  {
    name: "supabase.pool.connections.closed",
    unit: "{connection}",
    description: "Connections that were closed.",
    value: ({ closed }) => closed
  },
  {
    name: "supabase.pool.connect_failures",
    unit: "{attempt}",
    description: "Attempts to open a connection that failed.",
    value: ({ connectFailures }) => connectFailures
  },
  {
    name: "supabase.pool.rejections",
    unit: "{operation}",
    description: "Operations that were refused because too many waited.",
    value: ({ overloaded }) => overloaded
  },
  {
    name: "supabase.pool.leaks",
    unit: "{connection}",
    description: "Connections that were held too long and taken back.",
    value: ({ leaks }) => leaks
  }
]

/** Registers until the scope closes. `read` is called when the registry is read. */
export const show = (mode: Mode, origin: string, read: () => Figures): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => shown(mode, origin, read)),
      (ends) =>
        Effect.sync(() => {
          for (const end of ends) end()
        })
    )
  )

const reasons = ["start", "free", "queueing", "refused"]

/** The limit, and 1 for what moved it last. */
const limits = (pool: Attributes, read: () => Figures): ReadonlyArray<() => void> => {
  if (read().limit === undefined) return []
  const limit = gaugeKey("supabase.pool.limit", "How many operations may be under way at once.", "{operation}", pool)
  const moved = (reason: string) =>
    gaugeKey("supabase.pool.limit.reason", "1 for what moved the limit last, else 0.", "{state}", { ...pool, reason })
  return [
    LazyMetrics.gauge(limit, "least", () => read().limit?.value ?? 0),
    ...reasons.map((reason) =>
      LazyMetrics.gauge(moved(reason), "most", () => (read().limit?.reason === reason ? 1 : 0))
    )
  ]
}

const shown = (mode: Mode, origin: string, read: () => Figures): ReadonlyArray<() => void> => {
  const pool = poolAttributes(mode, origin)
  const counter = (key: typeof upDownKey, { attributes, description, name, unit, value }: Row) =>
    LazyMetrics.counter(key(name, description, unit, { ...pool, ...attributes }), () => value(read()))
  const reachable = gaugeKey("supabase.pool.reachable", "1 while connections can be opened, else 0.", "{state}", pool)
  const held = gaugeKey("supabase.pool.longest_held", "How long the longest-lent connection has been lent.", "s", pool)
  return [
    ...limits(pool, read),
    ...levels.map((row) => counter(upDownKey, row)),
    ...counts.map((row) => counter(counterKey, row)),
    LazyMetrics.gauge(reachable, "least", () => (read().reachable ? 1 : 0)),
    LazyMetrics.gauge(held, "most", () => Duration.toSeconds(read().longestHeld))
  ]
}
