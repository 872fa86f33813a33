/** Whom an operation is for, and the client that sends it: the pool's own, the service's, or one with a user's token. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Exit, type Fiber, Option, type Redacted } from "effect"
import type { QueryError } from "../../Errors.js"
import type { PooledConnection } from "../connection/pooledConnection.js"
import { unsendableToken } from "../connection/supabaseClient.js"
import { type Identities, tokenIn } from "./identity.js"
import { sourceOf, TokenSource } from "./tokenSource.js"

/** The keys and users of a database. */
interface Owner {
  readonly name: string | undefined
  readonly pools: { readonly identities: Identities }
}

/** A user's token, or who is asked for it anew for each attempt. */
export type Token = Redacted.Redacted | TokenSource

interface Asked {
  readonly as?: "service" | undefined
  readonly token?: Token | undefined
}

export const sendable = (token: Redacted.Redacted): Exit.Exit<Redacted.Redacted, QueryError> => {
  const wrong = unsendableToken(token)
  return wrong === undefined ? Exit.succeed(token) : Exit.fail(wrong)
}

/** The user's token, where there is a user: an effect where it has to be asked for, or cannot be sent. */
export const tokenFor = (
  { name }: Owner,
  { as, token }: Asked,
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
): Redacted.Redacted | Effect.Effect<Redacted.Redacted, QueryError> | undefined => {
  if (as === "service") return undefined
  const found = token ?? (fiber === undefined ? undefined : Option.getOrUndefined(tokenIn(fiber, name)))
  if (found === undefined) return undefined
  if (found instanceof TokenSource) return Effect.flatMap(found.now, sendable)
  const source = sourceOf(found)
  return source === undefined ? (unsendableToken(found) ?? found) : Effect.flatMap(source.now, sendable)
}

/** `token` can be sent. */
export const clientFor = (
  { pools: { identities } }: Owner,
  connection: PooledConnection,
  as: "service" | undefined,
  token: Redacted.Redacted | undefined
): SupabaseClient => {
  if (as === "service") return connection.clientAs(identities.service)
  return token === undefined ? connection.client : connection.clientAs(identities.userOf(token))
}
