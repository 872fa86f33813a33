/**
 * A snapshot of Effect's metric registry as Prometheus reads it (text format 0.0.4), named as OpenTelemetry's
 * compatibility document says: dots become underscores, the unit becomes a suffix, counters end in `_total`.
 */
import { type MetricKey, MetricKeyType, type MetricPair, MetricState, Option } from "effect"

/** Units as words (UCUM to Prometheus). Text in braces is a remark and not a unit. */
const units: Readonly<Record<string, string>> = {
  s: "seconds",
  ms: "milliseconds",
  us: "microseconds",
  ns: "nanoseconds",
  min: "minutes",
  h: "hours",
  d: "days",
  By: "bytes",
  KiBy: "kibibytes",
  MiBy: "mebibytes",
  "%": "percent",
  milliseconds: "milliseconds",
  seconds: "seconds",
  nanoseconds: "nanoseconds"
}

type Labels = ReadonlyArray<readonly [name: string, value: string]>

const sanitized = (name: string): string => {
  const clean = name.replace(/[^a-zA-Z0-9_:]+/g, "_").replace(/_+/g, "_")
  return /^[0-9]/.test(clean) ? `_${clean}` : clean
}

const labelName = (name: string): string => sanitized(name).replaceAll(":", "_")

const escapedHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")

const escapedValue = (text: string): string => escapedHelp(text).replaceAll('"', '\\"')

const number = (value: number | bigint): string => {
  if (value === Number.POSITIVE_INFINITY) return "+Inf"
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
}

const sample = (name: string, labels: Labels, value: number | bigint): string => {
  const inner = labels.map(([key, text]) => `${key}="${escapedValue(text)}"`).join(",")
  return `${name}${inner === "" ? "" : `{${inner}}`} ${number(value)}`
}

type Kind = "counter" | "gauge" | "histogram" | "summary"

const isUnit = (name: string): boolean => name === "unit" || name === "time_unit"

const unitOf = ({ tags }: MetricKey.MetricKey.Untyped): string => tags.find(({ key }) => isUnit(key))?.value ?? ""

const kindOf = ({ keyType }: MetricKey.MetricKey.Untyped): Kind => {
  if (MetricKeyType.isHistogramKey(keyType)) return "histogram"
  if (MetricKeyType.isSummaryKey(keyType)) return "summary"
  if (MetricKeyType.isFrequencyKey(keyType)) return "counter"
  return MetricKeyType.isCounterKey(keyType) && keyType.incremental ? "counter" : "gauge"
}

const suffixed = (name: string, suffix: string): string =>
  suffix === "" || name.endsWith(`_${suffix}`) ? name : `${name}_${suffix}`

/** `1` is a ratio for gauges, and has no suffix for counters. */
const nameOf = (key: MetricKey.MetricKey.Untyped, kind: Kind, unit: string): string => {
  const word = unit === "1" && kind === "gauge" && MetricKeyType.isGaugeKey(key.keyType) ? "ratio" : (units[unit] ?? "")
  const name = suffixed(sanitized(key.name), word)
  return kind === "counter" ? suffixed(name, "total") : name
}

/** Two names that become equal without their dots keep both values, as OpenTelemetry requires. */
const labelsOf = ({ tags }: MetricKey.MetricKey.Untyped): Labels => {
  const labels = new Map<string, string>()
  for (const { key, value } of tags) {
    if (isUnit(key)) continue
    const name = labelName(key)
    const before = labels.get(name)
    labels.set(name, before === undefined ? value : `${before};${value}`)
  }
  return [...labels]
}

const samplesOf = (
  name: string,
  labels: Labels,
  metricState: MetricState.MetricState.Untyped
): ReadonlyArray<string> => {
  if (MetricState.isCounterState(metricState)) return [sample(name, labels, metricState.count)]
  if (MetricState.isGaugeState(metricState)) return [sample(name, labels, metricState.value)]
  if (MetricState.isFrequencyState(metricState)) {
    return [...metricState.occurrences].map(([key, count]) => sample(name, [...labels, ["key", key]], count))
  }
  if (MetricState.isHistogramState(metricState)) {
    const { buckets, count, sum } = metricState
    const finite = buckets.filter(([boundary]) => Number.isFinite(boundary))
    return [
      ...finite.map(([boundary, below]) => sample(`${name}_bucket`, [...labels, ["le", number(boundary)]], below)),
      sample(`${name}_bucket`, [...labels, ["le", "+Inf"]], count),
      sample(`${name}_sum`, labels, sum),
      sample(`${name}_count`, labels, count)
    ]
  }
  if (MetricState.isSummaryState(metricState)) {
    const { count, quantiles, sum } = metricState
    return [
      ...quantiles.flatMap(([quantile, value]) =>
        Option.match(value, {
          onNone: () => [],
          onSome: (known) => [sample(name, [...labels, ["quantile", number(quantile)]], known)]
        })
      ),
      sample(`${name}_sum`, labels, sum),
      sample(`${name}_count`, labels, count)
    ]
  }
  return []
}

interface Family {
  readonly kind: Kind
  readonly help: string
  readonly samples: Array<string>
}

/** All samples of a family are adjacent, and a family has one type; samples of another type are left out. */
export const textOf = (snapshot: ReadonlyArray<MetricPair.MetricPair.Untyped>): string => {
  const families = new Map<string, Family>()
  for (const { metricKey, metricState } of snapshot) {
    const kind = kindOf(metricKey)
    const name = nameOf(metricKey, kind, unitOf(metricKey))
    const help = Option.getOrElse(metricKey.description, () => "")
    const family = families.get(name) ?? { kind, help, samples: [] }
    if (family.kind !== kind) continue
    families.set(name, family)
    for (const line of samplesOf(name, labelsOf(metricKey), metricState)) family.samples.push(line)
  }
  const lines = [...families].flatMap(([name, { help, kind, samples }]) => [
    ...(help === "" ? [] : [`# HELP ${name} ${escapedHelp(help)}`]),
    `# TYPE ${name} ${kind}`,
    ...samples
  ])
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`
}
