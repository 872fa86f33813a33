/**
 * Makes the server of `npm start` forget to give a connection back, once or several times:
 *
 *     npx tsx examples/leak/leak.ts "http://127.0.0.1:3000/#token=…" 3
 *
 * The address is the dashboard's, as the server printed it.
 */
import { FetchHttpClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"

const [, , address = "", times = "1"] = process.argv

const Leaked = Schema.Struct({ reclaimedAfter: Schema.String })

const leak = Effect.gen(function* () {
  const { hash, origin } = yield* Effect.try(() => new URL(address))
  const token = new URLSearchParams(hash.slice(1)).get("token") ?? ""
  const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
  const request = HttpClientRequest.post(`${origin}/demo/leak`).pipe(HttpClientRequest.bearerToken(token))
  for (let nth = 1; nth <= Number(times); nth++) {
    const answer = yield* Effect.flatMap(client.execute(request), (response) => response.json)
    const { reclaimedAfter } = yield* Schema.decodeUnknown(Leaked)(answer)
    yield* Console.log(`${nth}: a connection was forgotten; the pool takes it back after ${reclaimedAfter}`)
  }
})

leak.pipe(
  Effect.tapError(() =>
    Console.error('Give the address that the server printed as "dashboard": "http://127.0.0.1:3000/#token=…"')
  ),
  Effect.provide(FetchHttpClient.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
