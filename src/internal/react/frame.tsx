import { type ReactNode, useId } from "react"
import * as format from "../feed/format.js"
import { type Link, latest } from "../feed/view.js"
import type * as Wire from "../feed/wire.js"
import type { Known } from "./session.js"

interface FrameProps {
  readonly known: Known
  readonly isPublic: boolean
  readonly actions: ReactNode
  readonly children: ReactNode
}

/** The frame of both views: the pool's health, and the state of the connection that reports it. */
export const Frame = ({ actions, children, isPublic, known }: FrameProps): ReactNode => {
  const heading = useId()
  const sample = latest(known.view)
  const lost = known.view.link._tag === "Lost" || (isPublic && known.problem !== "")
  const status = isPublic ? known.health?.status : sample?.status
  return (
    <section className="spm" aria-labelledby={heading}>
      <header className="spm-head">
        <h2 id={heading}>Database pool</h2>
        <StatusBadge status={lost ? undefined : status} lost={lost} />
        {isPublic ? null : <LinkState link={known.view.link} restarts={known.view.restarts} />}
        {sample === undefined || isPublic ? null : (
          <span className="spm-muted">up for {format.span(sample.uptime)}</span>
        )}
        <span className="spm-spacer" />
        {actions}
      </header>
      {children}
    </section>
  )
}

export const StatusBadge = ({
  lost,
  status
}: {
  readonly status: Wire.Sample["status"] | undefined
  readonly lost: boolean
}): ReactNode => (
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
