/** The marketplace's repositories as functions that return promises. */
import type { Effect } from "effect"
import type * as Db from "../../Db.js"
import * as Marketplace from "../../Marketplace.js"
import { inContext } from "./inContext.js"
import type { Services } from "./layers.js"
import type { Run } from "./view.js"

/**
 * A table's rows, decoded and checked as in `Marketplace`. Promises reject with the errors of `Db`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Repository<Row, New, Changes, Search extends ReadonlyArray<unknown>> {
  /**
   * The row with this id; rejects with `RowNotFound` when there is none. Calls at the same time share a request. Without
   * an argument: all rows that the server gives, as `list()`.
   */
  readonly get: Get<Row>
  /** The rows with these ids, in their order; ids without a row are left out. */
  readonly getMany: (ids: ReadonlyArray<string>) => Promise<ReadonlyArray<Row>>
  readonly list: (options?: Db.ListOptions<Row>) => Promise<ReadonlyArray<Row>>
  readonly search: (...filters: Search) => Promise<ReadonlyArray<Row>>
  readonly count: (options?: Db.CountOptions<Row>) => Promise<number>
  readonly create: (row: New) => Promise<Row>
  /** All or none, in their order. */
  readonly createMany: (rows: ReadonlyArray<New>) => Promise<ReadonlyArray<Row>>
  readonly update: (id: string, changes: Changes, options?: Db.UpdateOptions) => Promise<Row>
  /** All rows that `where` finds; it names a column at least. */
  readonly updateMany: (
    where: Db.Where<Row>,
    changes: Changes,
    options?: Db.UpdateOptions
  ) => Promise<ReadonlyArray<Row>>
  readonly upsert: (row: New, options?: Db.UpsertOptions<Row>) => Promise<Row>
  /** Gives the row as it was. */
  readonly remove: (id: string) => Promise<Row>
  /** All rows that `where` finds, as they were; it names a column at least. */
  readonly removeMany: (where: Db.Where<Row>) => Promise<ReadonlyArray<Row>>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Get<Row> {
  (): Promise<ReadonlyArray<Row>>
  (id: string): Promise<Row>
}

type Table<Row, New, Changes, Search extends ReadonlyArray<unknown>> = Omit<
  Db.Table<Row, New, Changes, string, Services>,
  "search"
> & { readonly search: (...filters: Search) => Effect.Effect<ReadonlyArray<Row>, Db.DbError, Services> }

type RepositoryOf<T> =
  T extends Table<infer Row, infer New, infer Changes, infer Search> ? Repository<Row, New, Changes, Search> : never

/**
 * @since 0.1.0
 * @category models
 */
export interface MarketplaceMembers {
  readonly users: RepositoryOf<typeof Marketplace.users>
  readonly profiles: RepositoryOf<typeof Marketplace.profiles>
  readonly shops: RepositoryOf<typeof Marketplace.shops>
  readonly products: RepositoryOf<typeof Marketplace.products>
  readonly orders: RepositoryOf<typeof Marketplace.orders>
  readonly analytics: {
    /** The rows of a report, aggregated in the database. */
    readonly get: <R extends keyof Marketplace.ReportRows>(
      report: R,
      filters?: Marketplace.ReportFilters
    ) => Promise<ReadonlyArray<Marketplace.ReportRows[R]>>
  }
}

/** A filter is the caller's code. */
export const filtering = <O extends Filtering>(options: O | undefined): O | undefined =>
  options?.filter === undefined ? options : { ...options, filter: inContext(options.filter) }

type Filtering = Pick<Db.CountOptions<unknown>, "filter">

/** By how many arguments there are: an id that is missing by mistake must not ask for everything. */
const getOn = <Row, New, Changes, Search extends ReadonlyArray<unknown>>(
  run: Run,
  table: Table<Row, New, Changes, Search>
): Get<Row> => {
  function get(): Promise<ReadonlyArray<Row>>
  function get(id: string): Promise<Row>
  function get(...ids: [] | [id: string]): Promise<Row | ReadonlyArray<Row>> {
    return ids.length === 0 ? run(() => table.list()) : run(() => table.get(ids[0]))
  }
  return get
}

const repository = <Row, New, Changes, Search extends ReadonlyArray<unknown>>(
  run: Run,
  table: Table<Row, New, Changes, Search>
): Repository<Row, New, Changes, Search> => ({
  get: getOn(run, table),
  getMany: (ids) => run(() => table.getMany(ids)),
  list: (options) => run(() => table.list(filtering(options))),
  search: (...filters) => run(() => table.search(...filters)),
  count: (options) => run(() => table.count(filtering(options))),
  create: (row) => run(() => table.create(row)),
  createMany: (rows) => run(() => table.createMany(rows)),
  update: (id, changes, options) => run(() => table.update(id, changes, options)),
  updateMany: (where, changes, options) => run(() => table.updateMany(where, changes, options)),
  upsert: (row, options) => run(() => table.upsert(row, options)),
  remove: (id) => run(() => table.remove(id)),
  removeMany: (where) => run(() => table.removeMany(where))
})

export const marketplaceOn = (run: Run): MarketplaceMembers => ({
  users: repository(run, Marketplace.users),
  profiles: repository(run, Marketplace.profiles),
  shops: repository(run, Marketplace.shops),
  products: repository(run, Marketplace.products),
  orders: repository(run, Marketplace.orders),
  analytics: { get: (report, filters) => run(() => Marketplace.analytics.get(report, filters)) }
})
