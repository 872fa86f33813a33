/** `table`: the typed operations of `Db.table` as promises, with a schema of whatever library or with none. */
import { Effect, Option } from "effect"
import type { Untyped } from "../db/access.js"
import * as Database from "../db/database.js"
import { isValues } from "../table/column.js"
import { OpenColumns } from "../table/openColumns.js"
import type { CountOptions, ListOptions, Page, TableStreamOptions, Where } from "../table/query.js"
import type { Shape } from "../table/shape.js"
import { type AnyTableOptions, tableOf, type UpsertOptions } from "../table/table.js"
import type { CreateManyOptions, UpdateOptions } from "../table/writes.js"
import { filtering } from "./marketplace.js"
import { type RowStream, rowsOn } from "./rows.js"
import { decoderOf, type StandardSchema, standardOf } from "./standard.js"
import type { PromiseTableSteps } from "./steps.js"
import type { InsertOf, RowOf, UpdateOf } from "./types.js"
import type { View } from "./view.js"

/**
 * A table's rows. Promises reject with the errors of `Db`: a row that the schema refuses is a `DecodeError`, which names the
 * row and the field, and not the value. Each operation is a step of `db.transaction` too: `updateStep` and its like.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromiseTable<Row, Columns, New, Changes, Id>
  extends PromiseTableSteps<Row, Columns, New, Changes, Id> {
  readonly name: string
  /**
   * The row with this key; rejects with `RowNotFound` where there is none. Calls at the same time share a request, each user
   * their own.
   */
  readonly get: (id: Id) => Promise<Row>
  /** As `get`, but undefined where no row has this key. */
  readonly find: (id: Id) => Promise<Row | undefined>
  /** The rows with these keys in their order; keys without a row are left out. */
  readonly getMany: (ids: ReadonlyArray<Id>) => Promise<ReadonlyArray<Row>>
  /** Conditions and order are of the columns, as the database has them. */
  readonly list: (options?: ListOptions<Columns>) => Promise<ReadonlyArray<Row>>
  /** As `list`, for the rows in which each word of `query` is found. */
  readonly search: (options: ListOptions<Columns> & { readonly query: string }) => Promise<ReadonlyArray<Row>>
  /** The rows of a page and how many all pages have. */
  readonly page: (options: ListOptions<Columns> & { readonly limit: number }) => Promise<Page<Row>>
  /** All rows of a `list`, page by page as somebody wants them. */
  readonly stream: (options?: TableStreamOptions<Columns>) => RowStream<Row>
  readonly count: (options?: CountOptions<Columns>) => Promise<number>
  /** Gives the row as the database made it. */
  readonly create: (row: New) => Promise<Row>
  /** All or none, in their order; with a `pieceSize` piece by piece, several at a time. */
  readonly createMany: (rows: ReadonlyArray<New>, options?: CreateManyOptions) => Promise<ReadonlyArray<Row>>
  /** Gives the row as it is now; rejects with `RowNotFound` where no row has this key. */
  readonly update: (id: Id, changes: Changes, options?: UpdateOptions) => Promise<Row>
  /** All rows that `where` finds; it names a column at least. */
  readonly updateMany: (where: Where<Columns>, changes: Changes, options?: UpdateOptions) => Promise<ReadonlyArray<Row>>
  /** Inserts, or changes the row that is there. */
  readonly upsert: (row: New, options?: UpsertOptions<Columns>) => Promise<Row>
  /** Gives the row as it was. */
  readonly remove: (id: Id) => Promise<Row>
  /** All rows that `where` finds, as they were; it names a column at least. */
  readonly removeMany: (where: Where<Columns>) => Promise<ReadonlyArray<Row>>
}

type Given = StandardSchema | undefined

/** Nothing where the schema does not say. */
type TypesOf<S> = S extends { readonly "~standard": { readonly types?: infer T } } ? NonNullable<T> : unknown

type Anything = Record<string, unknown>

