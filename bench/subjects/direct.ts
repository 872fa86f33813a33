/** One read of a row by its key, over a connection to PostgreSQL and over the API. */
import { SqlClient } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import * as Db from "../../src/Db.js"
import { reading } from "../support/options.js"
import { connections, query } from "../support/read.js"
import { runtime } from "../support/runtime.js"
import { fibers, type Make } from "../support/subject.js"

export const sqlRead: Make = async (url = "", table = "") => {
  const layer = PgClient.layer({
    url: Redacted.make(url),
    minConnections: connections,
    maxConnections: connections
  })
  const { run } = await runtime(layer)
  await run(Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(table)))
  return fibers(
    run,
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select id, name from rows where id = ${1} limit 1`)
  )
}

export const apiRead: Make = async (url = "", anonKey = "", serviceRoleKey = "") => {
  const { run } = await runtime(Db.layerOf({ ...reading(url, connections), anonKey, serviceRoleKey }))
  return fibers(run, Db.read(query))
}
