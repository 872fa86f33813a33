/** Does the first request after a quiet minute pay for a TLS handshake? */
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { figure, median } from "./support/figures.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

/**
 * The server hangs up after five seconds of silence, as Node does, and says so. Twice as long shows what a minute would:
 * stock has let its socket go by then, and the pool's would be gone too if it did not keep it.
 */
const serverKeeps = 5_000
const quiet = 11
const rounds = 2

const certificate = fileURLToPath(new URL("../../test/support/tls/cert.pem", import.meta.url))

export const question: Question = {
  name: "quiet",
  asks: `The first request after ${quiet} quiet seconds, TLS, a server that hangs up after ${serverKeeps / 1_000}`,
  run: (progress) =>
    Effect.gen(function* () {
      const measured = yield* Effect.forEach(["ours", "stock"], (made) =>
        Effect.gen(function* () {
          const { counts, url } = yield* server({ tls: true, keepAlive: serverKeeps })
          const client = yield* subject(made, "quiet", made, [url], { env: { NODE_EXTRA_CA_CERTS: certificate } })
          yield* client.ask({})
          const walls: Array<number> = []
          const handshakes: Array<number> = []
          return { counts, client, walls, handshakes }
        })
      )
      for (let round = 1; round <= rounds; round += 1) {
        yield* progress(`round ${round} of ${rounds}: quiet for ${quiet} s`)
        const before = yield* Effect.forEach(measured, ({ counts }) => counts)
        yield* Effect.sleep(`${quiet} seconds`)
        for (const [at, { client, counts, handshakes, walls }] of measured.entries()) {
          const { wall = Number.NaN } = yield* client.ask({})
          walls.push(wall)
          handshakes.push((yield* counts).handshakes - (before[at]?.handshakes ?? 0))
        }
      }
      const [ours, stock] = measured.map(({ handshakes, walls }) => ({
        handshakes: handshakes.reduce((sum, n) => sum + n, 0),
        wall: median(walls)
      }))
      const row = (name: string, seen: typeof ours): ReadonlyArray<string> => [
        name,
        String(seen?.handshakes ?? Number.NaN),
        figure(seen?.wall ?? Number.NaN)
      ]
      return {
        answers: [
          {
            id: "quiet",
            what: "first request after a quiet minute, TLS",
            goal: "no handshake",
            measured: `${ours?.handshakes ?? Number.NaN} handshakes in ${rounds} (supabase-js: ${stock?.handshakes ?? Number.NaN})`,
            passed: ours?.handshakes === 0
          }
        ],
        table: {
          head: ["", `handshakes in ${rounds} quiet times`, "the request, ms"],
          rows: [row("this pool", ours), row("supabase-js", stock)]
        },
        note: `Handshakes are counted by the server. It hangs up after ${serverKeeps / 1_000} s of silence and says so; ${quiet} s stand for the minute.`
      }
    })
}
