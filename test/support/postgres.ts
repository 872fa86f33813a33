/**
 * A PostgreSQL server for tests that need more than the one session of the embedded database: the machine's own,
 * started for the test file. Where there is none its tests are skipped, and CI takes no skip.
 */
import { describe } from "@effect/vitest"
import { Context, Effect, Layer, Option, type Redacted } from "effect"
import { postgresPrograms, postgresServer } from "../../src/internal/embedded/postgresServer.js"

const isInstalled = Option.isSome(await Effect.runPromise(postgresPrograms))

if (!isInstalled) {
  process.stdout.write("No PostgreSQL on this machine (Debian: apt-get install postgresql): its tests are skipped.\n")
}

/** As `describe`, where there is a PostgreSQL. */
export const describePostgres = describe.skipIf(!isInstalled)

/** The connection string of the test file's server. */
export class PostgresUrl extends Context.Tag("test/PostgresUrl")<PostgresUrl, Redacted.Redacted>() {
  static readonly Live: Layer.Layer<PostgresUrl> = Layer.orDie(
    Layer.scoped(
      PostgresUrl,
      Effect.map(postgresServer(), ({ url }) => url)
    )
  )
}
