/** Who the requests of a fiber are sent as: the service, everybody, or the user whose access token it has. */
import { Effect, Fiber, FiberRef, identity, Option, type Redacted } from "effect"
import type { Credentials } from "../../Connection.js"

/** A user's access token, for everything that runs inside `Db.withAccessToken`. */
export const accessToken: FiberRef.FiberRef<Option.Option<Redacted.Redacted>> = FiberRef.unsafeMake(
  Option.none<Redacted.Redacted>()
)

/** The same for databases of a name of their own, which the token of `Db.withAccessToken` is for where they have none. */
export const ownTokens: FiberRef.FiberRef<ReadonlyMap<string, Redacted.Redacted>> = FiberRef.unsafeMake<
  ReadonlyMap<string, Redacted.Redacted>
>(new Map())

/** The name of a service's database; the one of `Db` has none. */
const names: WeakMap<object, string> = new WeakMap()

export const named = <A extends object>(service: A, name: string | undefined): A => {
  if (name !== undefined) names.set(service, name)
  return service
}

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Whose token a database is asked with. */
export const tokenIn = (fiber: AnyFiber, name: string | undefined): Option.Option<Redacted.Redacted> => {
  const own = name === undefined ? undefined : fiber.getFiberRef(ownTokens).get(name)
  return own === undefined ? fiber.getFiberRef(accessToken) : Option.some(own)
}

export const tokenOf = (name: string | undefined): Effect.Effect<Option.Option<Redacted.Redacted>> =>
  Effect.withFiberRuntime((fiber) => Effect.succeed(tokenIn(fiber, name)))

export const tokenFor = (service: object): Effect.Effect<Option.Option<Redacted.Redacted>> =>
  tokenOf(names.get(service))

/** Under no token, whoever asks. */
export const asNobody = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  effect.pipe(Effect.locally(accessToken, Option.none()), Effect.locally(ownTokens, new Map()))

/**
 * What is made under a token never runs with more rights than the token's, wherever it runs: a stream that a handler returns
 * runs after the handler, and without its token it would be everybody's, or the service's where the table says so. A token that
 * is there when it runs stands above the one that it was made under.
 */
export const asMade = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => asMaker()(effect)

/** The same for what is made later, by whoever runs it. */
export const asMaker = (): (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) => {
  const maker = Option.getOrUndefined(Fiber.getCurrentFiber())
  if (maker === undefined) return identity
  const token = maker.getFiberRef(accessToken)
  const own = maker.getFiberRef(ownTokens)
  if (Option.isNone(token) && own.size === 0) return identity
  return (effect) =>
    Effect.withFiberRuntime((fiber) => {
      const now = fiber.getFiberRef(accessToken)
      const ownNow = fiber.getFiberRef(ownTokens)
      return effect.pipe(
        Effect.locally(accessToken, Option.isSome(now) ? now : token),
        Effect.locally(ownTokens, own.size === 0 ? ownNow : new Map([...own, ...ownNow]))
      )
    })
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
