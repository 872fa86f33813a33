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

let loading = 0
let genuine: PropertyDescriptor | undefined

/**
 * Loading lite replaces `process.emitWarning` by a version that throws when it is given an Error, as Node itself does (the
 * warning of too many listeners). So nobody can replace it while lite is loaded, by however many at once.
 */
const shielded = Effect.acquireRelease(
  Effect.sync(() => {
    loading += 1
    if (loading > 1) return
    genuine = Object.getOwnPropertyDescriptor(process, "emitWarning")
    const { emitWarning } = process
    Object.defineProperty(process, "emitWarning", {
      configurable: true,
      enumerable: true,
      get: () => emitWarning,
      set: () => undefined
    })
  }),
  () =>
    Effect.sync(() => {
      loading -= 1
      if (loading === 0 && genuine !== undefined) Object.defineProperty(process, "emitWarning", genuine)
    })
)

const loaded = <A>(load: () => Promise<A>): Effect.Effect<A, EmbeddedStartFailed> =>
  Effect.scoped(Effect.zipRight(shielded, Effect.tryPromise({ try: load, catch: missing })))

export const packages: Effect.Effect<Packages, EmbeddedStartFailed> = loaded(load)

/** What a PostgreSQL server needs beside them. */
export interface PostgresPackage {
  readonly createPostgresConnection: typeof Postgres.createPostgresConnection
}

export const postgresPackage: Effect.Effect<PostgresPackage, EmbeddedStartFailed> = loaded(() =>
  optionalPeer<typeof Postgres>("@supabase/lite/postgres")
)
