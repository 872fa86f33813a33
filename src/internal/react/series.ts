/** The series of each chart, from the samples. Pure. */

import * as format from "../feed/format.js"
import type * as Wire from "../feed/wire.js"

/** Roles, to which the style gives colours. */
export type Colour =
  | "active"
  | "idle"
  | "connecting"
  | "limit"
  | "read"
  | "write"
  | "low"
  | "middle"
  | "high"
  | "bad-line"

export interface Line {
  readonly label: string
  readonly colour: Colour
  readonly value: (sample: Wire.Sample) => number | null
  /** Drawn on top of the lines before it, as an area. */
  readonly stacked?: boolean
  /** An area down to zero. */
  readonly filled?: boolean
  readonly dashed?: boolean
}

export interface ChartSpec {
  readonly title: string
  readonly unit: (value: number | null) => string
  readonly lines: ReadonlyArray<Line>
  /** The scale's minimum height, so that a flat line of small values does not fill the chart. */
  readonly atLeast: number
}

const connections = (title: string, pool: "read" | "write"): ChartSpec => ({
  title,
  unit: format.number,
  atLeast: 1,
  lines: [
    { label: "active", colour: "active", stacked: true, value: (sample) => sample[pool].active },
    { label: "idle", colour: "idle", stacked: true, value: (sample) => sample[pool].idle },
    { label: "connecting", colour: "connecting", stacked: true, value: (sample) => sample[pool].connecting },
    { label: "max", colour: "limit", dashed: true, value: (sample) => sample[pool].max }
  ]
})

export const charts: ReadonlyArray<ChartSpec> = [
  connections("Read pool", "read"),
  connections("Write pool", "write"),
  {
    title: "Waiting for a connection",
    unit: format.number,
    atLeast: 4,
    lines: [
      { label: "read", colour: "read", filled: true, value: ({ read }) => read.pending },
      { label: "write", colour: "write", filled: true, value: ({ write }) => write.pending }
    ]
  },
  {
    title: "Latency, last minute",
    unit: format.millis,
    atLeast: 10,
    lines: [
      { label: "p50", colour: "low", value: ({ operations }) => operations.p50 },
      { label: "p95", colour: "middle", value: ({ operations }) => operations.p95 },
      { label: "p99", colour: "high", value: ({ operations }) => operations.p99 }
    ]
  },
  {
    title: "Throughput",
    unit: (value) => (value === null ? "–" : `${format.number(value)}/s`),
    atLeast: 5,
    lines: [{ label: "operations", colour: "active", filled: true, value: ({ operations }) => operations.perSecond }]
  },
  {
    title: "Error rate, last minute",
    unit: format.percent,
    atLeast: 0.05,
    lines: [{ label: "failed", colour: "bad-line", filled: true, value: ({ operations }) => operations.errorRate }]
  }
]

/** The time span of each chart, in seconds: the known history, but at least the first minute. */
const shown = { least: 60, most: 300 }

/** The range of the axis, for known times from `first` to `last`. */
export const range = (first: number, last: number): [number, number] => [
  Math.max(last - shown.most, Math.min(first, last - shown.least)),
  last
]

/** After this long without a sample the line has a gap: the server or the reader was away. */
const gap = 5_000

type Column = Array<number | null>

export interface Table {
  /** Seconds since the epoch. */
  readonly times: Array<number>
  /** The values as they are. */
  readonly values: ReadonlyArray<Column>
  /** The values as they are drawn: stacked series are added up. */
  readonly drawn: ReadonlyArray<Column>
}

/** Rows with a gap wherever no sample arrived. */
const rows = (samples: ReadonlyArray<Wire.Sample>): ReadonlyArray<{ at: number; sample: Wire.Sample | undefined }> =>
  samples.flatMap((sample, index) => {
    const before = samples[index - 1]
    const row = { at: sample.at / 1_000, sample }
    return before !== undefined && sample.at - before.at > gap
      ? [{ at: (before.at + 1_000) / 1_000, sample: undefined }, row]
      : [row]
  })

export const table = (samples: ReadonlyArray<Wire.Sample>, lines: ReadonlyArray<Line>): Table => {
  const all = rows(samples)
  const times = all.map(({ at }) => at)
  const values = lines.map((line) => all.map(({ sample }) => (sample === undefined ? null : line.value(sample))))
  let below: Column = times.map(() => 0)
  const drawn = lines.map((line, index) => {
    const column = values[index] ?? []
    if (line.stacked !== true) return column
    below = column.map((value, row) => (value === null ? null : value + (below[row] ?? 0)))
    return below
  })
  return { times, values, drawn }
}

/** A sentence for readers who cannot see the chart. */
export const describe = ({ lines, title, unit }: ChartSpec, { values }: Table): string => {
  const parts = lines.flatMap(({ dashed, label }, index) => {
    if (dashed === true) return []
    const column = (values[index] ?? []).filter((value) => value !== null)
    const last = column.at(-1)
    return last === undefined ? `${label} unknown` : `${label} ${unit(last)}, at most ${unit(Math.max(...column))}`
  })
  return `${title}, last minutes: ${parts.join("; ")}`
}
