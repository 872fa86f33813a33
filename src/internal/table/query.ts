/** Which rows: conditions, search, order and pages as a PostgREST query. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import type { DbError, DecodeError } from "../../Errors.js"
import { boundsOn, unlimited } from "../connection/builderFields.js"
import { type ByKey, keyIn } from "../db/stream.js"
import { type Column, type Columns, isValues } from "./columns.js"
import type { Condition } from "./comparison.js"
import { anyOf, type Choice, choiceOf, conditionOf, either, type Parts, partsOf, type Tree } from "./condition.js"
import { literally, quoted } from "./literal.js"
import { isLong, partsOfList } from "./parts.js"

/**
 * supabase-js's builder of a `select`, for what `where` cannot say.
 *
 * @since 0.1.0
 * @category models
 */
export type TableQuery = ReturnType<ReturnType<SupabaseClient["from"]>["select"]>

/**
 * Columns and what they have to be: a value of the schema's, `null`, a list of values of which one, or a comparison such
 * as `Db.gte(10)`. A column that is left out is not asked about; one that is `undefined` is refused, since it would
 * mean every row.
 *
 * @since 0.1.0
 * @category models
 */
export type Where<Row> = { readonly [K in keyof Row]?: Condition<Exclude<Row[K], undefined>> }

/**
 * A column to order by. Default: ascending.
 *
 * @since 0.1.0
 * @category models
 */
export type OrderBy<Row> =
  | (keyof Row & string)
  | {
      readonly column: keyof Row & string
      readonly descending?: boolean | undefined
      /** Where rows without a value stand. Default: last, and first where the order is descending. */
      readonly nullsFirst?: boolean | undefined
    }

/**
 * @since 0.1.0
 * @category models
 */
