import { type ReactNode, useId } from "react"
import * as format from "../feed/format.js"
import type { View } from "../feed/view.js"
import type * as Wire from "../feed/wire.js"

/** The problem, or the last one while the alert waits to be resolved. */
const Course = ({ alert, at }: { readonly alert: Wire.Alert; readonly at: number }): ReactNode => {
  const { detail, fineSince, severity, since } = alert
  if (fineSince !== undefined) {
    return (
      <>
        <span>fine again for {format.span(at - fineSince)}, resolved when that lasts</span>
        {detail === "" ? null : <span className="spm-muted">it was: {detail}</span>}
      </>
    )
  }
  return (
    <>
      {detail === "" ? null : <span>{detail}</span>}
      <span className="spm-muted">
        {severity}, for {format.span(at - since)}
      </span>
    </>
  )
}

/** The alerts that fire now, as text; read aloud on each change. */
export const Firing = ({ sample }: { readonly sample: Wire.Sample }): ReactNode => (
  <ul className="spm-firing" aria-live="polite" aria-label="Alerts that fire now">
    {sample.alerts.map((alert) => (
      <li key={alert.rule} className={`spm-alert spm-alert-${alert.fineSince === undefined ? alert.severity : "info"}`}>
        <strong>{alert.summary}</strong>
        <Course alert={alert} at={sample.at} />
      </li>
    ))}
  </ul>
)

const words: Readonly<Record<Wire.AlertTold["type"], string>> = {
  fired: "fired",
  reminded: "still fires",
  resolved: "resolved"
}

/** Newest first. */
export const AlertLog = ({ alerts }: { readonly alerts: View["alerts"] }): ReactNode => {
  const heading = useId()
  return (
    <section className="spm-card" aria-labelledby={heading}>
      <div className="spm-card-head">
        <h3 id={heading}>Alerts</h3>
      </div>
      {alerts.length === 0 ? (
        <p className="spm-empty">No alert has fired.</p>
      ) : (
        <ol className="spm-told">
          {alerts.slice(0, 12).map(({ alert, at, id, type }) => (
            <li key={id}>
              <span className="spm-number spm-muted">{format.clock(at)}</span>
              <span
                className={`spm-tag spm-tag-${type === "resolved" ? "good" : alert.severity === "critical" ? "bad" : "warn"}`}
              >
                {words[type]}
              </span>
              <span className="spm-wrap">
                {alert.summary}
                {type !== "resolved" && alert.detail !== "" ? (
                  <span className="spm-muted"> · {alert.detail}</span>
                ) : null}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}
