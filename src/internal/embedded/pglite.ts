import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Rows } from "../postgrest/rest.js"
import { type Engine, readers, recordsOf } from "./engine.js"
import type { Packages } from "./packages.js"
import { databaseBroken, type EmbeddedStartFailed } from "./startFailed.js"

const parsers = Object.fromEntries(Object.values(readers).map(({ oid, read }) => [oid, read]))

/** PostgreSQL in this process. It has one session: whoever uses it has to take turns, see `requestQueue.ts`. */
export const pglite = (lite: Packages): Effect.Effect<Engine, EmbeddedStartFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => lite.createPgliteConnection({ pgliteOptions: { parsers } }),
      catch: databaseBroken
    }),
    (connection) => Effect.ignore(Effect.tryPromise(() => connection.close()))
  ).pipe(
    Effect.map((connection) => ({
      connection,
      run: (sql) => connection.driver.exec(sql),
      ask: (sql) => connection.driver.query(sql),
      runAtomically: (sql) => connection.driver.transaction((transaction) => transaction.exec(sql)),
      transact: (statements, look) =>
        connection.driver.transaction(async (transaction) => {
          let rows: Rows = []
          for (const sql of statements) rows = recordsOf((await transaction.exec(sql)).at(-1)?.rows)
          look(rows)
          return rows
        })
    }))
  )
