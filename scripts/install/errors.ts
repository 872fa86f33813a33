import { createDatabase, DecodeError, executeWithPool, QueryError } from "effect-supabase-pool/promise"

const failure = await executeWithPool(async (client) => {
  const { error } = await client.from("nowhere").select("id")
  if (error) throw error
}).catch((error: unknown) => error)
const status = failure instanceof QueryError ? failure.status : 0
console.log(`errors: ${failure instanceof QueryError}, ${!(failure instanceof DecodeError)}, ${status}`)

// For the compiler: durations with units, and a private database.
const other = createDatabase({
  url: "http://127.0.0.1:9",
  anonKey: "sb_publishable_x",
  serviceRoleKey: "sb_secret_y",
  connectionTimeout: "2 seconds",
  idleTimeout: 30_000
})
await other.close()
