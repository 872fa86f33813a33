/** A process with a PostgreSQL server of its own, to be killed: prints the server's connection string, and stays. */
import { Console, Effect, Redacted } from "effect"
import { postgresServer } from "../../src/internal/embedded/postgresServer.js"

await Effect.runPromise(
  Effect.scoped(
    postgresServer().pipe(
      Effect.flatMap(({ url }) => Console.log(Redacted.value(url))),
      Effect.zipRight(Effect.never)
    )
  )
)
