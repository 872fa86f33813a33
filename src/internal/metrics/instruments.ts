/**
 * The instruments of OpenTelemetry's conventions for database clients (v1.38, docs/db/database-metrics.md), as hooks of
 * Effect's metric registry: an exporter of that registry exports these too.
 *
 * A hook is a plain object with a synchronous `update`, looked up once. Using Effect's `Metric` for each observation would
 * cost a fiber's turn.
 */
import { Metric, MetricBoundaries, type MetricHook, MetricKey, MetricLabel } from "effect"
import type { Mode } from "../../Errors.js"

/** Values of attributes. Every instrument has its unit among them, since exporters look for it there. */
export type Attributes = Readonly<Record<string, string>>

/**
 * In seconds: the convention's advice for `db.client.operation.duration`, and more of them where time limits are, so that a quantile
 * of operations that were given up on is not half of their limit or twice that.
 */
const seconds = MetricBoundaries.fromIterable([
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1, 2.5, 5, 10, 30
])

const labels = (attributes: Attributes): ReadonlyArray<MetricLabel.MetricLabel> =>
  Object.entries(attributes).map(([name, value]) => MetricLabel.make(name, value))

/** Periods; `record` takes seconds. */
export const histogram = (name: string, description: string, attributes: Attributes): MetricHook.MetricHook.Histogram =>
  Metric.globalMetricRegistry.getHistogram(
    MetricKey.taggedWithLabels(MetricKey.histogram(name, seconds, description), labels({ unit: "s", ...attributes }))
  )

/** A counter: it only grows. */
export const counterKey = (
  name: string,
  description: string,
  unit: string,
  attributes: Attributes
): MetricKey.MetricKey.Counter<number> =>
  MetricKey.taggedWithLabels(
    MetricKey.counter(name, { description, incremental: true }),
    labels({ unit, ...attributes })
  )

/** A value that goes up and down and can be summed over several pools: OpenTelemetry's UpDownCounter. */
export const upDownKey = (
  name: string,
  description: string,
  unit: string,
  attributes: Attributes
): MetricKey.MetricKey.Counter<number> =>
  MetricKey.taggedWithLabels(MetricKey.counter(name, { description }), labels({ unit, ...attributes }))

export const gaugeKey = (
  name: string,
  description: string,
  unit: string,
  attributes: Attributes
): MetricKey.MetricKey.Gauge<number> =>
  MetricKey.taggedWithLabels(MetricKey.gauge(name, { description }), labels({ unit, ...attributes }))

export const serverAttributes = (origin: string): Attributes => {
  const { hostname, port, protocol } = new URL(origin)
  return { "server.address": hostname, "server.port": port === "" ? (protocol === "https:" ? "443" : "80") : port }
}

/** Which pool of which server. Two pools of the same kind on one server count together. */
export const poolAttributes = (mode: Mode, origin: string): Attributes => ({
  "db.client.connection.pool.name": mode,
  ...serverAttributes(origin)
})
