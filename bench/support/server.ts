/**
 * A server that answers everything with one row, at once or after a while, in a process of its own. Prints its two URLs
 * as one line of JSON; what it counted is asked at the second, a port apart, so that asking is not counted. Ends with its
 * standard input.
 */
import { readFileSync } from "node:fs"
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http"
import { createSecureServer, type Http2SecureServer } from "node:http2"
import { createServer as createTlsServer } from "node:https"
import type { Server as NetServer } from "node:net"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

interface Options {
  readonly delay: number
  readonly keepAlive: number
  readonly tls: boolean
  /** So many rows in each answer, compressed where gzip is asked for. */
  readonly rows: number
  /** Whether many rows are compressed for who asks for it. */
  readonly compresses: boolean
  /** So many rows in all, given page by page: by `offset` and `limit`, or behind `id=gt.N`. */
  readonly paged: number
  /** Over TLS, whichever version the client asks for; answers at once. */
  readonly http2: boolean
  /** Each connection with its first answer, and says so. */
  readonly closes: boolean
}

const { closes, compresses, delay, http2, keepAlive, paged, rows, tls }: Options = JSON.parse(process.argv[2] ?? "{}")

const counted = { requests: 0, open: 0, peak: 0, opened: 0, handshakes: 0, millis: 0, bytes: 0 }

const product = (id: number) => ({
  id,
  title: `product ${(id * 7919) % 10_007}`,
  description: `as good as number ${(id * 104_729) % 1_299_709}, and cheaper`,
  price: ((id * 37) % 9_973) / 100,
  created_at: new Date(1_700_000_000_000 + id * 61_000).toISOString()
})

const row = '[{"id":1,"name":"a row"}]'

const many = Buffer.from(JSON.stringify(Array.from({ length: rows }, (_, id) => product(id))))

const packed = compresses ? gzipSync(many) : many

const headers = {
  "content-type": "application/json; charset=utf-8",
  "content-range": "0-0/*",
  ...(closes ? { connection: "close" } : {})
}

/** A request may say itself how long it takes: `?ms=eq.12.5`. Then its row says how long it really took. */
const asked = (url: string): number | undefined => {
  const ms = /[?&]ms=eq\.([\d.]+)/.exec(url)?.[1]
  return ms === undefined ? undefined : Number(ms)
}

/** What stands behind the id of the rows of a page: the same in each, since making them is not what is measured. */
const behindId = Array.from({ length: paged > 0 ? 1_000 : 0 }, (_, nth) =>
  JSON.stringify(product(nth)).replace(/^.*?,/, ",")
)

const numberIn = (url: string, name: RegExp): number | undefined => {
  const found = name.exec(url)?.[1]
  return found === undefined ? undefined : Number(found)
}

const pageOf = (url: string): string => {
  const from = numberIn(url, /[?&]id=gt\.(\d+)/) ?? numberIn(url, /[?&]offset=(\d+)/) ?? 0
  const length = Math.min(numberIn(url, /[?&]limit=(\d+)/) ?? 1_000, 1_000, paged - from)
  return `[${Array.from({ length }, (_, nth) => `{"id":${from + nth + 1}${behindId[nth] ?? "}"}`).join(", \n ")}]`
}

/** Rows that are written come back as they were sent; each thousand takes as long as an answer. */
const written = (request: IncomingMessage, response: ServerResponse): void => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const body = Buffer.concat(chunks)
    let sent = 1
    for (let at = body.indexOf("},{"); at !== -1; at = body.indexOf("},{", at + 3)) sent += 1
    counted.requests += 1
    setTimeout(
      () => {
        response.writeHead(201, { ...headers, "content-length": body.length })
        response.end(body)
      },
      (delay * sent) / 1_000
    )
  })
}

const answer: RequestListener = (request, response) => {
  if (paged > 0 && request.method === "POST") return written(request, response)
  const since = performance.now()
  request.resume()
  const own = asked(request.url ?? "")
  const send = (): void => {
    const took = performance.now() - since
    counted.requests += 1
    counted.millis += took
    const isOne = /[?&]limit=1(?:&|$)/.test(request.url ?? "")
    if (rows > 0 && !isOne) {
      const compressed = compresses && /\bgzip\b/.test(request.headers["accept-encoding"] ?? "")
      const body = compressed ? packed : many
      const encoding = compressed ? { "content-encoding": "gzip" } : {}
      counted.bytes += body.length
      response.writeHead(200, { ...headers, ...encoding, "content-length": body.length })
      response.end(body)
      return
    }
    const body = paged > 0 ? pageOf(request.url ?? "") : own === undefined ? row : `[{"took":${took.toFixed(3)}}]`
    response.writeHead(200, { ...headers, "content-length": body.length })
    response.end(body)
  }
  const wait = own ?? delay
  if (wait > 0) setTimeout(send, wait)
  else send()
}

const certificate = (name: string): Buffer =>
  readFileSync(fileURLToPath(new URL(`../../../test/support/tls/${name}.pem`, import.meta.url)))

const eitherVersion = (): Http2SecureServer =>
  createSecureServer({ allowHTTP1: true, key: certificate("key"), cert: certificate("cert") }, (request, response) => {
    request.resume()
    response.writeHead(200, { ...headers, "content-length": row.length })
    response.end(row)
  })

const server: Server | Http2SecureServer = http2
  ? eitherVersion()
  : tls
    ? createTlsServer({ keepAliveTimeout: keepAlive, key: certificate("key"), cert: certificate("cert") }, answer)
    : createServer({ keepAliveTimeout: keepAlive }, answer)

server.on("connection", (socket) => {
  counted.open += 1
  counted.opened += 1
  counted.peak = Math.max(counted.peak, counted.open)
  socket.once("close", () => {
    counted.open -= 1
  })
})

server.on("secureConnection", () => {
  counted.handshakes += 1
})

const counts = createServer((_, response) => {
  response.writeHead(200, { "content-type": "application/json", connection: "close" })
  response.end(JSON.stringify(counted))
})

const listening = (which: NetServer, scheme: string, backlog: number): Promise<string> =>
  new Promise((resolve) => {
    which.listen({ port: 0, host: "127.0.0.1", backlog }, () => {
      const address = which.address()
      resolve(`${scheme}://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`)
    })
  })

const url = await listening(server, tls || http2 ? "https" : "http", 4_096)
process.stdout.write(`${JSON.stringify({ url, countsUrl: await listening(counts, "http", 64) })}\n`)

process.stdin.resume()
process.stdin.once("end", () => process.exit(0))
