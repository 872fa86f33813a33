/** `Db.table`: a table's rows as values of a schema. */
import type { Effect, Schema, Types } from "effect"
import type { DbError, TransactionFailed } from "../../Errors.js"
import * as Database from "../database.js"
import { asMade } from "../identity.js"
import type { RowError, RowsError } from "../operationErrors.js"
import { ofTable } from "../spans.js"
import { Columns, type TableSchema } from "./columns.js"
import type { CountOptions, ListOptions } from "./query.js"
import { Rows } from "./rows.js"
import { Steps, type TableSteps } from "./steps.js"
import { type UpdateOptions, Writes } from "./writes.js"

type Fields<S extends TableSchema> = Schema.Struct.Type<S["fields"]>

/**
 * How a table is used; only what differs from the usual has to be said.
 *
 * @since 0.1.0
 * @category models
 */
export interface TableOptions<S extends TableSchema> {
  /** The one column that tells rows apart, which is unique by itself; `id` unless said otherwise. */
  readonly key?: (keyof Fields<S> & string) | undefined
  /** Columns that the database fills when an insert leaves them out. */
  readonly generated?: ReadonlyArray<keyof Fields<S> & string> | undefined
  /** Columns that `search` looks in; of type `text`. */
  readonly search?: ReadonlyArray<keyof Fields<S> & string> | undefined
  /**
   * Read with the service-role key, where row level security hides what a server must see; reading then needs `Db`.
   * Inside `Db.withAccessToken` the user's own rights hold all the same.
   */
  readonly as?: "service" | undefined
  /** Columns to be cast by the database, such as `{ serial: "text" }` for a `bigint` beyond what a number can hold. */
  readonly cast?: { readonly [K in keyof Fields<S>]?: string } | undefined
}

/**
 * What is inserted: the columns of the schema, those that the database fills being optional.
 *
 * @since 0.1.0
 * @category models
 */
export type Insert<S extends TableSchema, Generated> = Types.Simplify<
  Omit<Fields<S>, Extract<keyof Fields<S>, Generated>> & {
    readonly [K in Extract<keyof Fields<S>, Generated>]?: Fields<S>[K] | undefined
  }
>

/**
 * What an update may change: any of the columns.
 *
 * @since 0.1.0
 * @category models
 */
export type Update<S extends TableSchema> = Types.Simplify<{
  readonly [K in keyof Fields<S>]?: Fields<S>[K] | undefined
}>

export type { UpdateOptions }

/**
 * @since 0.1.0
 * @category models
 */
export interface UpsertOptions<Row> extends UpdateOptions {
  /** The columns whose unique constraint decides that the row is there; the key unless said otherwise. */
  readonly onConflict?: (keyof Row & string) | ReadonlyArray<keyof Row & string> | undefined
}

/**
 * A table as far as it reads.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadTable<Row, Id, Reading> {
  readonly name: string
  /**
   * The row with this key, or `RowNotFound`. Calls at the same time, from whatever fibers, share a request; each user of
   * `Db.withAccessToken` has their own. A key that is missing or makes no sense fails its own call only.
   */
  readonly get: (id: Id) => Effect.Effect<Row, RowError, Reading>
  /** The rows with these keys in the order of the keys; keys without a row are left out. */
  readonly getMany: (ids: ReadonlyArray<Id>) => Effect.Effect<ReadonlyArray<Row>, RowsError, Reading>
  readonly list: (options?: ListOptions<Row>) => Effect.Effect<ReadonlyArray<Row>, RowsError, Reading>
  /** As `list`, for the rows in which each word of `query` is found. */
  readonly search: (
    options: ListOptions<Row> & { readonly query: string }
  ) => Effect.Effect<ReadonlyArray<Row>, RowsError, Reading>
  readonly count: (options?: CountOptions<Row>) => Effect.Effect<number, RowsError, Reading>
}

/**
 * A table as typed operations. Rows are decoded by the schema: one that does not decode is a `DecodeError`, and a value
 * that does not encode never leaves.
 *
 * @since 0.1.0
 * @category models
 */
export interface Table<Row, New, Changes, Id, Reading, Writing = Database.Db>
  extends ReadTable<Row, Id, Reading>,
    TableSteps<Row, New, Changes, Id> {
  /** Gives the row as the database made it. */
  readonly create: (row: New) => Effect.Effect<Row, RowError, Writing>
  /** All or none, in the order given. Rows that leave out different columns are sent as one transaction. */
  readonly createMany: (
    rows: ReadonlyArray<New>
  ) => Effect.Effect<ReadonlyArray<Row>, RowsError | TransactionFailed, Writing>
  /** Gives the row as it is now; `RowNotFound` when no row has this key. Without changes nothing is written. */
  readonly update: (id: Id, changes: Changes, options?: UpdateOptions) => Effect.Effect<Row, RowError, Writing>
  /** Inserts, or changes the row that is there. Retried as idempotent where the row names what decides that. */
  readonly upsert: (row: New, options?: UpsertOptions<Row>) => Effect.Effect<Row, RowError, Writing>
  /** Gives the row as it was; `RowNotFound` when no row has this key. */
  readonly remove: (id: Id) => Effect.Effect<Row, RowError, Writing>
}

type KeyOf<O> = O extends { readonly key: infer K extends string } ? K : "id"

