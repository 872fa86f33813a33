import type { getRequestListener } from "@hono/node-server"
import type { App, getAuthSchemaSql, SUPABASE_AUTH_HELPERS_SQL } from "@supabase/lite"
import type { createPgliteConnection } from "@supabase/lite/pglite"
import type { createPostgresConnection } from "@supabase/lite/postgres"
import * as Effect from "effect/Effect"
import { EmbeddedStartFailed, wordsOf } from "./startFailed.js"

/** What is used of the optional packages. They are loaded when a database starts, never by importing this project. */
export interface Packages {
  readonly App: typeof App
  readonly createPgliteConnection: typeof createPgliteConnection
  readonly getAuthSchemaSql: typeof getAuthSchemaSql
  readonly getRequestListener: typeof getRequestListener
  readonly helpersSql: typeof SUPABASE_AUTH_HELPERS_SQL
}

const load = async (): Promise<Packages> => {
  const [lite, pglite, hono] = await Promise.all([
    import("@supabase/lite"),
    import("@supabase/lite/pglite"),
    import("@hono/node-server")
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
  readonly createPostgresConnection: typeof createPostgresConnection
}

export const postgresPackage: Effect.Effect<PostgresPackage, EmbeddedStartFailed> = loaded(
  () => import("@supabase/lite/postgres")
)
