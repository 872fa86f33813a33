/**
 * A process of its own for the embedded database of a test run: its sockets are not the suite's, and while PostgreSQL
 * works no test's clock stands still. Prints one line of JSON when it is ready, and ends with its standard input.
 */
import { createHook } from "node:async_hooks"
import { createServer } from "node:http"
import { seedFile, startEmbedded } from "../../src/embedded.js"
import { allMigrations } from "./migrations.js"

const outward = new Set(["TCPCONNECTWRAP", "GETADDRINFOREQWRAP", "GETNAMEINFOREQWRAP", "QUERYWRAP", "UDPSENDWRAP"])
const attempts: Array<string> = []

// Every connection and every name looked up passes here, whichever library makes it.
createHook({
  init: (_, type) => {
    if (outward.has(type)) attempts.push(type)
  }
}).enable()

const database = await startEmbedded({
  migrations: await allMigrations(),
  seed: seedFile
})

// Counted on a port of its own, so that asking changes nothing.
const counts = createServer((_, response) => {
  response.writeHead(200, { "content-type": "application/json", connection: "close" })
  response.end(JSON.stringify({ ...database.counts(), outward: attempts }))
})
counts.listen(0, "127.0.0.1", () => {
  const address = counts.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  process.stdout.write(
    `${JSON.stringify({
      url: database.url,
      anonKey: database.anonKey,
      serviceRoleKey: database.serviceRoleKey,
      jwtSecret: database.jwtSecret,
      countsUrl: `http://127.0.0.1:${port}/`
    })}\n`
  )
})

process.stdin.resume()
process.stdin.once("end", () => {
  counts.close()
  void database.stop()
})
