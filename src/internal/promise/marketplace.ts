/** The marketplace's repositories as functions that return promises. */
import { Effect } from "effect"
import type * as Db from "../../Db.js"
import type * as Marketplace from "../../Marketplace.js"
import type { ReportFilters } from "../marketplace/reports.js"
import type { ProductFilters } from "../marketplace/search.js"
import type { CountOptions, ListOptions, Where } from "../table/query.js"
import type { UpsertOptions } from "../table/table.js"
import type { UpdateOptions } from "../table/writes.js"
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
  readonly list: (options?: ListOptions<Row>) => Promise<ReadonlyArray<Row>>
  readonly search: (...filters: Search) => Promise<ReadonlyArray<Row>>
  readonly count: (options?: CountOptions<Row>) => Promise<number>
  readonly create: (row: New) => Promise<Row>
  /** All or none, in their order. */
  readonly createMany: (rows: ReadonlyArray<New>) => Promise<ReadonlyArray<Row>>
  readonly update: (id: string, changes: Changes, options?: UpdateOptions) => Promise<Row>
  /** All rows that `where` finds; it names a column at least. */
  readonly updateMany: (where: Where<Row>, changes: Changes, options?: UpdateOptions) => Promise<ReadonlyArray<Row>>
  readonly upsert: (row: New, options?: UpsertOptions<Row>) => Promise<Row>
  /** Gives the row as it was. */
  readonly remove: (id: string) => Promise<Row>
  /** All rows that `where` finds, as they were; it names a column at least. */
  readonly removeMany: (where: Where<Row>) => Promise<ReadonlyArray<Row>>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Get<Row> {
  (): Promise<ReadonlyArray<Row>>
  (id: string): Promise<Row>
}

/** Loaded when somebody asks one of its tables: schemas take longer to load than everything that a query needs. */
class Late {
  private loaded: typeof Marketplace | undefined

  readonly marketplace: Effect.Effect<typeof Marketplace> = Effect.suspend(() =>
    this.loaded === undefined
      ? Effect.tap(
          Effect.promise(() => import("../../Marketplace.js")),
          (marketplace) => {
            this.loaded = marketplace
          }
        )
      : Effect.succeed(this.loaded)
  )
}

const { marketplace } = new Late()

type Table<Row, New, Changes, Search extends ReadonlyArray<unknown>> = Omit<
  Db.Table<Row, New, Changes, string, Services>,
  "search"
> & { readonly search: (...filters: Search) => Effect.Effect<ReadonlyArray<Row>, Db.DbError, Services> }

/** What may be left out when a row is made. */
type New<Row, Names extends keyof Row> = Omit<Row, Names> & { readonly [K in Names]?: Row[K] | undefined }

type Changes<Row> = { readonly [K in keyof Row]?: Row[K] | undefined }

/**
 * @since 0.1.0
 * @category models
 */
