/** The client that an operation sends with: the pool's own, one with the service-role key, or one with a user's token. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, type Fiber, Option, type Redacted } from "effect"
import { QueryError } from "../../Errors.js"
import type { PooledConnection } from "../connection/pooledConnection.js"
import { unsendableToken } from "../connection/supabaseClient.js"
import { type Identities, tokenIn } from "./identity.js"
import { sourceOf } from "./tokenSource.js"

/** The keys and users of a database. */
interface Owner {
  readonly name: string | undefined
  readonly pools: { readonly identities: Identities }
}

/** An effect where the token has to be asked for first. */
export const clientFor = (
  { name, pools }: Owner,
  connection: PooledConnection,
  as: "service" | undefined,
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
): SupabaseClient | Effect.Effect<SupabaseClient, QueryError> => {
  const { identities } = pools
  if (as === "service") return connection.clientAs(identities.service)
  const token = fiber === undefined ? Option.none() : tokenIn(fiber, name)
  if (Option.isNone(token)) return connection.client
  const source = sourceOf(token.value)
  return source === undefined
    ? ofUser(identities, connection, token.value)
    : Effect.flatMap(source.now, (given) => {
        const client = ofUser(identities, connection, given)
        return client instanceof QueryError ? Effect.fail(client) : Effect.succeed(client)
      })
}

const ofUser = (
  identities: Identities,
  connection: PooledConnection,
  token: Redacted.Redacted
): SupabaseClient | QueryError => unsendableToken(token) ?? connection.clientAs(identities.userOf(token))
