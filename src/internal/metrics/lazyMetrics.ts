/**
 * Metrics that compute their value when the registry is read, so that they cost nothing otherwise.
 *
 * Effect's registry has no such kind. It keeps one hook object per key and calls its `get` for each snapshot, so the
 * hook's `get` is replaced by one that adds up its sources: the pools that have registered under that key.
 */
import { GlobalValue, Metric, type MetricHook, type MetricKey, MetricState } from "effect"

type Read = () => number

class Sources {
  private readonly reads: Set<Read> = new Set()
  /** The counts of sources that have ended: a counter never goes back. */
  private past = 0

  add(read: Read): void {
    this.reads.add(read)
  }

  remove(read: Read, keep: boolean): void {
    if (keep && this.reads.has(read)) this.past += read()
    this.reads.delete(read)
  }

  get sum(): number {
    let sum = this.past
    for (const read of this.reads) sum += read()
    return sum
  }

  /** 0 without sources. */
  get least(): number {
    return this.reads.size === 0 ? 0 : Math.min(...[...this.reads].map((read) => read()))
  }

  get most(): number {
    return Math.max(0, ...[...this.reads].map((read) => read()))
  }
}

/** By hook, and shared by every copy of this package in the process, as the registry is. */
const known = GlobalValue.globalValue(
  "effect-supabase-pool/Metrics/pulled",
  (): WeakMap<MetricHook.MetricHook.Untyped, Sources> => new WeakMap()
)

const sourcesOf = (hook: MetricHook.MetricHook.Untyped, replaceGet: (sources: Sources) => void): Sources => {
  const before = known.get(hook)
  if (before !== undefined) return before
  const sources = new Sources()
  known.set(hook, sources)
  replaceGet(sources)
  return sources
}

/** Removes a source. */
type End = () => void

const begin = (sources: Sources, read: Read, keep: boolean): End => {
  sources.add(read)
  return () => sources.remove(read, keep)
}

/** Adds `read` to the metric's value until the source ends; in a counter its last value stays. */
export const counter = (key: MetricKey.MetricKey.Counter<number>, read: Read): End => {
  const hook = Metric.globalMetricRegistry.getCounter(key)
  const sources = sourcesOf(hook, (all) => Object.assign(hook, { get: () => MetricState.counter(all.sum) }))
  return begin(sources, read, key.keyType.incremental)
}

/** With several sources the gauge shows the worst: the smallest or the largest value. */
export const gauge = (key: MetricKey.MetricKey.Gauge<number>, worst: "least" | "most", read: Read): End => {
  const hook = Metric.globalMetricRegistry.getGauge(key)
  const sources = sourcesOf(hook, (all) => Object.assign(hook, { get: () => MetricState.gauge(all[worst]) }))
  return begin(sources, read, false)
}
