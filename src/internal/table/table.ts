/** `Db.table`: a table's rows as values of a schema. */
import type { Effect, Option, Schema, Stream, Types } from "effect"
import type { DbError, TransactionFailed } from "../../Errors.js"
import * as Database from "../db/database.js"
import { asMade } from "../db/identity.js"
import type { RowError, RowsError } from "../db/operationErrors.js"
import { ofTable } from "../db/tracing.js"
import { Columns, type TableSchema } from "./columns.js"
import type { CountOptions, ListOptions, Page, TableStreamOptions, Where } from "./query.js"
import { Rows } from "./rows.js"
import type { Shape } from "./shape.js"
import { Steps, type TableSteps } from "./steps.js"
import { type CreateManyOptions, type UpdateOptions, Writes } from "./writes.js"

type Fields<S extends TableSchema> = Schema.Struct.Type<S["fields"]>

/**
 * How a table is used; only what differs from the usual has to be said.
 *
 * @since 0.1.0
 * @category models
 */
export interface TableOptions<S extends TableSchema> {
  /** The one column that tells rows apart, which is unique by itself. Default: `id`. */
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

/** What a column is in the database's rows. */
type EncodedOf<F extends Schema.Struct.Field> =
  Schema.Struct.Encoded<{ readonly column: F }> extends infer E ? E[keyof E] : never

/** Those that may hold NULL: an insert that leaves one out leaves it to the database. */
type Nullable<S extends TableSchema> = {
  [K in keyof S["fields"]]: null extends EncodedOf<S["fields"][K]> ? K : never
}[keyof S["fields"]]

/** A schema with what is inserted and what is changed beside what is read: `Model.Class` of `@effect/sql`. */
interface Variants {
  readonly insert: Schema.Schema.AnyNoContext
  readonly update: Schema.Schema.AnyNoContext
}

/** What the schema makes by itself may be left out, as what may be NULL. */
type Omittable<A> = { [K in keyof A]: undefined extends A[K] ? K : null extends A[K] ? K : never }[keyof A]

/** With these of its columns optional. */
type Leaving<A, Names> = Types.Simplify<
  Omit<A, Extract<keyof A, Names>> & { readonly [K in Extract<keyof A, Names>]?: A[K] | undefined }
>

/**
 * What is inserted: the columns of the schema, those that the database fills being optional, and those that may be NULL. Of
 * a schema with variants, what its `insert` says.
 *
 * @since 0.1.0
 * @category models
 */
export type Insert<S extends TableSchema, Generated> = S extends Variants
  ? Leaving<Schema.Schema.Type<S["insert"]>, Omittable<Schema.Schema.Type<S["insert"]>>>
  : Leaving<Fields<S>, Generated | Nullable<S>>

/**
 * What an update may change: any of the columns. Of a schema with variants, of those that its `update` has.
 *
 * @since 0.1.0
 * @category models
 */
export type Update<S extends TableSchema> = S extends Variants
  ? Changes<Schema.Schema.Type<S["update"]>>
  : Changes<Fields<S>>

type Changes<A> = Types.Simplify<{ readonly [K in keyof A]?: A[K] | undefined }>

export type { CreateManyOptions, UpdateOptions }

/**
 * @since 0.1.0
 * @category models
 */
export interface UpsertOptions<Row> extends UpdateOptions {
  /** The columns whose unique constraint decides that the row is there. Default: the key. */
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
  /** As `get`, but `None` where no row has this key. */
  readonly find: (id: Id) => Effect.Effect<Option.Option<Row>, RowsError, Reading>
  /** The rows with these keys in the order of the keys; keys without a row are left out. */
  readonly getMany: (ids: ReadonlyArray<Id>) => Effect.Effect<ReadonlyArray<Row>, RowsError, Reading>
  /**
   * The rows of `where`, in order: all of them, or as many as `limit` says, whatever the server's max rows are. A list of values in it that is too long for an address is asked for in parts, each to its
   * end, where that gives the same rows: without `orderBy`, `offset` and `filter`, and without a `limit` that could cut. The
   * rows then come part by part.
   */
  readonly list: (options?: ListOptions<Row>) => Effect.Effect<ReadonlyArray<Row>, RowsError, Reading>
  /** As `list`, for the rows in which each word of `query` is found. */
  readonly search: (
    options: ListOptions<Row> & { readonly query: string }
  ) => Effect.Effect<ReadonlyArray<Row>, RowsError, Reading>
  /**
   * The rows of a page and how many all pages have: a `list` and a `count` at the same time. By key, pages cost the same
   * however far they are, and need no total: `list({ where: { id: Db.gt(last) }, limit: 50 })`.
   */
  readonly page: (
    options: ListOptions<Row> & { readonly limit: number }
  ) => Effect.Effect<Page<Row>, RowsError, Reading>
  /** All rows of a `list`, page by page as somebody wants them, decoded; see `Db.stream`. */
  readonly stream: (options?: TableStreamOptions<Row>) => Stream.Stream<Row, RowsError, Reading>
  /** How many there are, as the database counts them. */
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
    TableSteps<Row, New, Changes, Id, Writing> {
  /** Gives the row as the database made it. */
  readonly create: (row: New) => Effect.Effect<Row, RowError, Writing>
  /**
   * All or none, in the order given; with a `pieceSize` piece by piece, several at a time. Rows that leave out different columns
   * are sent as one transaction. A `DecodeError` of stage `write` where fewer come back than were sent, or where some pieces are
   * written and one is not.
   */
  readonly createMany: (
    rows: ReadonlyArray<New>,
    options?: CreateManyOptions
  ) => Effect.Effect<ReadonlyArray<Row>, RowsError | TransactionFailed, Writing>
  /** Gives the row as it is now; `RowNotFound` when no row has this key. Without changes nothing is written. */
  readonly update: (id: Id, changes: Changes, options?: UpdateOptions) => Effect.Effect<Row, RowError, Writing>
  /**
   * Changes all rows that `where` finds, and gives them as they are now. `where` names a column at least. A list of values
   * that is too long for an address goes as one transaction (see `Db.transaction`): all rows or none.
   */
  readonly updateMany: (
    where: Where<Row>,
    changes: Changes,
    options?: UpdateOptions
  ) => Effect.Effect<ReadonlyArray<Row>, RowsError | TransactionFailed, Writing>
  /** Inserts, or changes the row that is there. Retried as idempotent where the row names what decides that. */
  readonly upsert: (row: New, options?: UpsertOptions<Row>) => Effect.Effect<Row, RowError, Writing>
  /** Gives the row as it was; `RowNotFound` when no row has this key. */
  readonly remove: (id: Id) => Effect.Effect<Row, RowError, Writing>
  /** Removes all rows that `where` finds, as `updateMany` changes them, and gives them as they were. */
  readonly removeMany: (where: Where<Row>) => Effect.Effect<ReadonlyArray<Row>, RowsError | TransactionFailed, Writing>
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

/** A table without `id` has to name its key. */
export type Keyed<S extends TableSchema, O> =
  KeyOf<O> extends keyof Fields<S> ? unknown : { readonly key: keyof Fields<S> & string }

export type WithId = TableSchema & { readonly fields: { readonly id: Schema.Struct.Field } }

export interface AnyTableOptions {
  readonly key?: string | undefined
  readonly generated?: ReadonlyArray<string> | undefined
  readonly search?: ReadonlyArray<string> | undefined
  readonly as?: "service" | undefined
  readonly cast?: Readonly<Record<string, string | undefined>> | undefined
}

/**
 * A table of yours as typed operations: `get`, `getMany`, `list`, `search`, `count`, `create`, `createMany`, `update`,
 * `updateMany`, `upsert`, `remove`, `removeMany`.
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
  options: O & Keyed<S, O>
): TableOf<S, O>
export function table<S extends WithId>(name: string, schema: S): TableOf<S>
export function table(name: string, schema: TableSchema, options?: AnyTableOptions): unknown {
  return tableOf(Database.byTags, name, schema, options)
}

/** Which errors an operation can have is said by `Table`, and held by a law. */
type Loosely<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer Args) => Effect.Effect<infer A, infer _E, infer R>
    ? (...args: Args) => Effect.Effect<A, DbError, R>
    : T[K] extends (...args: infer Args) => Stream.Stream<infer A, infer _E, infer R>
      ? (...args: Args) => Stream.Stream<A, DbError, R>
      : T[K]
}

type AnyTable<R> = Loosely<Table<unknown, unknown, unknown, unknown, R, R>>

/** A table of whatever database; who calls says of what type it is. */
export const tableOf = <Reading, Writing>(
  source: Database.Source<Reading, Writing>,
  name: string,
  schema: TableSchema | Shape,
  { as, cast = {}, generated = [], key = "id", search = [] }: AnyTableOptions = {}
): AnyTable<Reading | Writing> => {
  const columns = new Columns(name, schema, { cast, generated, key, search })
  const rows = new Rows<Reading | Writing>(columns, as, source)
  const writes = new Writes(rows)
  const steps = new Steps(rows)
  return {
    name,
    get: (id) => asMade(ofTable("SELECT", name, rows.get(id))),
    find: (id) => asMade(ofTable("SELECT", name, rows.find(id))),
    getMany: (ids) => asMade(ofTable("SELECT", name, rows.getMany(ids))),
    list: (options = {}) => asMade(ofTable("SELECT", name, rows.list(options))),
    search: (options) => asMade(ofTable("SELECT", name, rows.list(options))),
    page: (options) => asMade(ofTable("SELECT", name, rows.page(options))),
    stream: (options = {}) => rows.stream(options),
    count: (options = {}) => asMade(ofTable("SELECT", name, rows.count(options))),
    create: (row) => asMade(ofTable("INSERT", name, writes.create(row))),
    createMany: (many, options) => asMade(ofTable("INSERT", name, writes.createMany(many, options))),
    update: (id, changes, options) => asMade(ofTable("UPDATE", name, writes.update(id, changes, options))),
    updateMany: (where, changes, options) =>
      asMade(ofTable("UPDATE", name, writes.updateMany(where, changes, options))),
    upsert: (row, options) => asMade(ofTable("UPSERT", name, writes.upsert(row, options))),
    remove: (id) => asMade(ofTable("DELETE", name, writes.remove(id))),
    removeMany: (where) => asMade(ofTable("DELETE", name, writes.removeMany(where))),
    getStep: (id, options) => steps.get(id, options),
    listStep: (options) => steps.list(options),
    createStep: (row) => steps.create(row),
    createManyStep: (many) => steps.createMany(many),
    updateStep: (id, changes, options) => steps.update(id, changes, options),
    upsertStep: (row, options) => steps.upsert(row, options),
    removeStep: (id, options) => steps.remove(id, options)
  }
}
