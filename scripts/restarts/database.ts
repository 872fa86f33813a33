/** The database of the scripted PostgREST: knows how often each id was inserted, and which keys of transactions it has had. */
import { lostAtCommit, postgrestError, rows, type Scripted } from "../../test/support/postgrest.js"

export type State = "up" | "fast" | "immediate" | "down"

const json = { "content-type": "application/json; charset=utf-8" }

const value = (body: unknown): Scripted => ({ status: 200, headers: json, body: JSON.stringify(body) })

interface Row {
  readonly id: string
}

interface Sent {
  readonly idempotency_key: string
  readonly steps: ReadonlyArray<{ readonly rows: ReadonlyArray<Row> }>
}

export class Database {
  state: State = "up"
  private readonly times: Map<string, number> = new Map()
  private readonly keys: Set<string> = new Set()

  /** How often it was inserted. */
  timesOf(id: string): number {
    return this.times.get(id) ?? 0
  }

  private insert({ id }: Row): void {
    this.times.set(id, this.timesOf(id) + 1)
  }

  private transaction({ idempotency_key: key, steps }: Sent): Scripted {
    const replayed = this.keys.has(key)
    if (!replayed) for (const row of steps.flatMap(({ rows }) => rows)) this.insert(row)
    this.keys.add(key)
    return value({ replayed, results: steps.map(() => null) })
  }

  private settle({ idempotency_key: key }: Pick<Sent, "idempotency_key">): Scripted {
    const executed = this.keys.has(key)
    this.keys.add(key)
    return value({ executed })
  }

  private execute(method: string, url: string, body: string): Scripted {
    if (method === "GET") return rows()
    if (url.endsWith("/rpc/supabase_pool_transaction")) return this.transaction(JSON.parse(body))
    if (url.endsWith("/rpc/supabase_pool_transaction_settle")) return this.settle(JSON.parse(body))
    this.insert(JSON.parse(body))
    return rows()
  }

  /** What is met by who is there when it happens, and by who comes while it is away. */
  meets(method: string, url: string, body: string, n: number): Scripted {
    if (this.state === "down") {
      const { headers, ...met } = postgrestError(503, "PGRST000", "Database connection error. Retrying the connection.")
      return { ...met, headers: { ...headers, "retry-after": "0" } }
    }
    if (this.state === "fast") {
      return n % 2 === 0
        ? postgrestError(503, "PGRST001", "no connection to the server")
        : postgrestError(503, "57P01", "terminating connection due to administrator command")
    }
    const met = this.execute(method, url, body)
    return this.state === "immediate" ? lostAtCommit : met
  }
}
