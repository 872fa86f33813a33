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
import { CannotStart, wholeNumber } from "./arguments.js"

const [, , address = "", times = "1"] = process.argv

const Leaked = Schema.Struct({ reclaimedAfter: Schema.String })

const unlike = () =>
  new CannotStart({
    message: 'Give the address that the server printed as "dashboard": "http://127.0.0.1:3000/#token=…"'
  })

const leak = Effect.gen(function* () {
  const { hash, origin } = yield* Effect.try({ try: () => new URL(address), catch: unlike })
  const most = yield* wholeNumber("times", times, 1_000)
  const token = new URLSearchParams(hash.slice(1)).get("token") ?? ""
  const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
  const request = HttpClientRequest.post(`${origin}/demo/leak`).pipe(HttpClientRequest.bearerToken(token))
  for (let nth = 1; nth <= most; nth++) {
    const answer = yield* Effect.flatMap(client.execute(request), (response) => response.json)
    const { reclaimedAfter } = yield* Schema.decodeUnknown(Leaked)(answer)
    yield* Console.log(`${nth}: a connection was forgotten; the pool takes it back after ${reclaimedAfter}`)
  }
})

leak.pipe(
  // Nobody there, another token, another server: one address answers all of them.
  Effect.mapError((error) => (error._tag === "CannotStart" ? error : unlike())),
  Effect.tapError(({ message }) => Console.error(message)),
  Effect.provide(FetchHttpClient.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
