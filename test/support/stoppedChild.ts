/** Reads and holds a connection with limits of two seconds, while its parent stops it for longer. Prints what became of them. */
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"
import { createDatabase } from "../../src/promise.js"

const { checkDatabaseHealth, close, executeWithPool, getConnectionPool } = createDatabase({
  url: process.env["SUPABASE_URL"] ?? "",
  anonKey: "anon",
  serviceRoleKey: "service",
  minConnections: 2,
  maxConnections: 4,
  maxRetries: 0,
  requestTimeout: 2_000,
  leakDetectionTimeout: 2_000,
  connectionTimeout: 2_000,
  keepaliveInterval: 1_000,
  enableHealthChecks: false
})

const read = (table: string): Promise<string> =>
  executeWithPool((client) => client.from(table).select("*")).then(
    ({ error }) => error?.message ?? "answered",
    (error: { readonly _tag: string }) => error._tag
  )

const pool = getConnectionPool()
const connection = await pool.getConnection("write")
// The third and fourth wait for a connection.
const reads = ["slow", "slow", "fast", "fast"].map(read)
const told = await Promise.all(reads)
await sleep(300)
pool.releaseConnection(connection)
const { status } = await checkDatabaseHealth()
const { connectionLeaks } = pool.getMetrics()
process.stdout.write(JSON.stringify({ told, status, connectionLeaks }))
await close()