type GeneratedOf<O> = O extends { readonly generated: ReadonlyArray<infer G> } ? G : never

type IdOf<S extends TableSchema, O> = KeyOf<O> extends keyof Fields<S> ? Fields<S>[KeyOf<O>] : never

/**
 * The table that `Db.table(name, schema, options)` gives.
 *
 * @since 0.1.0
 * @category models
 */
export type TableOf<S extends TableSchema, O = unknown, Reading = Database.ReadDb, Writing = Database.Db> = Table<
  Schema.Schema.Type<S>,
  Insert<S, GeneratedOf<O>>,
  Update<S>,
  IdOf<S, O>,
  O extends { readonly as: "service" } ? Writing : Reading,
  Writing
>

/**
 * The table that `table(name, schema, options)` of who only reads gives.
 *
 * @since 0.1.0
 * @category models
 */
export type ReadTableOf<S extends TableSchema, O = unknown, Reading = Database.ReadDb> = ReadTable<
  Schema.Schema.Type<S>,
  IdOf<S, O>,
  Reading
>

export interface AnyTableOptions {
  readonly key?: string | undefined
  readonly generated?: ReadonlyArray<string> | undefined
  readonly search?: ReadonlyArray<string> | undefined
  readonly as?: "service" | undefined
  readonly cast?: Readonly<Record<string, string | undefined>> | undefined
}

/**
 * A table of yours as typed operations: `get`, `getMany`, `list`, `search`, `count`, `create`, `createMany`, `update`,
 * `upsert`, `remove`.
 *
 * The schema is a `Schema.Struct` or `Schema.Class` whose encoded side is what PostgREST gives; its columns are selected
 * and no others. Reading uses the read pool and needs `ReadDb` (`Db` with `as: "service"`), writing the write pool and
 * `Db`. A mistake in the options (a column that the schema lacks) throws at once. Each operation is a step of
 * `Db.transaction` too: `updateStep` and its like.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 * import { Effect, Schema } from "effect"
 *
 * const Note = Schema.Struct({
 *   id: Schema.UUID,
 *   body: Schema.String,
 *   at: Schema.Date
 * })
 *
 * const notes = Db.table("notes", Note, { generated: ["id", "at"], search: ["body"] })
 *
 * export const program = Effect.gen(function* () {
 *   const note = yield* notes.create({ body: "Call Ann" })
 *   yield* notes.update(note.id, { body: "Call Ann at five" })
 *   // One request for all of them.
 *   yield* Effect.forEach([note.id, note.id], notes.get, { concurrency: "unbounded" })
 *   return yield* notes.search({ query: "ann", orderBy: { column: "at", descending: true }, limit: 10 })
 * })
 *
 * @since 0.1.0
 * @category constructors
 */
export function table<S extends TableSchema, const O extends TableOptions<S>>(
  name: string,
  schema: S,
  options: O
): TableOf<S, O>
export function table<S extends TableSchema>(name: string, schema: S): TableOf<S>
export function table(name: string, schema: TableSchema, options?: AnyTableOptions): unknown {
  return tableOf(Database.byTags, name, schema, options)
}

/** Which errors an operation can have is said by `Table`, and held by a law. */
type Loosely<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer Args) => Effect.Effect<infer A, infer _E, infer R>
    ? (...args: Args) => Effect.Effect<A, DbError, R>
    : T[K]
}

type AnyTable<R> = Loosely<Table<unknown, unknown, unknown, unknown, R, R>>

/** A table of whatever database; who calls says of what type it is. */
export const tableOf = <Reading, Writing>(
  source: Database.Source<Reading, Writing>,
  name: string,
  schema: TableSchema,
  { as, cast = {}, generated = [], key = "id", search = [] }: AnyTableOptions = {}
): AnyTable<Reading | Writing> => {
  const rows = new Rows<Reading | Writing>(new Columns(name, schema, { cast, generated, key, search }), as, source)
  const writes = new Writes(rows)
  const steps = new Steps(rows)
  return {
    name,
    get: (id) => asMade(ofTable("SELECT", name, rows.get(id))),
    getMany: (ids) => asMade(ofTable("SELECT", name, rows.getMany(ids))),
    list: (options = {}) => asMade(ofTable("SELECT", name, rows.list(options))),
    search: (options) => asMade(ofTable("SELECT", name, rows.list(options))),
    count: (options = {}) => asMade(ofTable("SELECT", name, rows.count(options))),
    create: (row) => asMade(ofTable("INSERT", name, writes.create(row))),
    createMany: (many) => asMade(ofTable("INSERT", name, writes.createMany(many))),
    update: (id, changes, options) => asMade(ofTable("UPDATE", name, writes.update(id, changes, options))),
    upsert: (row, options) => asMade(ofTable("UPSERT", name, writes.upsert(row, options))),
    remove: (id) => asMade(ofTable("DELETE", name, writes.remove(id))),
    getStep: (id, options) => steps.get(id, options),
    listStep: (options) => steps.list(options),
    createStep: (row) => steps.create(row),
    createManyStep: (many) => steps.createMany(many),
    updateStep: (id, changes, options) => steps.update(id, changes, options),
    upsertStep: (row, options) => steps.upsert(row, options),
    removeStep: (id, options) => steps.remove(id, options)
  }
}
