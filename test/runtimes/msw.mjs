/** The specs of docs/testing.md with msw: it sees what the pool sends by the platform's fetch. */
import { createDatabase } from "effect-supabase-pool/promise"
import { HttpResponse, http } from "msw"
import { setupServer } from "msw/node"

const server = setupServer(
  http.get("http://db.test/rest/v1/notes", ({ request }) =>
    HttpResponse.json([{ id: 7, key: request.headers.get("apikey") }])
  ),
  http.post("http://db.test/rest/v1/notes", async ({ request }) =>
    HttpResponse.json([await request.json()], { status: 201 })
  )
)
server.listen({ onUnhandledRequest: "error" })
const db = createDatabase({
  url: "http://db.test",
  anonKey: "anon-key-of-a-spec",
  serviceRoleKey: "service-key-of-a-spec",
  transport: "fetch",
  enableHealthChecks: false
})
const read = await db.executeWithPool((client) => client.from("notes").select(), "read")
const written = await db.executeWithPool((client) => client.from("notes").insert({ body: "Grüße" }).select(), "write")
await db.close()
server.close()
console.log(JSON.stringify({ read: read.data, written: written.data }))
