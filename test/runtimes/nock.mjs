/** The specs of docs/testing.md with nock, and a retry. */
import { createDatabase } from "effect-supabase-pool/promise"
import nock from "nock"

nock.disableNetConnect()
const busy = { code: "PGRST001", message: "no connection", details: null, hint: null }
const database = nock("http://db.test")
database.get("/rest/v1/notes?select=id").reply(503, busy, { "proxy-status": "PostgREST; error=PGRST001" })
database.get("/rest/v1/notes?select=id").reply(200, [{ id: 8 }])
database.post("/rest/v1/notes?select=*", { body: "Hello" }).reply(201, [{ id: 9 }])
const db = createDatabase({
  url: "http://db.test",
  anonKey: "anon-key-of-a-spec",
  serviceRoleKey: "service-key-of-a-spec",
  transport: "fetch",
  enableHealthChecks: false,
  retryDelay: 10
})
const read = await db.executeWithPool((client) => client.from("notes").select("id"), "read")
const written = await db.executeWithPool((client) => client.from("notes").insert({ body: "Hello" }).select(), "write")
await db.close()
console.log(JSON.stringify({ read: read.data, written: written.data, done: nock.isDone() }))