export interface CountOptions<Row> {
  /** All of these have to hold. */
  readonly where?: Where<Row>
  /** Each word has to be in one of the columns that are searched, in any case; every character stands for itself. */
  readonly query?: string | undefined
  /** Adds what `where` cannot say, such as `(query) => query.gte("price", 10)`; columns have the database's names. */
  readonly filter?: ((query: TableQuery) => TableQuery) | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ListOptions<Row> extends CountOptions<Row> {
  /** The key comes last by itself, so that pages do not overlap. */
  readonly orderBy?: OrderBy<Row> | ReadonlyArray<OrderBy<Row>> | undefined
  /**
   * Default: all rows. Where the server gives no more at a time than its max rows (`db-max-rows`; a Supabase
   * project's is 1000), what is missing is asked for: then it takes several requests.
   */
  readonly limit?: number | undefined
  readonly offset?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface TableStreamOptions<Row> extends ListOptions<Row> {
  /** Rows per request. Default: 1000. */
  readonly pageSize?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Page<Row> {
  readonly rows: ReadonlyArray<Row>
  /** Of all pages, as `count` has it. */
  readonly total: number
}

/** A caller's options where the type of the rows is not known. */
export interface AnyOptions {
  readonly where?: unknown
  readonly query?: string | undefined
  readonly filter?: ((query: TableQuery) => TableQuery) | undefined
  readonly orderBy?: AnyOrder | ReadonlyArray<AnyOrder> | undefined
  readonly limit?: number | undefined
  readonly offset?: number | undefined
}

interface Order {
  readonly column: string
  readonly descending?: boolean | undefined
  readonly nullsFirst?: boolean | undefined
}

type AnyOrder = string | Order

export interface AnyStreamOptions extends AnyOptions {
  readonly pageSize?: number | undefined
}

/** A step of the query that is being built. */
export type Refine = (query: TableQuery) => TableQuery

const nothing = "where is undefined, which would mean every row: leave it out where that is meant"

/** A column's condition; a list of values is known as such, since it may be too long for an address. */
interface Wanted {
  readonly tree: Tree
  readonly choice: Choice | undefined
}

const wantedOf = (columns: Columns, name: string, condition: unknown): Effect.Effect<Wanted, DecodeError> =>
  Effect.flatMap(
    columns.column(name),
    (column): Effect.Effect<Wanted, DecodeError> =>
      Array.isArray(condition)
        ? Effect.map(choiceOf(columns, column, condition), (choice) => ({ tree: anyOf(choice), choice }))
        : Effect.map(conditionOf(columns, column, condition), (tree) => ({ tree, choice: undefined }))
  )

/** Each column's, all of which have to hold. */
const wanted = (columns: Columns, options: AnyOptions): Effect.Effect<ReadonlyArray<Wanted>, DecodeError> => {
  if (!("where" in options)) return Effect.succeed([])
  const { where } = options
  if (where === undefined) return columns.refuse("filter", "where", nothing)
  // A Map, too, has no columns to be seen, and would mean every row.
  if (!isValues(where) || (Object.keys(where).length === 0 && !isPlainObject(where))) {
    return columns.refuse("filter", "where", "expected an object of columns and what they have to be")
  }
  return Effect.forEach(Object.entries(where), ([name, condition]) => wantedOf(columns, name, condition))
}

const isPlainObject = (u: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(u))

const searching = (columns: Columns, text: string): Effect.Effect<ReadonlyArray<Tree>, DbError> => {
  const words = text.split(/\s+/).filter((word) => word !== "")
  if (words.length === 0) return Effect.succeed([])
  if (columns.searched.length === 0) return Effect.fail(columns.unsearchable)
  return Effect.succeed(
    words.map(literally).map((pattern) =>
      either(
        columns.searched.map((column) => ({
          column,
          op: "imatch",
          value: pattern,
          inTree: `imatch.${quoted(pattern)}`
        }))
      )
    )
  )
}

const inOrder = (columns: Columns, options: AnyOptions): Effect.Effect<ReadonlyArray<Refine>, DecodeError> => {
  const { orderBy = [] } = options
  const orders: ReadonlyArray<AnyOrder> = isList(orderBy) ? orderBy : [orderBy]
  return Effect.map(
    Effect.forEach(orders, (order): Effect.Effect<Refine, DecodeError> => {
      const {
        column: name,
        descending = false,
        nullsFirst
      }: Order = typeof order === "string" ? { column: order } : order
      const how = { ascending: !descending, ...(nullsFirst === undefined ? {} : { nullsFirst }) }
      return Effect.map(
        columns.column(name),
        ({ column }) =>
          (query) =>
            query.order(column, how)
      )
    }),
    (refinements) => [...refinements, (query) => query.order(columns.key.column)]
  )
}

/** If the key alone decides the order, pages are told apart by it. A filter may set an order and a limit of its own. */
export const pagesByKey = ({ key }: Columns, { filter, orderBy = [] }: AnyOptions): ByKey<TableQuery> | undefined => {
  const [order = key.name, ...more] = isList(orderBy) ? orderBy : [orderBy]
  const { column: name, descending = false }: Order = typeof order === "string" ? { column: order } : order
  if (filter !== undefined || name !== key.name || more.length > 0) return undefined
  return {
    keyOf: (row) => keyIn(row, key.column),
    behind: (query, last) => (descending ? query.lt(key.column, last) : query.gt(key.column, last))
  }
}

const isList = <A>(u: A | ReadonlyArray<A>): u is ReadonlyArray<A> => Array.isArray(u)

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0

const paged = (columns: Columns, { limit, offset }: AnyOptions): Effect.Effect<ReadonlyArray<Refine>, DecodeError> => {
  const wrong = Object.entries({ limit, offset }).find(([, n]) => n !== undefined && !isCount(n))
  if (wrong !== undefined) {
    const [name, n] = wrong
    return columns.refuse("filter", name, `expected a whole number from 0, actual ${String(n)}`)
  }
  return Effect.succeed([(query) => boundsOn(query, { limit, offset })])
}

/** A builder that filters: of a `select` as of an update. */
interface Filterable {
  filter(column: string, operator: string, value: unknown): this
}

/** Which rows, whatever is done with them. */
export type Narrow = <Q extends Filterable>(query: Q) => Q

/** The rows that count, without order and page. */
export interface Chosen {
  /** All of them. */
  readonly whole: Narrow
  /**
   * The same in parts that have no row in common, where a list of values is too long for an address: one for each part of
   * the longest list. A single one where no list is.
   */
  readonly parts: ReadonlyArray<Narrow>
  /** The column that parts are told apart by. */
  readonly by: Column | undefined
  /** How many values of it are looked for. */
  readonly values: number
  /** How many keys are looked for, where the rows are those of a list of keys. */
  readonly keys: number | undefined
}

export const chosen = (columns: Columns, options: AnyOptions): Effect.Effect<Chosen, DbError> =>
  Effect.gen(function* () {
    const where = yield* wanted(columns, options)
    const search = yield* searching(columns, options.query ?? "")
    const refined = (all: ReadonlyArray<Tree>): Narrow => narrowing(partsOf([...all, ...search]))
    const whole = refined(where.map(({ tree }) => tree))
    const long = longest(where)
    const keys = where.find(({ choice }) => choice?.column === columns.key)?.choice?.values.length
    if (long?.choice === undefined) return { whole, parts: [whole], by: undefined, values: 0, keys }
    const { choice } = long
    const others = where.filter((one) => one !== long).map(({ tree }) => tree)
    const parts = partsOfList(choice.values).map((values, nth) =>
      refined([...others, anyOf({ ...choice, values, orNull: choice.orNull && nth === 0 })])
    )
    return { whole, parts, by: choice.column, values: choice.values.length, keys }
  })

const narrowing =
  ({ leaves, trees }: Parts): Narrow =>
  (query) => {
    const filtered = leaves.reduce((built, { column, op, value }) => built.filter(column, op, value), query)
    return trees === undefined ? filtered : inParentheses(filtered, trees)
  }

const sizeOf = ({ choice }: Wanted): number => choice?.values.length ?? 0

const longest = (where: ReadonlyArray<Wanted>): Wanted | undefined =>
  where
    .filter(({ choice }) => choice !== undefined && isLong(choice.values))
    .reduce(
      (long: Wanted | undefined, one) => (long === undefined || sizeOf(one) > sizeOf(long) ? one : long),
      undefined
    )

/**
 * `and=(…)`, for which the builder has no word: it writes column, operator and value with a dot between the last two, and
 * every tree has a dot. By `or` it would be one with a caller's own `or` for the embedded database.
 */
const inParentheses = <Q extends Filterable>(query: Q, trees: string): Q => {
  const dot = trees.indexOf(".")
  return query.filter("and", trees.slice(0, dot), trees.slice(dot + 1))
}

/** With what the caller filters by itself. */
export const filtered =
  (rows: Narrow, { filter = (query) => query }: AnyOptions): Refine =>
  (query) =>
    filter(rows(query))

/** With order and page; `rows` are those of `chosen`, or a part of them. */
export const listed = (columns: Columns, rows: Narrow, options: AnyOptions): Effect.Effect<Refine, DbError> =>
  Effect.gen(function* () {
    const refinements = [...(yield* inOrder(columns, options)), ...(yield* paged(columns, options))]
    return together([filtered(rows, options), ...refinements])
  })

/** Whether the parts together are what the whole would be: not where it depends on the order which rows these are. */
export const isSumOfParts = (columns: Columns, { by, parts, values }: Chosen, options: AnyOptions): boolean => {
  const { filter, limit = unlimited, offset = 0, orderBy = [] } = options
  const isSorted = !isList(orderBy) || orderBy.length > 0
  // A filter may say an order and a limit of its own.
  if (parts.length < 2 || isSorted || filter !== undefined || offset > 0) return false
  return limit >= (by === columns.key ? values : unlimited)
}

const together =
  (refinements: ReadonlyArray<Refine>): Refine =>
  (query) =>
    refinements.reduce((built, refine) => refine(built), query)
