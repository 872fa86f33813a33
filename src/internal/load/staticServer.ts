/** Answers every request with one row, at once, to measure the pool itself. Prints its URL; ends with its standard input. */
import { createServer } from "node:http"

const row = '[{"id":1,"name":"a row"}]'

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  request.resume()
  response.writeHead(200, { "content-type": "application/json", "content-length": row.length })
  response.end(row)
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  process.stdout.write(
    `SUPABASE_URL=http://127.0.0.1:${port}\nSUPABASE_ANON_KEY=anon\nSUPABASE_SERVICE_ROLE_KEY=service\n`
  )
})

process.stdin.resume()
process.stdin.once("end", () => process.exit(0))
