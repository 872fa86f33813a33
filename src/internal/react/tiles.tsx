import type { ReactNode } from "react"
import * as format from "../feed/format.js"
import type * as Wire from "../feed/wire.js"
import { ageOf, isSilent, silenceOf, waitOf } from "./trouble.js"

type Tone = "good" | "warn" | "bad" | "plain"

interface TileProps {
  readonly label: string
  readonly value: string
  readonly note: string
  readonly tone?: Tone
}

const Tile = ({ label, note, tone = "plain", value }: TileProps): ReactNode => (
  <div className={`spm-card spm-tile spm-tile-${tone}`}>
    <dt>{label}</dt>
    <dd>
      <span className="spm-value">{value}</span>
      <span className="spm-note">{note}</span>
    </dd>
  </div>
)

interface Each {
  readonly sample: Wire.Sample
}

const InUse = ({ sample: { read, write } }: Each): ReactNode => {
  const fullest = Math.max(read.active / read.max, write.active / write.max)
  return (
    <Tile
      label="Connections in use"
      value={`${read.active + write.active} of ${read.max + write.max}`}
      note={`${read.idle + write.idle} idle; fuller pool ${format.percent(fullest)}`}
      tone={fullest > 0.8 ? "warn" : "plain"}
    />
  )
}

/** Waits longer than this are felt by whoever waits. */
const long = 1_000

const Waiting = ({ sample }: Each): ReactNode => {
  const { read, write } = sample
  const pending = read.pending + write.pending
  const refused = read.timeouts + write.timeouts + read.overloaded + write.overloaded
  const wait = waitOf(sample)
  return (
    <Tile
      label="Waiting"
      value={format.number(pending)}
      note={`${pending > 0 ? `the first for ${format.millis(wait)}; ` : ""}${format.number(refused)} unserved since start`}
      tone={pending === 0 ? "plain" : wait > long ? "bad" : "warn"}
    />
  )
}

const Oldest = ({ sample }: Each): ReactNode => {
  const { read, write } = sample
  const age = ageOf(sample)
  const under = read.oldestRequest !== undefined || write.oldestRequest !== undefined
  return (
    <Tile
      label="Oldest request"
      value={under ? format.millis(age) : "–"}
      note={isSilent(sample) ? `no answers for ${format.span(silenceOf(sample))}` : "without an answer yet"}
      tone={isSilent(sample) ? "bad" : age > long ? "warn" : "plain"}
    />
  )
}

const Throughput = ({ sample: { operations } }: Each): ReactNode => (
  <Tile
    label="Throughput"
    value={`${format.number(operations.perSecond)}/s`}
    note={`ended; ${format.number(operations.total)} since start`}
  />
)

/** While nothing is answered, what was measured before is no figure of now. */
const Latency = ({ sample }: Each): ReactNode => {
  const { mean, p95 } = sample.operations
  if (isSilent(sample) && (p95 ?? 0) < silenceOf(sample)) {
    const before = p95 === null ? "none ended before" : `p95 of what ended: ${format.millis(p95)}`
    return <Tile label="Latency p95" value={`> ${format.millis(silenceOf(sample))}`} note={before} tone="bad" />
  }
  return (
    <Tile
      label="Latency p95"
      value={format.millis(p95)}
      note={p95 === null ? "none in the last minute" : `last minute; mean ${format.millis(mean)}`}
      tone={mean > long ? "warn" : "plain"}
    />
  )
}

/** The share of failures up to which it looks well. */
const most = 0.05

const Errors = ({ sample }: Each): ReactNode => {
  const { errorRate, failed } = sample.operations
  const total = `${format.number(failed)} failed since start`
  if (isSilent(sample) && errorRate <= most) {
    const before = `${format.percent(errorRate)} of what ended; ${total}`
    return <Tile label="Error rate" value="no answers" note={before} tone="bad" />
  }
  return (
    <Tile
      label="Error rate"
      value={format.percent(errorRate)}
      note={`last minute; ${total}`}
      tone={errorRate > most ? "bad" : "plain"}
    />
  )
}

const Leaks = ({ sample: { read, write } }: Each): ReactNode => {
  const leaks = read.leaks + write.leaks
  const held = Math.max(read.longestHeld, write.longestHeld)
  return (
    <Tile
      label="Leaks"
      value={format.number(leaks)}
      note={`since start; ${held > 0 ? `longest held now ${format.millis(held)}` : "none held now"}`}
      tone={leaks > 0 ? "bad" : "plain"}
    />
  )
}

/** The figures that people look at first. */
export const Tiles = ({ sample }: Each): ReactNode => (
  <dl className="spm-tiles">
    <InUse sample={sample} />
    <Waiting sample={sample} />
    <Oldest sample={sample} />
    <Latency sample={sample} />
    <Errors sample={sample} />
    <Throughput sample={sample} />
    <Leaks sample={sample} />
  </dl>
)
