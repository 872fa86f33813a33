import type * as Hono from "@hono/node-server"
import type * as Lite from "@supabase/lite"
import type * as Pglite from "@supabase/lite/pglite"
import type * as Postgres from "@supabase/lite/postgres"
import * as Effect from "effect/Effect"
import { optionalPeer } from "../shared/optionalPeer.js"
import { EmbeddedStartFailed, wordsOf } from "./startFailed.js"

/** What is used of the optional packages. They are loaded when a database starts, never by importing this project. */
export interface Packages {
  readonly App: typeof Lite.App
  readonly createPgliteConnection: typeof Pglite.createPgliteConnection
  readonly getAuthSchemaSql: typeof Lite.getAuthSchemaSql
  readonly getRequestListener: typeof Hono.getRequestListener
  readonly helpersSql: typeof Lite.SUPABASE_AUTH_HELPERS_SQL
}

const load = async (): Promise<Packages> => {
  const [lite, pglite, hono] = await Promise.all([
    optionalPeer<typeof Lite>("@supabase/lite"),
    optionalPeer<typeof Pglite>("@supabase/lite/pglite"),
    optionalPeer<typeof Hono>("@hono/node-server")
  ])
  return {
    App: lite.App,
    createPgliteConnection: pglite.createPgliteConnection,
    getAuthSchemaSql: lite.getAuthSchemaSql,
    getRequestListener: hono.getRequestListener,
    helpersSql: lite.SUPABASE_AUTH_HELPERS_SQL
  }
}

const missing = (cause: unknown): EmbeddedStartFailed =>
  new EmbeddedStartFailed({
    stage: "package",
    reason: `an optional package could not be loaded (${wordsOf(cause)})`,
    cause
  })

/**
 * Loading lite replaces `process.emitWarning` for good by a version that throws when it is given an Error, as Node
 * itself does. The original is put back.
 */
const loaded = <A>(load: () => Promise<A>): Effect.Effect<A, EmbeddedStartFailed> =>
  Effect.acquireUseRelease(
    Effect.sync(() => process.emitWarning),
    () => Effect.tryPromise({ try: load, catch: missing }),
    (original) =>
      Effect.sync(() => {
        process.emitWarning = original
      })
  )

export const packages: Effect.Effect<Packages, EmbeddedStartFailed> = loaded(load)

/** What a PostgreSQL server needs beside them. */
export interface PostgresPackage {
  readonly createPostgresConnection: typeof Postgres.createPostgresConnection
}

export const postgresPackage: Effect.Effect<PostgresPackage, EmbeddedStartFailed> = loaded(() =>
  optionalPeer<typeof Postgres>("@supabase/lite/postgres")
)
