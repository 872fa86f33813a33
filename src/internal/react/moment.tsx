import { type ReactNode, useId } from "react"
import * as format from "../feed/format.js"
import type { View } from "../feed/view.js"
import type * as Wire from "../feed/wire.js"
import { type Mark, sampleAt } from "./marks.js"
import { ageOf, isSilent, silenceOf, waitOf } from "./trouble.js"

interface Props {
  readonly view: View
  readonly marks: ReadonlyArray<Mark>
  /** ms since the epoch; undefined: now. */
  readonly picked: number | undefined
  readonly onPick: (at: number | undefined) => void
}

/** One moment: what was in use, who waited, and which queries took the time. */
export const Moment = ({ marks, onPick, picked, view }: Props): ReactNode => {
  const heading = useId()
  const sample = sampleAt(view, picked)
  if (sample === undefined) return null
  const index = view.samples.indexOf(sample)
  return (
    <section className="spm-card spm-moment" aria-labelledby={heading}>
      <div className="spm-card-head">
        <h3 id={heading}>
          A closer look: <span className="spm-number">{picked === undefined ? "now" : format.clock(sample.at)}</span>
        </h3>
        <label className="spm-select spm-slide">
          Moment
          <input
            type="range"
            min={0}
            max={view.samples.length - 1}
            value={index}
            aria-valuetext={format.clock(sample.at)}
            onChange={({ currentTarget: { valueAsNumber } }) => onPick(view.samples[valueAsNumber]?.at)}
          />
        </label>
        <button type="button" className="spm-button" disabled={picked === undefined} onClick={() => onPick(undefined)}>
          Back to now
        </button>
      </div>
      <div className="spm-columns">
        <div>
          <p className="spm-muted">{factsOf(sample).join(" · ")}</p>
          <Lately lately={latelyAt(view, sample.at)} sample={sample} />
        </div>
        <Marks marks={marks} onPick={onPick} />
      </div>
    </section>
  )
}

/** The seconds that hold that moment, or those before it. */
const latelyAt = ({ lately }: View, at: number): Wire.Lately | undefined =>
  lately.find((each) => at > each.at - each.covered && at <= each.at) ??
  lately.findLast((each) => each.at <= at && at - each.at < 2 * each.covered)

const pool = (name: string, { active, max, pending }: Wire.PoolSample): string =>
  `${name} ${active} of ${max} in use${pending === 0 ? "" : `, ${format.number(pending)} wait`}`

const factsOf = (sample: Wire.Sample): ReadonlyArray<string> => [
  pool("read", sample.read),
  pool("write", sample.write),
  ...(ageOf(sample) >= 1_000 ? [`oldest request ${format.millis(ageOf(sample))}`] : []),
  ...(waitOf(sample) > 0 ? [`first in the queue waits for ${format.millis(waitOf(sample))}`] : []),
  ...(isSilent(sample) ? [`nothing was answered for ${format.span(silenceOf(sample))}`] : []),
  ...(sample.read.reachable && sample.write.reachable ? [] : ["no connection can be opened"])
]

const Hanging = ({ sample: { read, write } }: { readonly sample: Wire.Sample }): ReactNode => {
  const old = (["read", "write"] as const).flatMap((name) => {
    const { oldestRequest } = name === "read" ? read : write
    return oldestRequest === undefined || oldestRequest.query === "" ? [] : [{ name, ...oldestRequest }]
  })
  return old.length === 0 ? null : (
    <>
      <h4>Oldest request of each pool that had no answer yet</h4>
      <ul className="spm-slow">
        {old.map(({ age, holder, name, query }) => (
          <li key={name}>
            <b className="spm-number">{format.millis(age)}</b>
            <span className="spm-code spm-wrap">{query}</span>
            <span className="spm-muted">
              {name}
              {holder.startsWith("#") ? "" : `, by ${holder}`}
            </span>
          </li>
        ))}
      </ul>
    </>
  )
}

const Lately = ({
  lately,
  sample
}: {
  readonly lately: Wire.Lately | undefined
  readonly sample: Wire.Sample
}): ReactNode => (
  <>
    <Hanging sample={sample} />
    <h4>
      {lately === undefined
        ? "No operation ended around then"
        : `Queries that ended in the ${format.span(lately.covered)} before ${format.clock(lately.at)}, most time first`}
    </h4>
    {lately === undefined ? null : (
      <ul className="spm-slow">
        {lately.queries.map(({ count, errors, max, p95, pool: name, query }) => (
          <li key={`${name} ${query}`}>
            <b className="spm-number">{format.millis(p95)}</b>
            <span className="spm-code spm-wrap">{query}</span>
            <span className="spm-muted">
              p95 of {format.number(count)}, longest {format.millis(max)}
              {errors === 0 ? "" : `, ${format.plural(errors, "error")}`}
            </span>
          </li>
        ))}
      </ul>
    )}
  </>
)

const shown = 8

const Marks = ({
  marks,
  onPick
}: {
  readonly marks: ReadonlyArray<Mark>
  readonly onPick: (at: number) => void
}): ReactNode => (
  <div>
    <h4>What happened</h4>
    {marks.length === 0 ? (
      <p className="spm-muted">Nothing to note in the last minutes.</p>
    ) : (
      <ol className="spm-told">
        {marks
          .slice(-shown)
          .reverse()
          .map(({ at, name, tone, words }) => (
            <li key={`${at} ${words}`}>
              <button type="button" className="spm-plain-button spm-number" onClick={() => onPick(at)}>
                {format.clock(at)}
              </button>
              <span className={`spm-tag spm-tag-${tone}`}>{name}</span>
              <span className="spm-wrap">{words}</span>
            </li>
          ))}
      </ol>
    )}
  </div>
)
