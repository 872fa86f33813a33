import type { SupabaseClient } from "@supabase/supabase-js"
import { Chunk, Effect, Fiber, identity, Option, Stream } from "effect"
import type { DbError, QueryError } from "../../Errors.js"
import { boundsOf, orderOf, withoutCount } from "../connection/builderFields.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import type { OperationOptions, Untyped } from "./access.js"
import * as Database from "./database.js"
import { asMaker } from "./identity.js"
import { listIn } from "./list.js"
import type { StreamError } from "./operationErrors.js"
import { type Asking, askingOf, sayUnordered } from "./order.js"
import type { PostgrestResult } from "./postgrestResult.js"
import { isFirstAgain, orNone, type Part } from "./whole.js"

/**
 * A builder that a range can be asked of: one of `select`, ordered so that pages do not overlap.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ranged extends PromiseLike<PostgrestResult> {
  range(from: number, to: number): PromiseLike<PostgrestResult>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface StreamOptions extends OperationOptions {
  /** Rows per request. Default: 1000, the most that a Supabase project gives at a time by default. */
  readonly pageSize?: number | undefined
  /**
   * A selected column that is unique and never null. If the query is ordered by it alone, each page continues behind the last value of it:
   * the thousandth costs what the first does, and rows that are written meanwhile move no other. Default: pages go by number.
   */
  readonly key?: string | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ServiceStreamOptions extends Omit<StreamOptions, "as">, Database.ReadOptions {}

/**
 * One row of what the builder selects.
 *
 * @since 0.1.0
 * @category models
 */
export type Row<Q, D = Untyped> = Database.Result<Q, D> extends ReadonlyArray<infer A> ? A : never

const defaultPageSize = 1_000

/**
 * All rows of a query, page by page. The first two pages are asked for when somebody wants them; from then on the next page is
 * on its way while one is used, and no more than that one. Who stops or fails leaves no request running, and who is slow
 * holds a page of rows and no connection: each goes back to the pool with its page.
 *
 * Give the query an `order` by something unique, or rows may be seen twice or not at all. If it has none, or two rows
 * at the border of two pages are equal in it, the log says so, once for each table. By number, a row that is removed
 * meanwhile moves another past its page; with a `key`, as in a table's `stream` in the order of its key, a page continues behind the
 * last one. A page that is shorter than it could be is not the last: the server may have a limit of its own; an empty one is.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 * import { Stream } from "effect"
 *
 * export const titles = Db.stream((client) => client.from("products").select("id, title").order("id"), { key: "id" }).pipe(
 *   Stream.map(({ title }) => title)
 * )
 *
 * @since 0.1.0
 * @category accessors
 */
export function stream<Q extends Ranged>(
  f: (client: SupabaseClient) => Q,
  options?: StreamOptions
): Stream.Stream<Row<Q>, StreamError, Database.ReadDb>
export function stream<Q extends Ranged>(
  f: (client: SupabaseClient) => Q,
  options: ServiceStreamOptions
): Stream.Stream<Row<Q>, StreamError, Database.Db>
export function stream(
  f: (client: SupabaseClient) => Ranged,
  options?: AnyStreamOptions
): Stream.Stream<unknown, unknown, Database.ReadDb | Database.Db> {
  // To the language service `unknown` has no room for a known error.
  // @effect-diagnostics-next-line missingEffectError:off
  return streamOf(Database.byTags, f, options)
}

export type AnyStreamOptions = StreamOptions | ServiceStreamOptions

type Key = string | number

/**
 * Continues behind a row by its key and not by the number of rows before it. So a row that is written or removed meanwhile
 * moves no other row to another page, and a page costs the same however far it is.
 */
export interface ByKey<Q> {
  /** Undefined if the row does not show its key exactly. */
  readonly keyOf: (row: unknown) => Key | undefined
  readonly behind: (query: Q, key: Key) => Q
  /** Whether pages in this order can be told apart by it. Default: true. */
  readonly fits?: (order: string | undefined) => boolean
}

/** The key that a row shows; a number above 2^53 was rounded. */
export const keyIn = (row: unknown, column: string): Key | undefined => {
  const value: unknown = typeof row === "object" && row !== null ? Reflect.get(row, column) : undefined
  if (typeof value === "string") return value
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined
}

/** A builder of `select`. */
interface Comparing {
  filter(column: string, operator: string, value: unknown): unknown
}

const compares = (query: object): query is Comparing => "filter" in query && typeof query.filter === "function"

const byColumn = <Q extends Ranged>(column: string): ByKey<Q> => ({
  keyOf: (row) => keyIn(row, column),
  behind: (query, key) => {
    const operator = orderOf(query) === `${column}.desc` ? "lt" : "gt"
    // It changes the builder that it is called on.
    if (compares(query)) query.filter(column, operator, key)
    return query
  },
  fits: (order) => order === `${column}.asc` || order === `${column}.desc`
})

