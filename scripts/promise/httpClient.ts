/** What stands for `src/internal/connection/httpClient.ts` in the Promise entry: an import opens no socket. */
import { Effect } from "effect"
import type { Client } from "#undici"

class Late {
  private loaded: typeof Client | undefined

  readonly client: Effect.Effect<typeof Client> = Effect.suspend(() =>
    this.loaded === undefined
      ? Effect.map(
          Effect.promise(() => import("#undici")),
          ({ Client }) => {
            this.loaded = Client
            return Client
          }
        )
      : Effect.succeed(this.loaded)
  )
}

export const { client: httpClient } = new Late()
