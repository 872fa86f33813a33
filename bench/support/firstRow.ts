/** The first row of a process that asks for one: what its first argument names is loaded, and asks the second for it. */
import type { WebSocketLike } from "@supabase/supabase-js"
import type * as PromiseEntry from "../../src/promise.js"

const [which = "", url = ""] = process.argv.slice(2)

/** Node 20 has no WebSocket, and supabase-js throws where there is none. */
class NoRealtime {
  readonly isNone = true
}

const realtime = { transport: NoRealtime as unknown as new () => WebSocketLike }

const stock = async (): Promise<unknown> => {
  const { createClient } = await import("@supabase/supabase-js")
  const client = createClient(url, "anon", {
    auth: { persistSession: false },
    realtime
  })
  return client.from("rows").select("id, name").limit(1)
}

const ours = async (): Promise<unknown> => {
  const { createDatabase }: typeof PromiseEntry = await import(which)
  const database = createDatabase({ url, anonKey: "anon", serviceRoleKey: "service" })
  return database.executeWithPool((client) => client.from("rows").select("id, name").limit(1))
}

const answer = await (which === "stock" ? stock() : ours())
const wall = performance.now()
const { system, user } = process.cpuUsage()
const got = JSON.stringify(answer)
if (!got.includes("a row")) throw new Error(`${which} answered ${got}`)
process.stdout.write(`${JSON.stringify({ cpu: (system + user) / 1_000, wall })}\n`)
process.exit(0)
