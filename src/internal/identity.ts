/** Who the requests of a fiber are sent as: the service, everybody, or the user whose access token it has. */
import { FiberRef, Option, type Redacted } from "effect"
import type { Credentials } from "../Connection.js"

/** A user's access token, for everything that runs inside `Db.withAccessToken`. */
export const accessToken: FiberRef.FiberRef<Option.Option<Redacted.Redacted>> = FiberRef.unsafeMake(
  Option.none<Redacted.Redacted>()
)

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
