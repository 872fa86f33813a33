/**
 * A small marketplace: users, profiles, shops, products, orders and reports, each a `Db.table`.
 *
 * Everyone reads shops and products, so they are read with the anon key and need `ReadDb`. Users, profiles, orders and
 * reports are hidden by row level security from all but their owners: they are read with the service-role key and need
 * `Db`. Inside `Db.withAccessToken` everything is limited to what that user may see and do.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import * as Db from "./Db.js"
import * as Reports from "./internal/marketplace/reports.js"
import * as Search from "./internal/marketplace/search.js"

export type {
  ProductSales,
  ReportFilters,
  ReportRows,
  RoleActivity,
  SalesDay
} from "./internal/marketplace/reports.js"
export type { ProductFilters } from "./internal/marketplace/search.js"

// -------------------------------------------------------------------------------------
// models
// -------------------------------------------------------------------------------------

const Id = Schema.UUID

const Money = Schema.Finite.pipe(Schema.nonNegative())

/**
 * @since 0.1.0
 * @category models
 */
export const User = Schema.Struct({
  id: Id,
  email: Schema.NonEmptyString,
  name: Schema.String,
  role: Schema.Literal("buyer", "seller", "admin"),
  created_at: Schema.Date
})

/**
 * @since 0.1.0
 * @category models
 */
export type User = typeof User.Type

/**
 * @since 0.1.0
 * @category models
 */
export const Profile = Schema.Struct({ user_id: Id, bio: Schema.String })

/**
 * @since 0.1.0
 * @category models
 */
export type Profile = typeof Profile.Type

/**
 * @since 0.1.0
 * @category models
 */
export const Shop = Schema.Struct({ id: Id, owner_id: Id, name: Schema.NonEmptyString, created_at: Schema.Date })

/**
 * @since 0.1.0
 * @category models
 */
export type Shop = typeof Shop.Type

/**
 * @since 0.1.0
 * @category models
 */
export const Product = Schema.Struct({
  id: Id,
  shop_id: Id,
  seller_id: Id,
  title: Schema.NonEmptyString,
  description: Schema.String,
  category: Schema.String,
  price: Money,
  stock: Schema.NonNegativeInt,
  created_at: Schema.Date
})

/**
 * @since 0.1.0
 * @category models
 */
export type Product = typeof Product.Type

/**
 * @since 0.1.0
 * @category models
 */
export const Order = Schema.Struct({
  id: Id,
  buyer_id: Id,
  product_id: Id,
  quantity: Schema.Int.pipe(Schema.positive()),
  total: Money,
  status: Schema.Literal("pending", "paid", "shipped", "cancelled"),
  created_at: Schema.Date
})

/**
 * @since 0.1.0
 * @category models
 */
export type Order = typeof Order.Type

// -------------------------------------------------------------------------------------
// repositories
// -------------------------------------------------------------------------------------

const userOptions = {
  as: "service",
  generated: ["id", "name", "role", "created_at"],
  search: ["name", "email"]
} as const

/**
 * @example
 * import { Marketplace } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * export const program = Effect.gen(function* () {
 *   const ann = yield* Marketplace.users.create({ email: "ann@example.com", name: "Ann", role: "seller" })
 *   return yield* Marketplace.users.update(ann.id, { name: "Ann Berg" })
 * })
 *
 * @since 0.1.0
 * @category repositories
 */
export const users: Db.TableOf<typeof User, typeof userOptions> = Db.table("users", User, userOptions)

const profileOptions = { as: "service", key: "user_id", generated: ["bio"], search: ["bio"] } as const

/**
 * Keyed by `user_id`: `upsert` creates a missing profile.
 *
 * @since 0.1.0
 * @category repositories
 */
export const profiles: Db.TableOf<typeof Profile, typeof profileOptions> = Db.table("profiles", Profile, profileOptions)

const shopOptions = { generated: ["id", "created_at"], search: ["name"] } as const

/**
 * @since 0.1.0
 * @category repositories
 */
export const shops: Db.TableOf<typeof Shop, typeof shopOptions> = Db.table("shops", Shop, shopOptions)

const productOptions = {
  generated: ["id", "description", "category", "stock", "created_at"],
  search: ["title", "description"]
} as const

type ProductTable = Db.TableOf<typeof Product, typeof productOptions>

/**
 * The products' repository, with its own filters for `search`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Products extends Omit<ProductTable, "search"> {
  /**
   * The products that fulfil all filters. Default order: by key. Each word of `query` has to be in title or description. An
   * invalid filter is a `DecodeError` that names it, and nothing is sent.
   */
  readonly search: Search.Search<Product>
}

const productTable: ProductTable = Db.table("products", Product, productOptions)

/**
 * @example
 * import { Marketplace } from "effect-supabase-pool"
 *
 * export const laptops = Marketplace.products.search({ query: "laptop", maxPrice: 900, inStock: true, limit: 20 })
 *
 * @since 0.1.0
 * @category repositories
 */
export const products: Products = { ...productTable, search: Search.products(productTable) }

const orderOptions = {
  as: "service",
  generated: ["id", "quantity", "status", "created_at"],
  search: ["status"]
} as const

/**
 * @since 0.1.0
 * @category repositories
 */
export const orders: Db.TableOf<typeof Order, typeof orderOptions> = Db.table("orders", Order, orderOptions)

/**
 * Reports, aggregated in the database: `sales` by day, `products` by revenue, `users` by role.
 *
 * @example
 * import { Marketplace } from "effect-supabase-pool"
 *
 * // Effect<ReadonlyArray<SalesDay>, DbError, Db>
 * export const summer = Marketplace.analytics.get("sales", { from: "2025-06-01", to: "2025-09-01" })
 *
 * @since 0.1.0
 * @category repositories
 */
export const analytics: { readonly get: typeof Reports.get } = { get: Reports.get }
