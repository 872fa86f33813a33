import { DatabasePoolMonitor } from "effect-supabase-pool/react"
import type { ReactNode } from "react"
import { help } from "./help.js"
import { keep } from "./token.js"

export const Page = ({ token }: { readonly token: string | undefined }): ReactNode => (
  <main className="page">
    <div className="page-head">
      <h1>effect-supabase-pool on {location.host}</h1>
      <nav aria-label="Beside the dashboard">
        <a href="docs">API</a>
        <a href="api/health/database">Health</a>
        <a href="metrics">Prometheus</a>
      </nav>
    </div>
    <DatabasePoolMonitor {...(token === undefined ? {} : { token })} onToken={keep} help={help} />
  </main>
)
