/** `products.search`: the filters of a shop's front page. */
import { Effect, Schema } from "effect"
import type { DbError, ReadDb } from "../../Db.js"
import type { ListOptions, OrderBy, TableQuery } from "../table/query.js"
import { checked } from "./checked.js"

/**
 * Filters for products; a missing field does not filter.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProductFilters {
  /** Words that must all be in title or description, in any case; every character is literal. */
  readonly query?: string | undefined
  readonly category?: string | undefined
  readonly minPrice?: number | undefined
  readonly maxPrice?: number | undefined
  readonly shopId?: string | undefined
  /** `true`: products in stock. `false`: products that are sold out. */
  readonly inStock?: boolean | undefined
  readonly limit?: number | undefined
  readonly offset?: number | undefined
}

const Price = Schema.Finite.pipe(Schema.nonNegative())

const Filters: Schema.Schema<ProductFilters> = Schema.Struct({
  query: Schema.optional(Schema.String),
  category: Schema.optional(Schema.String),
  minPrice: Schema.optional(Price),
  maxPrice: Schema.optional(Price),
  inStock: Schema.optional(Schema.Boolean),
  limit: Schema.optional(Schema.NonNegativeInt),
  offset: Schema.optional(Schema.NonNegativeInt),
  shopId: Schema.optional(Schema.UUID),
  // For reports, so that one object may serve both.
  from: Schema.optional(Schema.Unknown),
  to: Schema.optional(Schema.Unknown)
}).pipe(
  Schema.filter(({ maxPrice, minPrice }) =>
    minPrice !== undefined && maxPrice !== undefined && minPrice > maxPrice
      ? { path: ["minPrice"], message: `${minPrice} is more than maxPrice, ${maxPrice}` }
      : undefined
  )
)

/** The program sets the order; it is not a filter of the page. */
interface SearchOptions<Row> {
  readonly orderBy?: OrderBy<Row> | ReadonlyArray<OrderBy<Row>> | undefined
}

export type Search<Row> = (
  filters?: ProductFilters,
  options?: SearchOptions<Row>
) => Effect.Effect<ReadonlyArray<Row>, DbError, ReadDb>

interface Listing<Row> {
  readonly list: (options: ListOptions<Row>) => Effect.Effect<ReadonlyArray<Row>, DbError, ReadDb>
}

export const products =
  <Row extends { readonly category: string }>(table: Listing<Row>): Search<Row> =>
  (filters = {}, { orderBy } = {}) =>
    Effect.flatMap(checked(Filters, filters, "products.search"), ({ limit, offset, query, ...rest }) =>
      table.list({ query, limit, offset, orderBy, filter: (rows) => restricted(rows, rest) })
    )

const restricted = (
  rows: TableQuery,
  { category, inStock, maxPrice, minPrice, shopId }: ProductFilters
): TableQuery => {
  let query = rows
  if (category !== undefined) query = query.eq("category", category)
  if (shopId !== undefined) query = query.eq("shop_id", shopId)
  if (minPrice !== undefined) query = query.gte("price", minPrice)
  if (maxPrice !== undefined) query = query.lte("price", maxPrice)
  if (inStock !== undefined) query = inStock ? query.gt("stock", 0) : query.eq("stock", 0)
  return query
}
