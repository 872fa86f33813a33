/** The marketplace's repositories as functions that return promises. */
import type { Effect } from "effect"
import type * as Db from "../../Db.js"
import * as Marketplace from "../../Marketplace.js"
import type { Host } from "./host.js"
import type { Services } from "./layers.js"

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

/** By how many arguments there are: an id that is missing by mistake must not ask for everything. */
const getOn = <Row, New, Changes, Search extends ReadonlyArray<unknown>>(
  host: Host,
  table: Table<Row, New, Changes, Search>
): Get<Row> => {
  function get(): Promise<ReadonlyArray<Row>>
  function get(id: string): Promise<Row>
  function get(...ids: [] | [id: string]): Promise<Row | ReadonlyArray<Row>> {
    return ids.length === 0 ? host.runOutside(() => table.list()) : host.runOutside(() => table.get(ids[0]))
  }
  return get
}

const repository = <Row, New, Changes, Search extends ReadonlyArray<unknown>>(
  host: Host,
  table: Table<Row, New, Changes, Search>
): Repository<Row, New, Changes, Search> => ({
  get: getOn(host, table),
  getMany: (ids) => host.runOutside(() => table.getMany(ids)),
  list: (options) => host.runOutside(() => table.list(options)),
  search: (...filters) => host.runOutside(() => table.search(...filters)),
  count: (options) => host.runOutside(() => table.count(options)),
  create: (row) => host.runOutside(() => table.create(row)),
  createMany: (rows) => host.runOutside(() => table.createMany(rows)),
  update: (id, changes, options) => host.runOutside(() => table.update(id, changes, options)),
  updateMany: (where, changes, options) => host.runOutside(() => table.updateMany(where, changes, options)),
  upsert: (row, options) => host.runOutside(() => table.upsert(row, options)),
  remove: (id) => host.runOutside(() => table.remove(id)),
  removeMany: (where) => host.runOutside(() => table.removeMany(where))
})

export const marketplaceOn = (host: Host): MarketplaceMembers => ({
  users: repository(host, Marketplace.users),
  profiles: repository(host, Marketplace.profiles),
  shops: repository(host, Marketplace.shops),
  products: repository(host, Marketplace.products),
  orders: repository(host, Marketplace.orders),
  analytics: { get: (report, filters) => host.runOutside(() => Marketplace.analytics.get(report, filters)) }
})
