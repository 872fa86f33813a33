import { type ReactNode, useId } from "react"
import * as format from "../feed/format.js"
import type * as Wire from "../feed/wire.js"

const windows: ReadonlyArray<Wire.Window> = ["minute", "hour", "day"]

const shown = 15

interface Props {
  readonly report: Wire.QueryReport | undefined
  readonly window: Wire.Window
  readonly onWindow: (window: Wire.Window) => void
}

const columns = ["Count", "Errors", "Mean", "p95", "p99", "Longest"] as const

/** Where the time goes, and the slow queries. */
export const Queries = ({ onWindow, report, window }: Props): ReactNode => {
  const heading = useId()
  const name = useId()
  return (
    <section className="spm-card" aria-labelledby={heading}>
      <div className="spm-card-head">
        <h3 id={heading}>Queries</h3>
        <fieldset className="spm-segments">
          <legend className="spm-unseen">How far back</legend>
          {windows.map((each) => (
            <label key={each} className={each === window ? "spm-chosen" : undefined}>
              <input
                type="radio"
                name={name}
                value={each}
                checked={each === window}
                onChange={() => onWindow(each)}
                className="spm-unseen"
              />
              last {each}
            </label>
          ))}
        </fieldset>
      </div>
      {report === undefined || report.queries.length === 0 ? (
        <p className="spm-empty">
          {report === undefined ? "Loading the figures." : `No operation in the last ${report.window}.`}
        </p>
      ) : (
        <Figures report={report} />
      )}
      {report !== undefined && report.slow.length > 0 ? <Slow slow={report.slow} /> : null}
    </section>
  )
}

const Figures = ({ report }: { readonly report: Wire.QueryReport }) => (
  // Scrollable content must be reachable by keyboard.
  <section className="spm-scroll" tabIndex={0} aria-label="Table of queries">
    <table>
      <thead>
        <tr>
          <th scope="col">Query</th>
          {columns.map((name) => (
            <th key={name} scope="col" className="spm-number">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {report.queries.slice(0, shown).map(({ count, errors, max, mean, p95, p99, pool, query }) => (
          <tr key={`${pool} ${query}`}>
            <td className="spm-code spm-wrap">{query}</td>
            {[count, errors].map((value, index) => (
              <td
                key={columns[index]}
                data-label={columns[index]}
                className={index === 1 && value > 0 ? "spm-number spm-bad" : "spm-number"}
              >
                {format.number(value)}
              </td>
            ))}
            {[mean, p95, p99, max].map((value, index) => (
              <td key={columns[index + 2]} data-label={columns[index + 2]} className="spm-number">
                {format.millis(value)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </section>
)

const Slow = ({ slow }: { readonly slow: Wire.QueryReport["slow"] }) => (
  <>
    <h4>Slowest</h4>
    <ol className="spm-slow">
      {slow.slice(0, 5).map(({ at, duration, error, query }) => (
        <li key={`${at} ${query} ${duration}`}>
          <b className="spm-number">{format.millis(duration)}</b>
          <span className="spm-code spm-wrap">{query}</span>
          <span className="spm-muted">
            {format.clock(at)}
            {error === "" ? "" : ` · ${error}`}
          </span>
        </li>
      ))}
    </ol>
  </>
)
