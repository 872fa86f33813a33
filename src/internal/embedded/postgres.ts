import type { PostgresConnection } from "@supabase/lite/postgres"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Rows } from "../postgrest/rest.js"
import { type Engine, readers, recordsOf } from "./engine.js"
import { type PostgresPackage, postgresPackage } from "./packages.js"
import { EmbeddedStartFailed, wordsOf } from "./startFailed.js"
import { randomName } from "./token.js"

export interface PostgresOptions {
  /** A connection string of a role that may create databases and roles. */
  readonly url: Redacted.Redacted
  readonly connections: number
}

const unreachable = (cause: unknown): EmbeddedStartFailed =>
  // What cannot be parsed may hold a password, and the parser's error holds what it could not parse.
  cause instanceof TypeError
    ? new EmbeddedStartFailed({ stage: "server", reason: "the PostgreSQL connection string cannot be read" })
    : new EmbeddedStartFailed({ stage: "server", reason: `the PostgreSQL server said no (${wordsOf(cause)})`, cause })

const parsers = Object.fromEntries(
  Object.entries(readers).map(([name, { oid, read }]) => [
    name,
    { to: oid, from: [oid], serialize: String, parse: read }
  ])
)

/** Lite hands JSON over as text already. PGlite takes a text as it is; lite's own setting would quote it once more. */
const json = (oid: number) => ({
  to: oid,
  from: [oid],
  serialize: (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value)),
  parse: (text: string): unknown => JSON.parse(text)
})

const types = { ...parsers, json: json(114), jsonb: json(3802) }

const connected = (
  lite: PostgresPackage,
  { connections, url }: PostgresOptions,
  database?: string
): Effect.Effect<PostgresConnection, EmbeddedStartFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () =>
        lite.createPostgresConnection({
          url: Redacted.value(url),
          postgresOptions: {
            max: connections,
            types,
            connect_timeout: 10,
            // Notices go to the console otherwise.
            onnotice: () => undefined,
            ...(database === undefined ? {} : { database })
          }
        }),
      catch: unreachable
    }),
    (connection) => Effect.ignore(Effect.tryPromise(() => connection.driver.end({ timeout: 1 })))
  )

/** A database of its own on that server, dropped at the end: what the server holds already is neither seen nor changed. */
const temporaryDatabase = (
  lite: PostgresPackage,
  options: PostgresOptions
): Effect.Effect<string, EmbeddedStartFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const admin = yield* connected(lite, { ...options, connections: 1 })
    const name = `embedded_${randomName()}`
    const run = (sql: string) => Effect.tryPromise({ try: () => admin.driver.unsafe(sql), catch: unreachable })
    yield* Effect.acquireRelease(
      // template0, since a session of somebody else's in template1 would be in the way.
      run(`create database ${name} template template0 encoding 'UTF8'`),
      () => Effect.ignore(run(`drop database if exists ${name} with (force)`))
    )
    return name
  })

/**
 * PostgreSQL in another process. Lite's driver keeps up to `connections` sessions, a request has one to itself from its
 * `BEGIN` to its `COMMIT`, and requests beyond that wait in order: as PostgREST does with its `db-pool`.
 */
export const postgres = (options: PostgresOptions): Effect.Effect<Engine, EmbeddedStartFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const lite = yield* postgresPackage
    const name = yield* temporaryDatabase(lite, options)
    const connection = yield* connected(lite, options, name)
    return {
      connection,
      run: (sql) => connection.driver.unsafe(sql),
      ask: (sql) => connection.driver.unsafe(sql),
      runAtomically: (sql) => connection.driver.begin((transaction) => transaction.unsafe(sql)),
      transact: async (statements, look) => {
        let rows: Rows = []
        await connection.driver.begin(async (transaction) => {
          for (const sql of statements) rows = recordsOf([...(await transaction.unsafe(sql))])
          look(rows)
        })
        return rows
      }
    }
  })