interface How<Q> {
  /** Sets the name of the spans of pages. */
  readonly named?: <A, E, R>(page: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly byKey?: ByKey<Q> | undefined
}

/** Works on any database. */
export const streamOf = <Q extends Ranged, R, W>(
  source: Database.Source<R, W>,
  f: (client: SupabaseClient) => Q,
  options: AnyStreamOptions = {},
  how: How<Q> = {}
): Stream.Stream<unknown, DbError, R | W> => {
  const { key: column, pageSize: size = defaultPageSize } = options
  const { byKey = column === undefined ? undefined : byColumn<Q>(column), named = identity } = how
  if (!Number.isSafeInteger(size) || size < 1) return Stream.fail(noPage(size))
  const asUser = asMaker()
  const db: Effect.Effect<Database.UntypedReader, never, R | W> =
    options.as === "service" ? source.writing : source.reading
  const ask = (taken: number, most = size, key?: Key) => {
    const behind = key === undefined || byKey === undefined ? undefined : (query: Q): Q => byKey.behind(query, key)
    return asUser(page(db, f, { taken, most, behind }, options))
  }
  const next = ({ first, isByKey, last, taken }: Progress): Effect.Effect<Page<Progress>, DbError, R | W> =>
    Effect.gen(function* () {
      const key = isByKey && taken > 0 ? byKey?.keyOf(last) : undefined
      const behind = key === undefined ? undefined : yield* named(ask(taken, size, key))
      // A server that ignores the filter, as a handler of a spec may, answers with that row again: then by number.
      const isHeeded = behind?.rows.every((row) => byKey?.keyOf(row) !== key) === true
      const part = behind !== undefined && isHeeded ? behind : yield* named(ask(taken))
      if (!isHeeded && taken > 0 && (yield* isFirstAgain(first, part, taken, ask))) {
        return [Chunk.empty(), Option.none()]
      }
      const { asking, place, rows, wanted } = part
      const all = taken + rows.length
      if (!isHeeded && taken > 0 && rows.length > 0) yield* sayUnordered(asking, last, rows[0])
      if (rows.length === 0 || all >= wanted) return [Chunk.fromIterable(rows), Option.none()]
      const canGoByKey = isByKey && byKey?.fits?.(asking.order) !== false
      // The first page is only compared with later ones if the answers give no place.
      const kept = place !== undefined ? [] : taken === 0 ? rows : first
      const progress = { taken: all, first: kept, last: rows.at(-1), isByKey: taken === 0 ? canGoByKey : isHeeded }
      return [Chunk.fromIterable(rows), Option.some(progress)]
    })
  return oneAhead({ taken: 0, first: [], last: undefined, isByKey: byKey !== undefined }, next)
}

type Page<S> = readonly [rows: Chunk.Chunk<unknown>, next: Option.Option<S>]

/** A page that was asked for, or is to be. */
interface Coming<S, R> {
  readonly page: Effect.Effect<Page<S>, DbError, R>
  readonly isFirst: boolean
}

/**
 * Each page but the first two is asked for when the one before it has come, and waits until it is wanted. Who wants one page
 * only is asked for no other. The stream's end interrupts what is on its way.
 */
const oneAhead = <S, R>(
  from: S,
  next: (progress: S) => Effect.Effect<Page<S>, DbError, R>
): Stream.Stream<unknown, DbError, R> =>
  Stream.unwrapScoped(
    Effect.map(Effect.scope, (scope) =>
      Stream.paginateChunkEffect<Coming<S, R>, unknown, DbError, R>(
        { page: next(from), isFirst: true },
        ({ isFirst, page }) =>
          Effect.flatMap(page, ([rows, progress]) =>
            Option.match(progress, {
              onNone: () => Effect.succeed([rows, Option.none()] as const),
              onSome: (more) =>
                Effect.map(
                  isFirst ? Effect.succeed(next(more)) : Effect.map(Effect.forkIn(next(more), scope), Fiber.join),
                  (coming) => [rows, Option.some({ page: coming, isFirst: false })] as const
                )
            })
          )
      )
    )
  )

interface Progress {
  readonly taken: number
  readonly first: ReadonlyArray<unknown>
  /** The row before. */
  readonly last: unknown
  readonly isByKey: boolean
}

interface PageOfRows extends Part {
  readonly asking: Asking
}

interface Place<Q> {
  readonly taken: number
  readonly most: number
  /** Skips the rows that were taken; without it their number does. */
  readonly behind: ((query: Q) => Q) | undefined
}

/** The query's own limit and offset hold for the whole of the stream. */
const page = <Q extends Ranged, R>(
  source: Effect.Effect<Database.UntypedReader, never, R>,
  f: (client: SupabaseClient) => Q,
  { behind, most, taken }: Place<Q>,
  { as, exact, retry }: AnyStreamOptions
): Effect.Effect<PageOfRows, DbError, R> => {
  let wanted = Number.POSITIVE_INFINITY
  let start = 0
  let asked: object = f
  const rows = (client: SupabaseClient): PromiseLike<PostgrestResult> => {
    const query = f(client)
    withoutCount(query)
    const { limit, offset } = boundsOf(query)
    wanted = limit
    start = offset
    asked = query
    const first = behind === undefined ? offset + taken : 0
    const last = first + (taken > limit ? most : Math.min(most, limit - taken)) - 1
    return (behind?.(query) ?? query).range(first, last)
  }
  return Effect.flatMap(source, (db) => {
    const part = Effect.flatMap(db.placed(rows, { as, exact, retry }), (answer) =>
      Effect.map(listIn(answer, answer.data), (list) => ({ rows: list, place: answer.place, wanted, offset: start }))
    )
    return Effect.map(
      orNone(taken, part, () => ({ rows: [], place: undefined, wanted, offset: start })),
      (found) => ({ ...found, asking: askingOf(asked, db.seen.unordered) })
    )
  })
}

const noPage = (size: number): QueryError => invalidRequest(`pageSize is ${size}`, "Give a whole number from 1.")
