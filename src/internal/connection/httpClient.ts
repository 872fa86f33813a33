import { Effect } from "effect"
import { Client } from "#undici"

/** What writes and parses HTTP, when it is there: in the Promise entry it is loaded with the first socket. */
export const httpClient: Effect.Effect<typeof Client> = Effect.succeed(Client)
