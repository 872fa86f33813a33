/** Who asks too often over HTTP, and who guesses at the admin token: 429 with `Retry-After`. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Context, Duration, Effect, Layer, Option } from "effect"
import * as RateLimit from "../../RateLimit.js"
import * as MemoryStore from "../rateLimit/memoryStore.js"
import { problem, retryAfter } from "./responses.js"

const tooMany = (error: string, wait: Duration.Duration): HttpServerResponse.HttpServerResponse =>
  problem(429, error, retryAfter(wait))

/** The other end of the socket, for a header can say anything. */
const address: Effect.Effect<string, never, HttpServerRequest.HttpServerRequest> = Effect.map(
  HttpServerRequest.HttpServerRequest,
  ({ remoteAddress }) => Option.getOrElse(remoteAddress, () => "unknown")
)

/** For a route that makes the pool work; each client's address has a window of its own. */
export const limited = <E, R>(
  answer: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  E,
  R | RateLimit.RateLimit | HttpServerRequest.HttpServerRequest
> =>
  Effect.gen(function* () {
    const limit = yield* RateLimit.RateLimit
    const refused = yield* Effect.flip(limit.admit(`http ${yield* address}`)).pipe(Effect.option)
    return Option.isNone(refused) ? yield* answer : tooMany(refused.value.message, refused.value.retryAfter)
  })

/** Wrong admin tokens that an address may send, before it has to wait `forgiveness` for each of them. */
const tries = 10
const forgiveness = Duration.seconds(6)

/** Who sends wrong admin tokens. Memory only: it slows guessing down, and is no ledger. */
export class Guesses extends Context.Tag("effect-supabase-pool/internal/Guesses")<Guesses, MemoryStore.MemoryStore>() {
  static readonly layer: Layer.Layer<Guesses> = Layer.effect(Guesses, MemoryStore.make)
}

const count = (
  guesses: MemoryStore.MemoryStore,
  tokens: number
): Effect.Effect<readonly [count: number, millis: number], never, HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(address, (key) =>
    Effect.orDie(guesses.fixedWindow({ key, tokens, refillRate: forgiveness, limit: undefined }))
  )

/** The answer to who has guessed too often; it is the same for a right token, or guessing on would pay. */
export const tooManyGuesses: Effect.Effect<
  Option.Option<HttpServerResponse.HttpServerResponse>,
  never,
  Guesses | HttpServerRequest.HttpServerRequest
> = Effect.map(
  Effect.flatMap(Guesses, (guesses) => count(guesses, 0)),
  ([guessed, millis]) =>
    guessed < tries
      ? Option.none()
      : Option.some(tooMany("Too many wrong admin tokens from this address.", Duration.millis(millis)))
)

export const guessedWrong: Effect.Effect<void, never, Guesses | HttpServerRequest.HttpServerRequest> = Effect.flatMap(
  Guesses,
  (guesses) => count(guesses, 1)
)
