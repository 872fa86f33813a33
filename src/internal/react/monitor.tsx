import { Duration } from "effect"
import { type ReactNode, useEffect, useInsertionEffect, useMemo, useState, useSyncExternalStore } from "react"
import { latest, type View } from "../feed/view.js"
import type * as Wire from "../feed/wire.js"
import { AlertLog, Firing, Pending } from "./alerts.js"
import { Banner } from "./banner.js"
import { Chart } from "./chart.js"
import { Frame } from "./frame.js"
import { EventLog } from "./log.js"
import { bandsOf, marksOf } from "./marks.js"
import { Moment } from "./moment.js"
import { PublicView } from "./public.js"
import { Queries } from "./queries.js"
import { ResetButton } from "./reset.js"
import { charts } from "./series.js"
import { type Known, nothing, Session } from "./session.js"
import { adopt } from "./style.js"
import { Tiles } from "./tiles.js"
import { verdictOf } from "./verdict.js"

export interface MonitorProps {
  readonly url: string
  readonly token: string | undefined
  readonly refresh: Duration.DurationInput
  readonly onToken: ((token: string) => void) | undefined
  readonly help: string
}

const onServer = (): Known => nothing

export const Monitor = ({ help, onToken, refresh, token: given, url }: MonitorProps): ReactNode => {
  const [session] = useState(() => new Session())
  const [entered, setEntered] = useState<string>()
  const [window, setWindow] = useState<Wire.Window>("minute")
  const [notice, setNotice] = useState("")
  const known = useSyncExternalStore(session.subscribe, session.get, onServer)
  const token = entered ?? given
  const millis = Duration.toMillis(refresh)
  const server = useMemo(() => (token === undefined ? undefined : { url, token }), [url, token])
  const refused = known.view.link._tag === "Refused" ? known.view.link.status : undefined
  const isPublic = server === undefined || refused !== undefined

  useInsertionEffect(() => adopt(document), [])
  useEffect(() => (server === undefined ? undefined : session.start(session.events(server))), [session, server])
  useEffect(
    () => (isPublic ? session.start(session.health(url, Duration.millis(millis))) : undefined),
    [session, url, millis, isPublic]
  )
  useEffect(
    () =>
      server === undefined || isPublic
        ? undefined
        : session.start(session.queries(server, window, Duration.millis(millis))),
    [session, server, window, millis, isPublic]
  )

  const enter = (value: string) => {
    setEntered(value)
    onToken?.(value)
  }
  return (
    <Frame
      known={known}
      isPublic={isPublic}
      actions={
        server === undefined || isPublic ? null : (
          <ResetButton disabled={known.view.link._tag !== "Live"} onReset={() => session.reset(server, setNotice)} />
        )
      }
    >
      {isPublic ? (
        <PublicView health={known.health} problem={known.problem} refused={refusal(refused)} onToken={enter} />
      ) : (
        <Everything known={known} window={window} onWindow={setWindow} help={help} />
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
    : "That is not the token of this server. The token changes with each start unless DB_POOL_ADMIN_TOKEN is set."
}

/** Whether the browser uses dark mode: a canvas does not follow it automatically. */
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
  readonly help: string
}

const Everything = ({ help, known: { queries, view }, onWindow, window }: EverythingProps): ReactNode => {
  const sample = latest(view)
  return (
    <>
      <Banner verdict={verdictOf(view)} help={help} />
      {sample === undefined ? (
        <p className="spm-empty" aria-busy="true">
          Waiting for the first sample.
        </p>
      ) : (
        <div className={view.link._tag === "Lost" ? "spm-body spm-stale" : "spm-body"}>
          <Firing sample={sample} />
          <Pending sample={sample} />
          <Tiles sample={sample} />
          <Course view={view} />
          <Queries report={queries} window={window} onWindow={onWindow} />
          <div className="spm-columns">
            <EventLog happened={view.happened} />
            <AlertLog alerts={view.alerts} sample={sample} />
          </div>
        </div>
      )}
    </>
  )
}

/** The charts, and the moment that is picked in one of them. */
const Course = ({ view }: { readonly view: View }): ReactNode => {
  const dark = useIsDark()
  const [picked, setPicked] = useState<number>()
  const marks = useMemo(() => marksOf(view), [view])
  const bands = useMemo(() => bandsOf(view), [view])
  return (
    <>
      <div className="spm-charts">
        {charts.map((spec) => (
          <Chart
            key={`${spec.title} ${dark}`}
            spec={spec}
            samples={view.samples}
            marks={marks}
            bands={bands}
            picked={picked}
            onPick={setPicked}
          />
        ))}
      </div>
      <Moment view={view} marks={marks} picked={picked} onPick={setPicked} />
    </>
  )
}
