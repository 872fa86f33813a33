/**
 * Load on the server of `npm start`: so many searches at once, for so many seconds.
 *
 *     npx tsx examples/leak/load.ts http://127.0.0.1:3000 30 40
 */
import { FetchHttpClient, HttpClient } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Ref } from "effect"

const [, , url = "http://127.0.0.1:3000", seconds = "30", atOnce = "40"] = process.argv

const words = ["laptop", "book", "lamp", "chair", "phone"]

const load = Effect.gen(function* () {
  const client = yield* HttpClient.HttpClient
  const answered = yield* Ref.make(0)
  const refused = yield* Ref.make(0)
  const search = (word: string) =>
    Effect.flatMap(client.get(`${url}/demo/search?query=${word}`), (response) =>
      Effect.zipRight(
        response.text,
        Ref.update(response.status === 200 ? answered : refused, (n) => n + 1)
      )
    ).pipe(Effect.catchAll(() => Ref.update(refused, (n) => n + 1)))
  const caller = (first: number) =>
    Effect.forever(Effect.forEach(words, (_, index) => search(words[(first + index) % words.length] ?? "laptop")))
  yield* Effect.forEach(
    Array.from({ length: Number(atOnce) }, (_, index) => index),
    caller,
    {
      concurrency: "unbounded",
      discard: true
    }
  ).pipe(Effect.timeoutOption(`${Number(seconds)} seconds`))
  yield* Console.log(`${yield* answered} searches answered, ${yield* refused} refused, in ${seconds} s`)
})

load.pipe(Effect.provide(FetchHttpClient.layer), NodeRuntime.runMain)
