/** Which rows: conditions, search, order and pages as a PostgREST query. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import type { DbError, DecodeError } from "../../Errors.js"
import { type Columns, equality, listOf, quoted } from "./columns.js"

/**
 * supabase-js's builder of a `select`, for what `where` cannot say.
 *
 * @since 0.1.0
 * @category models
 */
export type TableQuery = ReturnType<ReturnType<SupabaseClient["from"]>["select"]>

/**
 * Columns and what they have to be: a value, `null`, or a list of values of which one.
 *
 * @since 0.1.0
 * @category models
 */
export type Where<Row> = { readonly [K in keyof Row]?: Row[K] | ReadonlyArray<Row[K]> | null | undefined }

/**
 * A column to order by; ascending unless said otherwise.
 *
 * @since 0.1.0
 * @category models
 */
export type OrderBy<Row> =
  | (keyof Row & string)
  | { readonly column: keyof Row & string; readonly descending?: boolean | undefined }

/**
 * @since 0.1.0
 * @category models
 */
export interface CountOptions<Row> {
  /** All of these have to hold. */
  readonly where?: Where<Row> | undefined
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
  readonly where?: Readonly<Record<string, unknown>> | undefined
  readonly query?: string | undefined
  readonly filter?: ((query: TableQuery) => TableQuery) | undefined
  readonly orderBy?: AnyOrder | ReadonlyArray<AnyOrder> | undefined
  readonly limit?: number | undefined
  readonly offset?: number | undefined
}

type AnyOrder = string | { readonly column: string; readonly descending?: boolean | undefined }

/** A step of the query that is being built. */
export type Refine = (query: TableQuery) => TableQuery

/** Where no limit was given, but an offset: PostgREST knows ranges. */
const unlimited = 1_000_000_000

/**
 * A regular expression that matches this text and no other: unlike LIKE's, PostgREST gives its characters no meaning of
 * its own (`*` would be `%`). In brackets, and by name what would have to be escaped on the way there: not every reader
 * of PostgREST's syntax takes as many backslashes away as the next.
 */
const literally = (text: string): string =>
  text
    .replace(/["\\^$.*+?()[{}|]/g, (sign) => `[${names.get(sign) ?? sign}]`)
    // Supabase Lite takes these words for values also where a pattern is wanted.
    .replace(/^(?:null|not_null|true|false|unknown)$/i, (word) => `[${word.slice(0, 1)}]${word.slice(1)}`)

const names: ReadonlyMap<string, string> = new Map([
  ['"', "[.quotation-mark.]"],
  ["\\", "[.backslash.]"],
  ["^", "[.circumflex.]"],
  // Supabase Lite counts parentheses in quotes too.
  ["(", "[.left-parenthesis.]"],
  [")", "[.right-parenthesis.]"]
])

const condition = (columns: Columns, name: string, value: unknown): Effect.Effect<Refine, DecodeError> =>
  Effect.gen(function* () {
    const column = yield* columns.column(name)
    const to = column.column
    if (value === null) return (query) => query.is(to, null)
    if (!Array.isArray(value)) {
      const scalar = yield* columns.encodeScalar(column, value)
      return (query) => (scalar === null ? query.is(to, null) : query.filter(to, ...equality(scalar)))
    }
    const scalars = yield* Effect.forEach(value, (one: unknown) => columns.encodeScalar(column, one))
    return (query) => query.filter(to, "in", listOf(scalars))
  })

const searching = (columns: Columns, text: string): Effect.Effect<ReadonlyArray<Refine>, DbError> => {
  const words = text.split(/\s+/).filter((word) => word !== "")
  if (words.length === 0) return Effect.succeed([])
  if (columns.searched.length === 0) return Effect.fail(columns.unsearchable)
  const [column, ...more] = columns.searched
  const patterns = words.map(literally)
  if (patterns.length === 1 && more.length === 0 && column !== undefined) {
    return Effect.succeed(patterns.map((pattern) => (query) => query.filter(column, "imatch", pattern)))
  }
  const anywhere = patterns.map((pattern) => columns.searched.map((it) => `${it}.imatch.${quoted(pattern)}`).join(","))
  const everywhere = anywhere.length === 1 ? anywhere.join() : `and(${anywhere.map((word) => `or(${word})`).join(",")})`
  return Effect.succeed([(query) => query.or(everywhere)])
}

const inOrder = (columns: Columns, options: AnyOptions): Effect.Effect<ReadonlyArray<Refine>, DecodeError> => {
  const { orderBy = [] } = options
  const orders: ReadonlyArray<AnyOrder> = isList(orderBy) ? orderBy : [orderBy]
  return Effect.map(
    Effect.forEach(orders, (order): Effect.Effect<Refine, DecodeError> => {
      const { column: name, descending = false } = typeof order === "string" ? { column: order } : order
      return Effect.map(
        columns.column(name),
        ({ column }) =>
          (query) =>
            query.order(column, { ascending: !descending })
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
    const wanted = Object.entries(options.where ?? {}).filter(([, value]) => value !== undefined)
    const where = yield* Effect.forEach(wanted, ([name, value]) => condition(columns, name, value))
    const search = yield* searching(columns, options.query ?? "")
    const { filter } = options
    return together([...where, ...search, ...(filter === undefined ? [] : [filter])])
  })

export const listed = (columns: Columns, options: AnyOptions): Effect.Effect<Refine, DbError> =>
  Effect.gen(function* () {
    const rows = yield* chosen(columns, options)
    return together([rows, ...(yield* inOrder(columns, options)), ...(yield* paged(columns, options))])
  })

const together =
  (refinements: ReadonlyArray<Refine>): Refine =>
  (query) =>
    refinements.reduce((built, refine) => refine(built), query)