/** What the database gives, as far as the schema says it. */
type InputOf<S> = TypesOf<S> extends { readonly input: infer I } ? (unknown extends I ? Anything : I) : Anything

type OutputOf<S> = TypesOf<S> extends { readonly output: infer O } ? O : unknown

/** The columns as the database gives them. */
type ColumnsOf<D, Name, S> = [D] extends [Untyped]
  ? [S] extends [StandardSchema]
    ? InputOf<S>
    : RowOf<D, Name>
  : RowOf<D, Name>

type Decoded<D, Name, S> = [S] extends [StandardSchema] ? OutputOf<S> : RowOf<D, Name>

/** What the database fills where an insert leaves it out. */
type Omittable<I, G> = G | { [K in keyof I]-?: null extends I[K] ? K : undefined extends I[K] ? K : never }[keyof I]

type Leaving<I, Names> = Omit<I, Extract<keyof I, Names>> & {
  readonly [K in Extract<keyof I, Names>]?: I[K] | undefined
}

type NewOf<D, Name, S, G> = [D] extends [Untyped]
  ? [S] extends [StandardSchema]
    ? Leaving<InputOf<S>, Omittable<InputOf<S>, G>>
    : Anything
  : InsertOf<D, Name>

type ChangesOf<D, Name, S> = [D] extends [Untyped]
  ? [S] extends [StandardSchema]
    ? { readonly [K in keyof InputOf<S>]?: InputOf<S>[K] | undefined }
    : Anything
  : UpdateOf<D, Name>

type NameOf<Columns> = keyof Columns & string

/**
 * How a table is used; only what differs from the usual has to be said. Columns have the database's names.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromiseTableOptions<Columns, S, K, G> {
  /** Decodes the rows: a Standard Schema. Without one they are given as they come. */
  readonly schema?: S
  /** The one column that tells rows apart, which is unique by itself. Default: `id`. */
  readonly key?: K
  /** Columns that the database fills when an insert leaves them out. */
  readonly generated?: ReadonlyArray<G & NameOf<Columns>>
  /** Columns that `search` looks in; of type `text`. */
  readonly search?: ReadonlyArray<NameOf<Columns>>
  /** The columns to be selected, the key among them. Default: all of the table's. */
  readonly columns?: ReadonlyArray<NameOf<Columns>>
  /** Columns to be cast by the database, such as `{ serial: "text" }`; they stand in `columns`. */
  readonly cast?: { readonly [C in NameOf<Columns>]?: string }
  /** Read with the service-role key. What is made by `withAccessToken` has the user's rights all the same. */
  readonly as?: "service"
}

/** A table without `id` has to name its key. */
type Keyed<Columns, K> = K extends keyof Columns ? unknown : { readonly key: NameOf<Columns> }

/** Nothing to add where each column of the schema is one of the table's; else what no schema is, with the name in it. */
type Fits<D, Name, S> = [D] extends [Untyped]
  ? unknown
  : string extends keyof InputOf<S>
    ? unknown
    : [Exclude<keyof InputOf<S>, keyof RowOf<D, Name>>] extends [never]
      ? unknown
      : { readonly "the table has no column": Exclude<keyof InputOf<S>, keyof RowOf<D, Name>> }

type HasId<D, Name> = "id" extends keyof RowOf<D, Name> ? unknown : never

type IdOf<Columns, K> = K extends keyof Columns ? (unknown extends Columns[K] ? Scalar : Columns[K]) : never

type Scalar = string | number | bigint | boolean

/** The names of a schema's tables and views. */
type TableNameOf<D> = [D] extends [Untyped]
  ? string
  : D extends { readonly public: { readonly Tables: infer T; readonly Views: infer V } }
    ? keyof (T & V) & string
    : never

/**
 * What makes the table of a name.
 *
 * @since 0.1.0
 * @category models
 */
