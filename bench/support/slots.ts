/**
 * A server with few slots, in a process of its own, as PostgREST is with its database connections: a request that gets no slot
 * within `patience` ms is answered PGRST003, and of those that wait anybody may be next. Prints its URL, and the URL of what it
 * counted, as one line of JSON. Ends with its standard input.
 */
import { createServer, type ServerResponse } from "node:http"
import type { Server } from "node:net"

interface Options {
  readonly slots: number
  readonly delay: number
  readonly patience: number
}

interface Waiting {
  readonly response: ServerResponse
  readonly timer: NodeJS.Timeout
}

const { delay, patience, slots }: Options = JSON.parse(process.argv[2] ?? "{}")

/** Refusals after the first 3 s from the first request are late: by then a limit should be found. */
const settled = 3_000

const counted = { requests: 0, refused: 0, refusedLate: 0 }
let since: number | undefined
let busy = 0
const waiting: Array<Waiting> = []

const answer = (response: ServerResponse, status: number, body: string): void => {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", "content-length": body.length })
  response.end(body)
}

const serve = (response: ServerResponse): void => {
  busy += 1
  setTimeout(() => {
    busy -= 1
    answer(response, 200, '[{"id":1,"name":"a row"}]')
    const [next] = waiting.splice(Math.floor(Math.random() * waiting.length), 1)
    if (next === undefined) return
    clearTimeout(next.timer)
    serve(next.response)
  }, delay)
}

const refuse = (response: ServerResponse): void => {
  waiting.splice(
    waiting.findIndex((one) => one.response === response),
    1
  )
  counted.refused += 1
  if (performance.now() - (since ?? 0) > settled) counted.refusedLate += 1
  const message = "Timed out acquiring connection from connection pool."
  answer(response, 504, JSON.stringify({ code: "PGRST003", message, details: null, hint: null }))
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  request.resume()
  since ??= performance.now()
  counted.requests += 1
  if (busy < slots) serve(response)
  else waiting.push({ response, timer: setTimeout(() => refuse(response), patience) })
})

const counts = createServer((_, response) => answer(response, 200, JSON.stringify(counted)))

const listening = (which: Server): Promise<string> =>
  new Promise((resolve) => {
    which.listen({ port: 0, host: "127.0.0.1", backlog: 1_024 }, () => {
      const address = which.address()
      resolve(`http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`)
    })
  })

process.stdout.write(`${JSON.stringify({ url: await listening(server), countsUrl: await listening(counts) })}\n`)
process.stdin.resume()
process.stdin.once("end", () => process.exit(0))
