import { Duration } from "effect"
import { type ReactNode, useEffect, useId, useInsertionEffect, useMemo, useState, useSyncExternalStore } from "react"
import * as format from "../feed/format.js"
import { type Link, latest } from "../feed/view.js"
import type * as Wire from "../feed/wire.js"
import { AlertLog, Firing } from "./alerts.js"
import { Chart } from "./chart.js"
import { EventLog } from "./log.js"
import { OpenView } from "./open.js"
import { Queries } from "./queries.js"
import { ResetButton } from "./reset.js"
import { charts } from "./series.js"
import { type Known, nothing, Session } from "./session.js"
import { adopt } from "./style.js"
import { Tiles } from "./tiles.js"

export interface MonitorProps {
  readonly url: string
  readonly token: string | undefined
  readonly refresh: Duration.DurationInput
  readonly onToken: ((token: string) => void) | undefined
}

const onServer = (): Known => nothing

export const Monitor = ({ onToken, refresh, token: given, url }: MonitorProps): ReactNode => {
  const [session] = useState(() => new Session())
  const [entered, setEntered] = useState<string>()
  const [window, setWindow] = useState<Wire.Window>("minute")
  const [notice, setNotice] = useState("")
  const known = useSyncExternalStore(session.subscribe, session.get, onServer)
  const token = entered ?? given
  const millis = Duration.toMillis(refresh)
  const server = useMemo(() => (token === undefined ? undefined : { url, token }), [url, token])
  const refused = known.view.link._tag === "Refused" ? known.view.link.status : undefined
  const isOpen = server === undefined || refused !== undefined

  useInsertionEffect(() => adopt(document), [])
  useEffect(() => (server === undefined ? undefined : session.start(session.admitted(server))), [session, server])
  useEffect(
    () => (isOpen ? session.start(session.open(url, Duration.millis(millis))) : undefined),
    [session, url, millis, isOpen]
  )
  useEffect(
    () =>
      server === undefined || isOpen
        ? undefined
        : session.start(session.statistics(server, window, Duration.millis(millis))),
    [session, server, window, millis, isOpen]
  )

  const enter = (value: string) => {
    setEntered(value)
    onToken?.(value)
  }
  return (
    <Frame
      known={known}
      isOpen={isOpen}
      actions={
        server === undefined || isOpen ? null : (
          <ResetButton disabled={known.view.link._tag !== "Live"} onReset={() => session.reset(server, setNotice)} />
        )
      }
    >
      {isOpen ? (
        <OpenView health={known.health} problem={known.problem} refused={refusal(refused)} onToken={enter} />
      ) : (
        <Everything known={known} window={window} onWindow={setWindow} />
      )}
      <p className="spm-notice" role="status">
        {notice}
      </p>
    </Frame>
  )
}

const refusal = (status: number | undefined): string => {
  if (status === undefined) return ""
  return status === 404
    ? "The server has no admin token: start it with DB_POOL_ADMIN_TOKEN."
    : "That is not the token of this server. It has a new one after each start unless DB_POOL_ADMIN_TOKEN is set."
}

interface FrameProps {
  readonly known: Known
  readonly isOpen: boolean
  readonly actions: ReactNode
  readonly children: ReactNode
}

const Frame = ({ actions, children, isOpen, known }: FrameProps): ReactNode => {
  const heading = useId()
  const sample = latest(known.view)
  const lost = known.view.link._tag === "Lost" || (isOpen && known.problem !== "")
  const status = isOpen ? known.health?.status : sample?.status
  return (
    <section className="spm" aria-labelledby={heading}>
      <header className="spm-head">
        <h2 id={heading}>Database pool</h2>
        <StatusBadge status={lost ? undefined : status} lost={lost} />
        {isOpen ? null : <LinkState link={known.view.link} restarts={known.view.restarts} />}
        {sample === undefined || isOpen ? null : <span className="spm-muted">up for {format.span(sample.uptime)}</span>}
        <span className="spm-spacer" />
        {actions}
      </header>
      {children}
    </section>
  )
}

const StatusBadge = ({
  lost,
  status
}: {
  readonly status: Wire.Sample["status"] | undefined
  readonly lost: boolean
}) => (
  <span className={`spm-badge spm-badge-${status ?? "unknown"}`} data-testid="status">
    {status ?? (lost ? "unknown" : "connecting")}
  </span>
)

const LinkState = ({ link, restarts }: { readonly link: Link; readonly restarts: number }) => (
  <span className={`spm-link spm-link-${link._tag.toLowerCase()}`} role="status" data-testid="link">
    {link._tag === "Live"
      ? restarts === 0
        ? "Live"
        : `Live · server restarted${restarts > 1 ? ` ${restarts} times` : ""}`
      : null}
    {link._tag === "Connecting" ? "Connecting…" : null}
    {link._tag === "Lost" ? "Reconnecting…" : null}
  </span>
)

/** Whether the browser is dark: a canvas does not follow by itself. */
const useIsDark = (): boolean => {
  const [dark, setDark] = useState(false)
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)")
    const update = () => setDark(query.matches)
    update()
    query.addEventListener("change", update)
    return () => query.removeEventListener("change", update)
  }, [])
  return dark
}

interface EverythingProps {
  readonly known: Known
  readonly window: Wire.Window
  readonly onWindow: (window: Wire.Window) => void
}

const Everything = ({ known: { queries, view }, onWindow, window }: EverythingProps): ReactNode => {
  const sample = latest(view)
  const dark = useIsDark()
  return (
    <>
      {view.link._tag === "Lost" ? <Lost reason={view.link.reason} since={view.link.since} /> : null}
      {sample === undefined ? (
        <p className="spm-empty">Waiting for the first sample.</p>
      ) : (
        <div className={view.link._tag === "Lost" ? "spm-body spm-stale" : "spm-body"}>
          <Firing sample={sample} />
          <Reasons sample={sample} />
          <Tiles sample={sample} />
          <div className="spm-charts">
            {charts.map((spec) => (
              <Chart key={`${spec.title} ${dark}`} spec={spec} samples={view.samples} />
            ))}
          </div>
          <Queries report={queries} window={window} onWindow={onWindow} />
          <div className="spm-columns">
            <EventLog happened={view.happened} />
            <AlertLog alerts={view.alerts} />
          </div>
        </div>
      )}
    </>
  )
}

const Lost = ({ reason, since }: { readonly reason: string; readonly since: number }) => (
  <p className="spm-banner spm-banner-bad" role="alert">
    <strong>No news since {format.clock(since)}:</strong> {reason}. What you see is the last that was heard; the page
    goes on by itself when the server is back.
  </p>
)

/** Why the pool is not healthy, before an alert has made up its mind. */
const Reasons = ({ sample: { reasons, status } }: { readonly sample: Wire.Sample }) =>
  reasons.length === 0 ? null : (
    <p className={`spm-banner spm-banner-${status === "unhealthy" ? "bad" : "warn"}`}>
      <strong>{status === "unhealthy" ? "Unhealthy" : "Degraded"}:</strong> {reasons.join("; ")}.
    </p>
  )
