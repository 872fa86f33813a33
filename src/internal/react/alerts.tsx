import { type ReactNode, useId } from "react"
import * as format from "../feed/format.js"
import type { View } from "../feed/view.js"
import type * as Wire from "../feed/wire.js"

/** What fires now, in words; read aloud when it changes. */
export const Firing = ({ sample }: { readonly sample: Wire.Sample }): ReactNode => (
  <ul className="spm-firing" aria-live="polite" aria-label="Alerts that fire now">
    {sample.alerts.map(({ detail, rule, severity, since, summary }) => (
      <li key={rule} className={`spm-alert spm-alert-${severity}`}>
        <strong>{summary}</strong>
        {detail === "" ? null : <span>{detail}</span>}
        <span className="spm-muted">
          {severity}, for {format.span(sample.at - since)}
        </span>
      </li>
    ))}
  </ul>
)

const words: Readonly<Record<Wire.AlertTold["type"], string>> = {
  fired: "fired",
  reminded: "still fires",
  resolved: "resolved"
}

/** The newest first. */
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
