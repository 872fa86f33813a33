/**
 * Load on the server of `npm start`: so many searches at once, for so many seconds.
 *
 *     npx tsx examples/leak/load.ts http://127.0.0.1:3000 30 40
 */
import { FetchHttpClient, HttpClient } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Ref } from "effect"
import { CannotStart, wholeNumber } from "./arguments.js"

const [, , address = "http://127.0.0.1:3000", forSeconds = "30", searches = "40"] = process.argv

const words = ["laptop", "book", "lamp", "chair", "phone"]

const load = Effect.gen(function* () {
  const seconds = yield* wholeNumber("seconds", forSeconds, 86_400)
  const atOnce = yield* wholeNumber("searches at once", searches, 10_000)
  const client = yield* HttpClient.HttpClient
  const ask = (word: string) =>
    Effect.flatMap(client.get(`${address}/demo/search?query=${word}`), (response) =>
      Effect.as(response.text, response.status === 200)
    )
  // A missing server answers no search, and would be asked as fast as this machine can.
  yield* Effect.mapError(
    ask("laptop"),
    () => new CannotStart({ message: `Nothing answers at ${address}. Start the server, or give its address.` })
  )
  const answered = yield* Ref.make(0)
  const refused = yield* Ref.make(0)
  const search = (word: string) =>
    Effect.flatMap(
      Effect.orElseSucceed(ask(word), () => false),
      (isAnswered) => Ref.update(isAnswered ? answered : refused, (n) => n + 1)
    )
  const caller = (first: number) =>
    Effect.forever(Effect.forEach(words, (_, index) => search(words[(first + index) % words.length] ?? "laptop")))
  const callers = Effect.forEach(
    Array.from({ length: atOnce }, (_, index) => index),
    caller,
    { concurrency: "unbounded", discard: true }
  )
  yield* Effect.timeoutOption(callers, `${seconds} seconds`)
  yield* Console.log(`${yield* answered} searches answered, ${yield* refused} refused, in ${seconds} s`)
})

load.pipe(
  Effect.tapErrorTag("CannotStart", ({ message }) => Console.error(message)),
  Effect.provide(FetchHttpClient.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
