/** Whom a view of the Promise API asks for: everybody, or the user of `withAccessToken`. */
import { Effect, Option, Redacted } from "effect"
import type { QueryError } from "../../Errors.js"
import { unsendableToken } from "../connection/supabaseClient.js"
import type { Token } from "../db/clientFor.js"
import { accessToken } from "../db/identity.js"
import { TokenFunction, TokenSource } from "../db/tokenSource.js"
import type { Running } from "./host.js"

type Limits = Pick<Running, "operations">

/**
 * A user's access token (JWT), or a function that gives it: that is asked when a request is about to be sent, and again
 * for each attempt. A token that the server refuses (401, `PGRST301` or `PGRST303`: it has expired) is asked for once more, and
 * the request is sent once more.
 *
 * @since 0.1.0
 * @category models
 */
export type AccessToken = string | (() => string | PromiseLike<string>)

export class User {
  readonly #token: Redacted.Redacted | TokenFunction

  constructor(token: unknown) {
    if (typeof token === "string") this.#token = Redacted.make(token)
    else if (typeof token === "function") this.#token = new TokenFunction(() => Reflect.apply(token, undefined, []))
    else {
      throw new TypeError(
        `withAccessToken: ${token === null ? "null" : `a value of type ${typeof token}`} is no access token. ` +
          "Nothing is sent as somebody else: give the user's token, or a function that gives it."
      )
    }
  }

  /** Of a function, one for each operation: who is asked may be another each time. */
  tokenFor({ operations }: Limits): Token {
    const token = this.#token
    return token instanceof TokenFunction ? new TokenSource(token, operations.tokenLimit) : token
  }

  /** Everything inside is this user's. */
  as<A, E, R>(running: Limits, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const token = this.tokenFor(running)
    return Effect.locally(effect, accessToken, Option.some(token instanceof TokenSource ? token.placeholder : token))
  }

  /** What a header has to say, now. */
  sendable({ operations }: Limits): Effect.Effect<Redacted.Redacted, QueryError> {
    const token = this.#token
    const given =
      token instanceof TokenFunction ? new TokenSource(token, operations.tokenLimit).now : Effect.succeed(token)
    return Effect.flatMap(given, (jwt) => unsendableToken(jwt) ?? Effect.succeed(jwt))
  }
}
