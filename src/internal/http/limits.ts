/** Limits for frequent HTTP requests and for guesses at the admin token: 429 with `Retry-After`. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Context, Duration, Effect, Layer, Option } from "effect"
import * as RateLimit from "../../RateLimit.js"
import * as MemoryStore from "../rateLimit/memoryStore.js"
import { clientOf, isLoopback } from "./addresses.js"
import { isHttp10 } from "./nodeRequest.js"
import { problem, retryAfter } from "./responses.js"

const tooMany = (error: string, wait: Duration.Duration): HttpServerResponse.HttpServerResponse =>
  problem(429, error, retryAfter(wait))

/** The other end of the socket, since a header can contain anything. */
const address: Effect.Effect<string, never, HttpServerRequest.HttpServerRequest> = Effect.map(
  HttpServerRequest.HttpServerRequest,
  ({ remoteAddress }) => clientOf(Option.getOrElse(remoteAddress, () => "unknown"))
)

/** For a route that uses the pool; each client address has its own window. */
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

/** The number of wrong admin tokens that one address may send before it has to wait `forgiveness` for each of them. */
const each = { tries: 10, forgiveness: Duration.seconds(6) }

/** The same for all addresses together: many addresses do not give more tries. */
const together = { tries: 100, forgiveness: Duration.millis(600) }

interface Guesser {
  readonly key: string
  /** On the machine itself: never locked out, since a proxy that leaves no trace looks the same as the administrator. */
  readonly here: boolean
}

/** Headers that a proxy adds, and its clients cannot remove. */
const traces = /^(?:x-forwarded-.*|forwarded|via|x-real-ip|cf-.*|true-client-ip|x-client-ip|fastly-client-ip)$/

/** By default, nginx speaks HTTP/1.0 to a server and adds no header; no browser and no curl does. */
const isByProxy = (request: HttpServerRequest.HttpServerRequest): boolean =>
  isHttp10(request) || Object.keys(request.headers).some((name) => traces.test(name))

const guesser: Effect.Effect<Guesser, never, HttpServerRequest.HttpServerRequest> = Effect.map(
  HttpServerRequest.HttpServerRequest,
  (request) => {
    const address = Option.getOrElse(request.remoteAddress, () => "unknown")
    if (!isLoopback(address)) return { key: `from ${clientOf(address)}`, here: false }
    // A proxy on this machine may speak for anybody.
    return isByProxy(request) ? { key: "by a proxy", here: false } : { key: "this machine", here: true }
  }
)

/** The addresses that send wrong admin tokens. In memory only: it slows guessing down. */
export class Guesses extends Context.Tag("effect-supabase-pool/internal/Guesses")<Guesses, MemoryStore.MemoryStore>() {
  static readonly make: Effect.Effect<MemoryStore.MemoryStore> = MemoryStore.make

  /** The existing guesses, or new ones. */
  static readonly layerDefault: Layer.Layer<Guesses> = Layer.effect(
    Guesses,
    Effect.flatMap(Effect.serviceOption(Guesses), Option.match({ onNone: () => Guesses.make, onSome: Effect.succeed }))
  )
}

/** How long this address has to wait, in ms; 0 if it need not. Adds `tokens` to its count first. */
const count = ({ here, key }: Guesser, tokens: number): Effect.Effect<number, never, Guesses> =>
  Effect.gen(function* () {
    const guesses = yield* Guesses
    const wait = (name: string, { forgiveness, tries }: typeof each): Effect.Effect<number> =>
      guesses.fixedWindow({ key: name, tokens, refillRate: forgiveness, limit: undefined }).pipe(
        Effect.orDie,
        Effect.map(([guessed, millis]) => (guessed < tries ? 0 : millis))
      )
    return Math.max(yield* wait(key, each), here ? 0 : yield* wait("everybody", together))
  })

/** The answer after too many guesses; it is the same for the right token, since otherwise guessing on would pay off. */
export const tooManyGuesses: Effect.Effect<
  Option.Option<HttpServerResponse.HttpServerResponse>,
  never,
  Guesses | HttpServerRequest.HttpServerRequest
> = Effect.gen(function* () {
  const who = yield* guesser
  const millis = who.here ? 0 : yield* count(who, 0)
  return millis === 0 ? Option.none() : Option.some(tooMany("Too many wrong admin tokens.", Duration.millis(millis)))
})

const slowness = Duration.seconds(1)

/**
 * The delay for the machine itself after too many guesses. It applies to the right token too, since an immediate answer
 * would reveal it.
 */
export const slowedDown: Effect.Effect<void, never, Guesses | HttpServerRequest.HttpServerRequest> = Effect.gen(
  function* () {
    const who = yield* guesser
    if (who.here && (yield* count(who, 0)) > 0) yield* Effect.sleep(slowness)
  }
)

export const guessedWrong: Effect.Effect<void, never, Guesses | HttpServerRequest.HttpServerRequest> = Effect.asVoid(
  Effect.flatMap(guesser, (who) => count(who, 1))
)
