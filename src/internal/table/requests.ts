/** What is sent for one row, whether alone or as a step of a transaction. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import type { DecodeError } from "../../Errors.js"
import type { PostgrestResult } from "../db/postgrestResult.js"
import type { Columns, Values } from "./columns.js"
import { equality, type Scalar } from "./literal.js"

type Key = NonNullable<Scalar>

type TableRequest = (client: SupabaseClient) => PromiseLike<PostgrestResult>

export const byKey =
  ({ key, selected, table }: Columns, scalar: Key): TableRequest =>
  (client) =>
    client
      .from(table)
      .select(selected)
      .filter(key.column, ...equality(scalar))
      .single()

export const inserted =
  ({ selected, table }: Columns, values: Values): TableRequest =>
  (client) =>
    client.from(table).insert(values).select(selected).single()

/** Without changes the row is read, and nothing is written. */
export const changed = (columns: Columns, scalar: Key, values: Values): TableRequest => {
  const { key, selected, table } = columns
  if (Object.keys(values).length === 0) return byKey(columns, scalar)
  return (client) =>
    client
      .from(table)
      .update(values)
      .filter(key.column, ...equality(scalar))
      .select(selected)
      .single()
}

export const upserted =
  ({ selected, table }: Columns, values: Values, conflict: ReadonlyArray<string>): TableRequest =>
  (client) =>
    client
      .from(table)
      .upsert(values, { onConflict: conflict.join(",") })
      .select(selected)
      .single()

export const removed =
  ({ key, selected, table }: Columns, scalar: Key): TableRequest =>
  (client) =>
    client
      .from(table)
      .delete()
      .filter(key.column, ...equality(scalar))
      .select(selected)
      .single()

/** The columns that decide whether a row is there: the key, where nothing else is said. */
export const conflictOf = (
  columns: Columns,
  onConflict: string | ReadonlyArray<string> = columns.key.name
): Effect.Effect<ReadonlyArray<string>, DecodeError> =>
  Effect.map(
    Effect.forEach([onConflict].flat(), (name) => columns.column(name)),
    (found) => found.map(({ column }) => column)
  )