export interface User {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly role: "buyer" | "seller" | "admin"
  readonly created_at: Date
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Profile {
  readonly user_id: string
  readonly bio: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Shop {
  readonly id: string
  readonly owner_id: string
  readonly name: string
  readonly created_at: Date
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Product {
  readonly id: string
  readonly shop_id: string
  readonly seller_id: string
  readonly title: string
  readonly description: string
  readonly category: string
  readonly price: number
  readonly stock: number
  readonly created_at: Date
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Order {
  readonly id: string
  readonly buyer_id: string
  readonly product_id: string
  readonly quantity: number
  readonly total: number
  readonly status: "pending" | "paid" | "shipped" | "cancelled"
  readonly created_at: Date
}

/**
 * What a row of each report is.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReportRows {
  readonly sales: {
    readonly day: string
    readonly orders: number
    readonly units: number
    readonly revenue: number
    readonly average_order: number
  }
  readonly products: {
    readonly product_id: string
    readonly title: string
    readonly category: string
    readonly orders: number
    readonly units: number
    readonly revenue: number
    readonly stock: number
  }
  readonly users: {
    readonly role: string
    readonly users: number
    readonly new_users: number
    readonly active_buyers: number
    readonly revenue: number
  }
}

type Listed<Row> = [options: ListOptions<Row> & { readonly query: string }]

type Of<Row, Names extends keyof Row, Search extends ReadonlyArray<unknown> = Listed<Row>> = Repository<
  Row,
  New<Row, Names>,
  Changes<Row>,
  Search
>

/**
 * @since 0.1.0
 * @category models
 */
export interface MarketplaceMembers {
  readonly users: Of<User, "id" | "name" | "role" | "created_at">
  readonly profiles: Of<Profile, "bio">
  readonly shops: Of<Shop, "id" | "created_at">
  readonly products: Of<
    Product,
    "id" | "description" | "category" | "stock" | "created_at",
    [filters?: ProductFilters, options?: Pick<ListOptions<Product>, "orderBy">]
  >
  readonly orders: Of<Order, "id" | "quantity" | "status" | "created_at">
  readonly analytics: {
    /** The rows of a report, aggregated in the database. */
    readonly get: <R extends keyof ReportRows>(
      report: R,
      filters?: ReportFilters
    ) => Promise<ReadonlyArray<ReportRows[R]>>
  }
}

/** A filter is the caller's code. */
export const filtering = <O extends Filtering>(options: O | undefined): O | undefined =>
  options?.filter === undefined ? options : { ...options, filter: inContext(options.filter) }

type Filtering = Pick<CountOptions<unknown>, "filter">

/** By how many arguments there are: an id that is missing by mistake must not ask for everything. */
const getOn = <Row, New, Changes, Search extends ReadonlyArray<unknown>>(
  run: Run,
  table: Effect.Effect<Table<Row, New, Changes, Search>>
): Get<Row> => {
  function get(): Promise<ReadonlyArray<Row>>
  function get(id: string): Promise<Row>
  function get(...ids: [] | [id: string]): Promise<Row | ReadonlyArray<Row>> {
    return ids.length === 0
      ? run(() => Effect.flatMap(table, (rows) => rows.list()))
      : run(() => Effect.flatMap(table, (rows) => rows.get(ids[0])))
  }
  return get
}

const repository = <Row, New, Changes, Search extends ReadonlyArray<unknown>>(
  run: Run,
  choose: (of: typeof Marketplace) => Table<Row, New, Changes, Search>
): Repository<Row, New, Changes, Search> => {
  const table = Effect.map(marketplace, choose)
  const on = <A, E>(f: (rows: Table<Row, New, Changes, Search>) => Effect.Effect<A, E, Services>): Promise<A> =>
    run(() => Effect.flatMap(table, f))
  return {
    get: getOn(run, table),
    getMany: (ids) => on((rows) => rows.getMany(ids)),
    list: (options) => on((rows) => rows.list(filtering(options))),
    search: (...filters) => on((rows) => rows.search(...filters)),
    count: (options) => on((rows) => rows.count(filtering(options))),
    create: (row) => on((rows) => rows.create(row)),
    createMany: (all) => on((rows) => rows.createMany(all)),
    update: (id, changes, options) => on((rows) => rows.update(id, changes, options)),
    updateMany: (where, changes, options) => on((rows) => rows.updateMany(where, changes, options)),
    upsert: (row, options) => on((rows) => rows.upsert(row, options)),
    remove: (id) => on((rows) => rows.remove(id)),
    removeMany: (where) => on((rows) => rows.removeMany(where))
  }
}

export const marketplaceOn = (run: Run): MarketplaceMembers => ({
  users: repository(run, ({ users }) => users),
  profiles: repository(run, ({ profiles }) => profiles),
  shops: repository(run, ({ shops }) => shops),
  products: repository(run, ({ products }) => products),
  orders: repository(run, ({ orders }) => orders),
  analytics: {
    get: (report, filters) => run(() => Effect.flatMap(marketplace, ({ analytics }) => analytics.get(report, filters)))
  }
})
