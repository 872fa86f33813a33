/** Which rows: conditions, search, order and pages as a PostgREST query. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import type { DbError, DecodeError } from "../../Errors.js"
import { type Columns, isValues } from "./columns.js"
import type { Condition } from "./comparison.js"
import { conditionOf, either, partsOf, type Tree } from "./condition.js"
import { literally, quoted } from "./literal.js"

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
 * A column to order by; ascending unless said otherwise.
 *
 * @since 0.1.0
 * @category models
 */
export type OrderBy<Row> =
  | (keyof Row & string)
  | {
      readonly column: keyof Row & string
      readonly descending?: boolean | undefined
      /** Where rows without a value stand; last unless said otherwise, and first where the order is descending. */
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
   * As many as the server gives, unless said otherwise: a Supabase project's limit is 1000. A limit is kept also where the
   * server gives no more at a time than less: then it takes several requests.
   */
  readonly limit?: number | undefined
  readonly offset?: number | undefined
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

/** A step of the query that is being built. */
export type Refine = (query: TableQuery) => TableQuery

/** Where no limit was given, but an offset: PostgREST knows ranges. */
const unlimited = 1_000_000_000

const nothing = "where is undefined, which would mean every row: leave it out where that is meant"

/** Each column's, all of which have to hold. */
const wanted = (columns: Columns, options: AnyOptions): Effect.Effect<ReadonlyArray<Tree>, DecodeError> => {
  if (!("where" in options)) return Effect.succeed([])
  const { where } = options
  if (where === undefined) return columns.refuse("filter", "where", nothing)
  // A Map, too, has no columns to be seen, and would mean every row.
  if (!isValues(where) || (Object.keys(where).length === 0 && !isPlainObject(where))) {
    return columns.refuse("filter", "where", "expected an object of columns and what they have to be")
  }
  return Effect.forEach(Object.entries(where), ([name, condition]) =>
    Effect.flatMap(columns.column(name), (column) => conditionOf(columns, column, condition))
  )
}

const isPlainObject = (u: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(u))

const searching = (columns: Columns, text: string): Effect.Effect<ReadonlyArray<Tree>, DbError> => {
  const words = text.split(/\s+/).filter((word) => word !== "")
  if (words.length === 0) return Effect.succeed([])
  if (columns.searched.length === 0) return Effect.fail(columns.unsearchable)
  return Effect.succeed(
    words
      .map(literally)
      .map((pattern) =>
        either(columns.searched.map((column) => ({ column, op: "imatch", value: pattern, inTree: quoted(pattern) })))
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

const isList = <A>(u: A | ReadonlyArray<A>): u is ReadonlyArray<A> => Array.isArray(u)

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0

const paged = (columns: Columns, { limit, offset }: AnyOptions): Effect.Effect<ReadonlyArray<Refine>, DecodeError> => {
  const wrong = Object.entries({ limit, offset }).find(([, n]) => n !== undefined && !isCount(n))
  if (wrong !== undefined) {
    const [name, n] = wrong
    return columns.refuse("filter", name, `expected a whole number from 0, actual ${String(n)}`)
  }
  if (limit === undefined && offset === undefined) return Effect.succeed([])
  const from = offset ?? 0
  return Effect.succeed([(query) => query.range(from, from + (limit ?? unlimited) - 1)])
}

/** The rows that count, without order and page. */
export const chosen = (columns: Columns, options: AnyOptions): Effect.Effect<Refine, DbError> =>
  Effect.gen(function* () {
    const where = yield* wanted(columns, options)
    const search = yield* searching(columns, options.query ?? "")
    const { filter = (query) => query } = options
    const { leaves, trees } = partsOf([...where, ...search])
    return (query) => {
      const filtered = leaves.reduce((built, { column, op, value }) => built.filter(column, op, value), query)
      return filter(trees === undefined ? filtered : inParentheses(filtered, trees))
    }
  })

/**
 * `and=(…)`, for which the builder has no word: it writes column, operator and value with a dot between the last two, and
 * every tree has a dot. By `or` it would be one with a caller's own `or` for the embedded database.
 */
const inParentheses = (query: TableQuery, trees: string): TableQuery => {
  const dot = trees.indexOf(".")
  return query.filter("and", trees.slice(0, dot), trees.slice(dot + 1))
}

export const listed = (columns: Columns, options: AnyOptions): Effect.Effect<Refine, DbError> =>
  Effect.gen(function* () {
    const rows = yield* chosen(columns, options)
    return together([rows, ...(yield* inOrder(columns, options)), ...(yield* paged(columns, options))])
  })

const together =
  (refinements: ReadonlyArray<Refine>): Refine =>
  (query) =>
    refinements.reduce((built, refine) => refine(built), query)
