import type { PgliteConnection } from "@supabase/lite/pglite"
import type { PostgresConnection } from "@supabase/lite/postgres"
import type { Database, Rows } from "../postgrest/rest.js"

/** A PostgreSQL that lite serves, and the two ways in which SQL of many statements is run on it. */
export interface Engine extends Database {
  readonly connection: PgliteConnection | PostgresConnection
  readonly run: (sql: string) => Promise<unknown>
  /** One statement by the extended protocol, as lite's own. */
  readonly ask: (sql: string) => Promise<unknown>
  /** In a transaction of its own. */
  readonly runAtomically: (sql: string) => Promise<unknown>
}

/**
 * PostgREST lets PostgreSQL write the JSON; lite writes it from the rows. These make the values come out alike: numeric
 * as a number (`19.90` was the string "19.90"), timestamps with a `T` and a whole offset.
 */
export const readers = {
  numeric: { oid: 1700, read: Number },
  timestamp: { oid: 1114, read: (value: string): string => value.replace(" ", "T") },
  timestamptz: {
    oid: 1184,
    read: (value: string): string => value.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00")
  }
} as const

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

export const recordsOf = (rows: ReadonlyArray<unknown> | undefined): Rows => (rows ?? []).filter(isRecord)