export interface TableMaker<D> {
  <
    const Name extends TableNameOf<D>,
    S extends Given = undefined,
    const K extends string = "id",
    const G extends string = never
  >(
    name: Name,
    options: PromiseTableOptions<ColumnsOf<D, Name, S>, S, K, G> &
      Keyed<ColumnsOf<D, Name, S>, K> & { readonly schema?: Fits<D, Name, S> }
  ): PromiseTable<
    Decoded<D, Name, S>,
    ColumnsOf<D, Name, S>,
    NewOf<D, Name, S, G>,
    ChangesOf<D, Name, S>,
    IdOf<ColumnsOf<D, Name, S>, K>
  >
  <const Name extends TableNameOf<D>>(
    name: Name & HasId<D, Name>
  ): PromiseTable<
    RowOf<D, Name>,
    RowOf<D, Name>,
    NewOf<D, Name, undefined, never>,
    ChangesOf<D, Name, undefined>,
    IdOf<RowOf<D, Name>, "id">
  >
}

interface AnyOptions extends AnyTableOptions {
  readonly schema?: unknown
  readonly columns?: ReadonlyArray<string> | undefined
}

const asItCame: Shape["decode"] = (row) =>
  isValues(row) ? Effect.succeed(row) : Effect.fail({ path: "", issue: "the row is not an object" })

const shapeOf = (name: string, { cast, columns, key = "id", schema }: AnyOptions): Shape => {
  const what = `table("${name}")`
  if (columns === undefined && cast !== undefined) {
    throw new TypeError(`${what}: cast says how columns are selected, and none are named. Name all of them in columns.`)
  }
  if (columns !== undefined && !columns.includes(key)) {
    throw new TypeError(`${what}: columns lacks the key, ${key}, by which rows are told apart. Add it.`)
  }
  const all = new OpenColumns(key)
  const decode = schema === undefined ? asItCame : decoderOf(standardOf(schema, what))
  return { all, inserted: all, changed: all, selected: columns, decode, mayWait: schema !== undefined }
}

const isName = (u: unknown): u is string => typeof u === "string" && u.trim() !== ""

/** A mistake in the options throws at once; nothing is sent. */
export function tableOn<D>(view: View): TableMaker<D>
export function tableOn({ host, run, user }: View): unknown {
  return (name: string, options: AnyOptions = {}): unknown => {
    if (!isName(name)) throw new TypeError(`table: ${JSON.stringify(name)} is no name. Give a text that is not empty.`)
    const { schema: _, columns: __, ...known } = options
    const table = tableOf(Database.byTags, name, shapeOf(name, options), known)
    const made: PromiseTable<unknown, unknown, unknown, unknown, unknown> = {
      name,
      get: (id) => run(() => table.get(id)),
      find: (id) => run(() => Effect.map(table.find(id), Option.getOrUndefined)),
      getMany: (ids) => run(() => table.getMany(ids)),
      list: (options) => run(() => table.list(filtering(options))),
      search: (options) => run(() => table.search({ ...options, ...filtering(options) })),
      page: (options) => run(() => table.page({ ...options, ...filtering(options) })),
      stream: (options) => rowsOn(host, user, () => table.stream(filtering(options))),
      count: (options) => run(() => table.count(filtering(options))),
      create: (row) => run(() => table.create(row)),
      createMany: (rows, options) => run(() => table.createMany(rows, options)),
      update: (id, changes, options) => run(() => table.update(id, changes, options)),
      updateMany: (where, changes, options) => run(() => table.updateMany(where, changes, options)),
      upsert: (row, options) => run(() => table.upsert(row, options)),
      remove: (id) => run(() => table.remove(id)),
      removeMany: (where) => run(() => table.removeMany(where)),
      getStep: (id, options) => table.getStep(id, options),
      listStep: (options) => table.listStep(filtering(options)),
      createStep: (row) => table.createStep(row),
      createManyStep: (rows) => table.createManyStep(rows),
      updateStep: (id, changes, options) => table.updateStep(id, changes, options),
      upsertStep: (row, options) => table.upsertStep(row, options),
      removeStep: (id, options) => table.removeStep(id, options)
    }
    return made
  }
}
