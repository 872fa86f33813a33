/** Who the requests of a fiber are sent as: the service, everybody, or the user whose access token it has. */
import { Effect, Fiber, FiberRef, identity, Option, type Redacted } from "effect"
import type { Credentials } from "../Connection.js"

/** A user's access token, for everything that runs inside `Db.withAccessToken`. */
export const accessToken: FiberRef.FiberRef<Option.Option<Redacted.Redacted>> = FiberRef.unsafeMake(
  Option.none<Redacted.Redacted>()
)

/**
 * What is made under a token never runs with more rights than the token's, wherever it runs: a stream that a handler returns
 * runs after the handler, and without its token it would be everybody's, or the service's where the table says so. A token that
 * is there when it runs stands above the one that it was made under.
 */
export const asMade = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => asMaker()(effect)

/** The same for what is made later, by whoever runs it. */
export const asMaker = (): (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) => {
  const maker = Option.getOrUndefined(Fiber.getCurrentFiber())
  const token = maker === undefined ? Option.none() : maker.getFiberRef(accessToken)
  if (Option.isNone(token)) return identity
  return (effect) =>
    Effect.flatMap(FiberRef.get(accessToken), (now) =>
      Option.isSome(now) ? effect : Effect.locally(effect, accessToken, token)
    )
}

/** The identities of one database. */
export class Identities {
  /** The service-role key, for what is read past row level security. */
  readonly service: Credentials
  readonly #anonKey: Redacted.Redacted
  readonly #users: WeakMap<Redacted.Redacted, Credentials> = new WeakMap()

  constructor(anonKey: Redacted.Redacted, serviceRoleKey: Redacted.Redacted) {
    this.#anonKey = anonKey
    this.service = { key: serviceRoleKey, token: serviceRoleKey }
  }

  /** The same object for the same token: connections keep a client for each. */
  userOf(token: Redacted.Redacted): Credentials {
    const known = this.#users.get(token)
    if (known !== undefined) return known
    const credentials = { key: this.#anonKey, token }
    this.#users.set(token, credentials)
    return credentials
  }
}
