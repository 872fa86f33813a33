import { type FormEvent, type ReactNode, useId, useState } from "react"
import * as format from "../feed/format.js"
import type { HealthJson } from "../feed/health.js"

interface Props {
  readonly health: HealthJson | undefined
  readonly problem: string
  /** Why the page asks for a token again; empty the first time. */
  readonly refused: string
  readonly onToken: (token: string) => void
}

/** The public view, and the form for the token that shows the rest. */
export const PublicView = ({ health, onToken, problem, refused }: Props): ReactNode => (
  <>
    {problem === "" ? null : (
      <p className="spm-banner spm-banner-bad" role="status">
        <strong>No answer:</strong> {problem}. Trying again.
      </p>
    )}
    <TokenForm refused={refused} onToken={onToken} />
    {health === undefined ? null : <Health health={health} />}
  </>
)

const TokenForm = ({ onToken, refused }: Pick<Props, "onToken" | "refused">): ReactNode => {
  const [token, setToken] = useState("")
  const field = useId()
  const hint = useId()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (token.trim() !== "") onToken(token.trim())
  }
  return (
    <form className="spm-card spm-token" onSubmit={submit}>
      <h3>Charts, queries and events need the admin token</h3>
      <p id={hint}>
        It was printed when the server started, or is in <code>DB_POOL_ADMIN_TOKEN</code>. It stays in this tab.
      </p>
      {refused === "" ? null : (
        <p className="spm-bad" role="alert">
          {refused}
        </p>
      )}
      <label htmlFor={field}>Admin token</label>
      <div className="spm-actions">
        <input
          id={field}
          type="password"
          autoComplete="off"
          spellCheck={false}
          aria-describedby={hint}
          value={token}
          onChange={({ currentTarget }) => setToken(currentTarget.value)}
        />
        <button type="submit" className="spm-button spm-primary">
          Show everything
        </button>
      </div>
    </form>
  )
}

const Health = ({ health }: { readonly health: HealthJson }): ReactNode => {
  const { connection, pool } = health.database
  const facts: ReadonlyArray<readonly [string, string]> = [
    ["Database", `${connection.status}, answered in ${format.millis(connection.responseTime)}`],
    ["Connections", connection.poolStatus],
    ["Waiting", format.number(pool.connections.pending)],
    ["Mean response, last minute", format.millis(pool.performance.averageResponseTime)],
    ["Error rate, last minute", format.percent(pool.performance.errorRate)],
    ["Leaks", format.number(pool.monitoring.connectionLeaks)]
  ]
  return (
    <dl className="spm-card spm-facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
