/** A small server that answers as PostgREST does, since what is tried here is the package and not the database. */
import { createServer, type IncomingMessage } from "node:http"
import { text } from "node:stream/consumers"

const products = [
  { id: "11111111-1111-4111-8111-111111111111", title: "Laptop", price: 999 },
  { id: "22222222-2222-4222-8222-222222222222", title: "Lamp", price: 25 }
]

const answers: Readonly<Record<string, unknown>> = {
  "/rest/v1/products": products,
  "/rest/v1/shops": [{ id: "33333333-3333-4333-8333-333333333333", name: "Corner Shop" }],
  "/rest/v1/rpc/supabase_pool_ping": true
}

export interface Seen {
  readonly method: string
  readonly path: string
  readonly body: string
}

export interface Database {
  readonly env: Readonly<Record<string, string>>
  readonly seen: ReadonlyArray<Seen>
  readonly close: () => void
}

const answerTo = (request: IncomingMessage, path: string): unknown => {
  const answer = answers[path]
  // What `single()` asks for.
  return Array.isArray(answer) && request.headers.accept?.includes("vnd.pgrst.object") ? answer[0] : answer
}

export const serve = async (): Promise<Database> => {
  const seen: Array<Seen> = []
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname
    seen.push({ method: request.method ?? "", path, body: await text(request) })
    const answer = answerTo(request, path)
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" })
    response.end(JSON.stringify(answer ?? { code: "PGRST205", message: "none", details: null, hint: null }))
  })
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the server has no port")
  return {
    env: {
      SUPABASE_URL: `http://127.0.0.1:${address.port}`,
      SUPABASE_ANON_KEY: "sb_publishable_bundlers",
      SUPABASE_SERVICE_ROLE_KEY: "sb_secret_bundlers"
    },
    seen,
    close: () => server.close()
  }
}
