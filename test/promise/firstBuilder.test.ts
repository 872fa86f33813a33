import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { runCode } from "../support/program.js"

/** Methods of builders are replaced in their classes, once per process: only a new process shows the first of them. */
const program = `
import { createServer } from "node:http"
import { createPooledClient } from "effect-supabase-pool/promise"

const server = createServer(({ method, url = "" }, response) => {
  console.log(\`sent \${method} \${decodeURIComponent(url)}\`)
  response.setHeader("content-type", "application/json").end("[]")
}).listen(0, "127.0.0.1", async () => {
  const address = server.address()
  const port = typeof address === "object" ? address?.port : 0
  const client = createPooledClient(\`http://127.0.0.1:\${port}\`, "sb_publishable_x")
  for (const _ of [1, 2]) await client.from("t").select("id").contains("tags", ["a,b", 'c"d'])
  process.exit()
})
`

it.scopedLive("the first builder of a process sends lists as PostgreSQL reads them, as the second does", () =>
  Effect.gen(function* () {
    const { output } = yield* runCode(program)
    const sent = String.raw`sent GET /rest/v1/t?select=id&tags=cs.{"a,b","c\"d"}`
    assert.deepStrictEqual(
      output.split("\n").filter((line) => line.startsWith("sent ")),
      [sent, sent]
    )
  })
)
