/** Would HTTP/2 be cheaper than a socket for each connection? */
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { figure } from "./support/figures.js"
import { interleave } from "./support/interleave.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

const certificate = fileURLToPath(new URL("../../test/support/tls/cert.pem", import.meta.url))

const versions = [
  { name: "HTTP/1.1, 20 sockets", made: "first" },
  { name: "HTTP/2, one socket, 20 streams", made: "second" }
] as const

export const question: Question = {
  name: "http2",
  asks: "CPU of one request by undici alone over TLS, 20 at a time: HTTP/1.1 against HTTP/2",
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server({ http2: true })
      const subjects = yield* Effect.forEach(versions, ({ made, name }) =>
        subject(name, "http2", made, [url], { env: { NODE_EXTRA_CA_CERTS: certificate } })
      )
      const seen = yield* interleave(subjects, { callers: 20, operations: 4_000 }, 7, progress)
      const [one] = versions
      return {
        answers: [],
        table: {
          head: ["", "CPU, µs", "× HTTP/1.1"],
          rows: versions.map(({ name }) => [name, figure(seen.of(name)), figure(seen.of(name) / seen.of(one.name), 2)])
        },
        note: "HTTP/2 would have to be cheaper than this to be worth a second kind of connection."
      }
    })
}
