import type { ReactNode } from "react"
import * as format from "../feed/format.js"
import type * as Wire from "../feed/wire.js"

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

/** The figures that people look at first. */
export const Tiles = ({ sample }: { readonly sample: Wire.Sample }): ReactNode => {
  const { operations, read, write } = sample
  const active = read.active + write.active
  const most = read.max + write.max
  const pending = read.pending + write.pending
  const leaks = read.leaks + write.leaks
  const refused = read.timeouts + write.timeouts + read.overloaded + write.overloaded
  const fullest = Math.max(read.active / read.max, write.active / write.max)
  const held = Math.max(read.longestHeld, write.longestHeld)
  return (
    <dl className="spm-tiles">
      <Tile
        label="Connections in use"
        value={`${active} of ${most}`}
        note={`${read.idle + write.idle} idle; fuller pool ${format.percent(fullest)}`}
        tone={fullest > 0.8 ? "warn" : "plain"}
      />
      <Tile
        label="Waiting"
        value={format.number(pending)}
        note={`${format.number(refused)} unserved since start`}
        tone={pending > 0 ? "warn" : "plain"}
      />
      <Tile
        label="Throughput"
        value={`${format.number(operations.perSecond)}/s`}
        note={`${format.number(operations.total)} since start`}
      />
      <Tile
        label="Latency p95"
        value={format.millis(operations.p95)}
        note={operations.p95 === null ? "none in the last minute" : `mean ${format.millis(operations.mean)}`}
        tone={operations.mean > 1_000 ? "warn" : "plain"}
      />
      <Tile
        label="Error rate"
        value={format.percent(operations.errorRate)}
        note={`${format.number(operations.failed)} failed since start`}
        tone={operations.errorRate > 0.05 ? "bad" : "plain"}
      />
      <Tile
        label="Leaks"
        value={format.number(leaks)}
        note={`since start; ${held > 0 ? `longest held now ${format.millis(held)}` : "none held now"}`}
        tone={leaks > 0 ? "bad" : "plain"}
      />
    </dl>
  )
}
