"use client"

/**
 * The dashboard as a React component, for an admin page of your own.
 *
 * It follows the event stream of a server that has `Http.routes` or `Http.layer`, and asks for the admin token if it has
 * none. Needs React 18 or newer; no Node code gets into the browser.
 *
 * @since 0.1.0
 */
import type { Duration } from "effect"
import type { ReactNode } from "react"
import { Monitor } from "./internal/react/monitor.js"
import { Outline, useIsTakenOver } from "./internal/react/outline.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface DatabasePoolMonitorProps {
  /**
   * Where the pool's routes are, without a slash at the end. Default: the page's own origin. Browsers refuse another origin,
   * so let your server forward `/api/health` and `/api/admin/database` (in Next.js, `rewrites`).
   */
  readonly url?: string
  /** The admin token. Without one the monitor shows what everybody may see, and asks for it. */
  readonly token?: string
  /** How often query figures are requested. Default: 5 seconds. Everything else is live. */
  readonly refresh?: Duration.DurationInput
  /** Called with a token that was typed in, to keep it for the session. */
  readonly onToken?: (token: string) => void
  /** Where you serve the package's `docs/troubleshooting.md` as a page; the banner links there. Default: it names the entry. */
  readonly help?: string
}

const InBrowser = ({
  help = "",
  onToken,
  refresh = "5 seconds",
  token,
  url = ""
}: DatabasePoolMonitorProps): ReactNode =>
  useIsTakenOver() ? <Monitor url={url} token={token} refresh={refresh} onToken={onToken} help={help} /> : <Outline />

/**
 * Connections, waiting, latency, errors, throughput, queries, leaks, events and alerts of both pools, live. A server renders
 * its heading only.
 *
 * @example
 * import { DatabasePoolMonitor } from "effect-supabase-pool/react"
 *
 * export default function AdminDashboard() {
 *   return (
 *     <div>
 *       <h1>Admin Dashboard</h1>
 *       <DatabasePoolMonitor />
 *     </div>
 *   )
 * }
 *
 * @since 0.1.0
 * @category components
 */
export const DatabasePoolMonitor: (props: DatabasePoolMonitorProps) => ReactNode =
  typeof document === "undefined" ? Outline : InBrowser
