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

/** What fires if it lasts, and when. */
export const Pending = ({ sample: { at, pending = [] } }: { readonly sample: Wire.Sample }): ReactNode =>
  pending.length === 0 ? null : (
    <ul className="spm-card spm-pending" aria-label="Alerts that fire if it lasts">
      {pending.map(({ detail, firesAt, rule, severity, summary }) => (
        <li key={rule}>
          <span className="spm-tag spm-tag-plain">pending</span>
          <span className="spm-wrap">
            {summary} ({severity}): fires {firesAt > at ? `in ${format.span(firesAt - at)}` : "with the next check"} if
            it lasts
            {detail === "" ? null : <span className="spm-muted"> · {detail}</span>}
          </span>
        </li>
      ))}
    </ul>
  )

const nothingFired = ({ alerts, pending }: Wire.Sample): string => {
  if (pending === undefined)
    return "This server watches no alert rules: health checks are off, or it has no Alerts layer."
  if (alerts.length > 0) return ""
  return pending.length > 0
    ? "None has fired yet; what is pending stands above."
    : "No alert has fired, and none is about to."
}

const words: Readonly<Record<Wire.AlertTold["type"], string>> = {
  fired: "fired",
  reminded: "still fires",
  resolved: "resolved"
}

/** Newest first. */
export const AlertLog = ({
  alerts,
  sample
}: {
  readonly alerts: View["alerts"]
  readonly sample: Wire.Sample
}): ReactNode => {
  const heading = useId()
  const none = nothingFired(sample)
  return (
    <section className="spm-card" aria-labelledby={heading}>
      <div className="spm-card-head">
        <h3 id={heading}>Alerts</h3>
      </div>
      {alerts.length === 0 ? (
        none === "" ? null : (
          <p className="spm-empty">{none}</p>
        )
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
