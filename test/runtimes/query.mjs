/** What an application does on a runtime: reads, writes, thirty at once on ten connections, a transaction, an end. */
import { createDatabase } from "effect-supabase-pool/promise"

const db = createDatabase({ enableHealthChecks: false })
const notes = (client) => client.from("products").select("id, title")
const first = await db.executeWithPool(notes, "read")
// A warm pool whose sockets have been idle for a moment.
await new Promise((resolve) => setTimeout(resolve, 300))
const many = await Promise.all(Array.from({ length: 30 }, () => db.executeWithPool(notes, "read")))
const written = await db.executeWithPool((client) => client.from("products").insert({ title: "Chair" }), "write")
const missing = await db.executeWithPool((client) => client.from("nowhere").select(), "read")
await db.close()
console.log(
  JSON.stringify({
    first: first.data,
    many: many.filter(({ success }) => success).length,
    written: written.success,
    missing: missing.error?.code
  })
)
