/** Who asks too often over HTTP, and who guesses at the admin token: 429 with `Retry-After`. */
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

/** The other end of the socket, for a header can say anything. */
const address: Effect.Effect<string, never, HttpServerRequest.HttpServerRequest> = Effect.map(
  HttpServerRequest.HttpServerRequest,
  ({ remoteAddress }) => clientOf(Option.getOrElse(remoteAddress, () => "unknown"))
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

/** Wrong admin tokens that one guesser may send, before it has to wait `forgiveness` for each of them. */
const each = { tries: 10, forgiveness: Duration.seconds(6) }

/** The same for all guessers together: whoever has many addresses has no more tries for it. */
const together = { tries: 100, forgiveness: Duration.millis(600) }

interface Guesser {
  readonly key: string
  /** At the machine itself: never locked out, since a proxy that leaves no trace looks the same as its administrator. */
  readonly here: boolean
}

/** What a proxy adds, and who asks by way of it cannot take away. */
const traces = /^(?:x-forwarded-.*|forwarded|via|x-real-ip|cf-.*|true-client-ip|x-client-ip|fastly-client-ip)$/

/** Nginx speaks HTTP/1.0 to a server, and adds nothing, unless it is told to; no browser and no curl does. */
const isByProxy = (request: HttpServerRequest.HttpServerRequest): boolean =>
  isHttp10(request) || Object.keys(request.headers).some((name) => traces.test(name))

const guesser: Effect.Effect<Guesser, never, HttpServerRequest.HttpServerRequest> = Effect.map(
  HttpServerRequest.HttpServerRequest,
  (request) => {
    const address = Option.getOrElse(request.remoteAddress, () => "unknown")
    if (!isLoopback(address)) return { key: `from ${clientOf(address)}`, here: false }
    // Whom a proxy of this machine speaks for may be anybody.
    return isByProxy(request) ? { key: "by a proxy", here: false } : { key: "this machine", here: true }
  }
)

/** Who sends wrong admin tokens. Memory only: it slows guessing down, and is no ledger. */
export class Guesses extends Context.Tag("effect-supabase-pool/internal/Guesses")<Guesses, MemoryStore.MemoryStore>() {
  static readonly make: Effect.Effect<MemoryStore.MemoryStore> = MemoryStore.make

  /** Those that are there already, or else new ones. */
  static readonly layerDefault: Layer.Layer<Guesses> = Layer.effect(
    Guesses,
    Effect.flatMap(Effect.serviceOption(Guesses), Option.match({ onNone: () => Guesses.make, onSome: Effect.succeed }))
  )
}

/** How long this guesser has guessed too often, in ms; 0 for not at all. Counts `tokens` more before it looks. */
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

/** The answer to who has guessed too often; it is the same for a right token, or guessing on would pay. */
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

/** For the machine itself, once it has guessed too often: also for a right token, or what is answered at once would tell it. */
export const slowedDown: Effect.Effect<void, never, Guesses | HttpServerRequest.HttpServerRequest> = Effect.gen(
  function* () {
    const who = yield* guesser
    if (who.here && (yield* count(who, 0)) > 0) yield* Effect.sleep(slowness)
  }
)

export const guessedWrong: Effect.Effect<void, never, Guesses | HttpServerRequest.HttpServerRequest> = Effect.asVoid(
  Effect.flatMap(guesser, (who) => count(who, 1))
)
