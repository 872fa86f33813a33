/** The series of each chart, from the samples. Pure. */

import * as format from "../feed/format.js"
import type * as Wire from "../feed/wire.js"
import { beginningOf, steps } from "../metrics/spread.js"
import { ageOf, isSilent } from "./trouble.js"

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
  /** Drawn below the lines: how many operations there were of each step of durations. */
  readonly heat?: (sample: Wire.Sample) => ReadonlyArray<readonly [step: number, count: number]>
  /** Where a value is drawn, if not at itself; the scale is one of places. */
  readonly place?: (value: number) => number
  /** The values that have a mark on the axis, if not those of the chart's choice. */
  readonly ticks?: ReadonlyArray<number>
}

/** As the steps of the heat map are: two for each doubling. */
const logarithmic = (millis: number): number => 2 * Math.log2(Math.max(1, millis))

/** Where a step of durations begins and ends, as places. */
export const cellOf = (step: number): readonly [from: number, to: number] => [
  step === 0 ? 0 : logarithmic(beginningOf(step)),
  step >= steps - 1 ? steps : logarithmic(beginningOf(step + 1))
]

/** Of operations that have ended: it is no figure of now while nothing ends. */
const unlessSilent =
  (value: (sample: Wire.Sample) => number | null) =>
  (sample: Wire.Sample): number | null =>
    isSilent(sample) ? null : value(sample)

/** No failures are no good news while nothing is answered. */
const failed = (sample: Wire.Sample): number | null =>
  isSilent(sample) && sample.operations.errorRate <= 0.05 ? null : sample.operations.errorRate

const oldest = (sample: Wire.Sample): number | null => (ageOf(sample) < 1_000 ? null : ageOf(sample))

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
    title: "Latency",
    unit: format.millis,
    atLeast: logarithmic(1_000),
    place: logarithmic,
    ticks: [1, 10, 100, 1_000, 10_000, 60_000],
    heat: ({ operations }) => operations.spread ?? [],
    lines: [
      { label: "p50", colour: "low", value: unlessSilent(({ operations }) => operations.p50) },
      { label: "p95", colour: "middle", value: unlessSilent(({ operations }) => operations.p95) },
      { label: "oldest request", colour: "high", value: oldest }
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
    lines: [
      {
        label: "failed",
        colour: "bad-line",
        filled: true,
        value: failed
      }
    ]
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

export const table = (
  samples: ReadonlyArray<Wire.Sample>,
  { lines, place }: Pick<ChartSpec, "lines" | "place">
): Table => {
  const all = rows(samples)
  const times = all.map(({ at }) => at)
  const values = lines.map((line) => all.map(({ sample }) => (sample === undefined ? null : line.value(sample))))
  let below: Column = times.map(() => 0)
  const drawn = lines.map((line, index) => {
    const column = values[index] ?? []
    if (line.stacked !== true) {
      return place === undefined ? column : column.map((value) => (value === null ? null : place(value)))
    }
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
