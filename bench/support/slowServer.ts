/**
 * A server that answers everything with one row after a while, in a process of its own, so that its work is not the
 * pool's. Arguments: the delay in ms. Prints its two URLs as one line of JSON; what it counted is asked at the second,
 * a port apart, so that asking is not counted. Ends with its standard input.
 */
import { createServer, type Server } from "node:http"

const delay = Number(process.argv[2] ?? 10)

const counted = { requests: 0, open: 0, peak: 0, opened: 0, millis: 0 }

const row = '[{"id":1,"name":"a row"}]'

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const since = performance.now()
  request.resume()
  setTimeout(() => {
    response.writeHead(200, { "content-type": "application/json", "content-length": row.length })
    response.end(row)
    counted.requests += 1
    counted.millis += performance.now() - since
  }, delay)
})

server.on("connection", (socket) => {
  counted.open += 1
  counted.opened += 1
  counted.peak = Math.max(counted.peak, counted.open)
  socket.once("close", () => {
    counted.open -= 1
  })
})

const counts = createServer((_, response) => {
  response.writeHead(200, { "content-type": "application/json", connection: "close" })
  response.end(JSON.stringify(counted))
})

const listening = (which: Server): Promise<string> =>
  new Promise((resolve) => {
    which.listen(0, "127.0.0.1", () => {
      const address = which.address()
      resolve(`http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`)
    })
  })

process.stdout.write(`${JSON.stringify({ url: await listening(server), countsUrl: await listening(counts) })}\n`)

process.stdin.resume()
process.stdin.once("end", () => process.exit(0))
