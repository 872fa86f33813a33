/** `analytics.get`: SQL functions of the marketplace, which aggregate in the database. */
import { Effect, FiberRef, Option, Schema } from "effect"
import type * as ParseResult from "effect/ParseResult"
import { Db, type DbError } from "../../Db.js"
import { DecodeError } from "../../Errors.js"
import { accessToken } from "../db/identity.js"
import { wordsOf } from "../table/shape.js"
import { checked } from "./checked.js"

const SalesDay = Schema.Struct({
  day: Schema.String,
  orders: Schema.Int,
  units: Schema.Int,
  revenue: Schema.Number,
  average_order: Schema.Number
})

/**
 * The sales of a day (UTC, `2025-09-01`). A sale is an order that was paid or shipped.
 *
 * @since 0.1.0
 * @category models
 */
export type SalesDay = typeof SalesDay.Type

const ProductSales = Schema.Struct({
  product_id: Schema.UUID,
  title: Schema.String,
  category: Schema.String,
  orders: Schema.Int,
  units: Schema.Int,
  revenue: Schema.Number,
  stock: Schema.Int
})

/**
 * The sales of a product, and its remaining stock.
 *
 * @since 0.1.0
 * @category models
 */
export type ProductSales = typeof ProductSales.Type

const RoleActivity = Schema.Struct({
  role: Schema.String,
  users: Schema.Int,
  new_users: Schema.Int,
  active_buyers: Schema.Int,
  revenue: Schema.Number
})

/**
 * Users of a role: how many joined and how many bought in the requested period.
 *
 * @since 0.1.0
 * @category models
 */
export type RoleActivity = typeof RoleActivity.Type

/**
 * The reports and their row types.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReportRows {
  readonly sales: SalesDay
  readonly products: ProductSales
  readonly users: RoleActivity
}

/**
 * The range of a report; a missing field does not filter. Other filters of `products.search` are ignored, so that one object
 * may serve both.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReportFilters {
  /** From this moment on: a `Date`, a day (`2025-09-01`, UTC) or a time with its zone. */
  readonly from?: Date | string | undefined
  /** Until just before this moment. */
  readonly to?: Date | string | undefined
  readonly shopId?: string | undefined
}

const isoTime = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?$/

/** JavaScript reads the 30th of February as the 2nd of March. */
const isDay = (day: string): boolean => {
  const date = new Date(day)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day)
}

const isMoment = (text: string): boolean => {
  const [, day] = isoTime.exec(text) ?? []
  return day !== undefined && isDay(day) && !Number.isNaN(Date.parse(text))
}

const Moment = Schema.Union(Schema.ValidDateFromSelf, Schema.String.pipe(Schema.filter(isMoment))).annotations({
  message: () => ({
    message: "expected a Date, a day such as 2025-09-01, or a time with its zone such as 2025-09-01T12:00:00Z",
    override: true
  })
})

const instant = (moment: Date | string): Date => (typeof moment === "string" ? new Date(moment) : moment)

const ofProducts = ["query", "category", "minPrice", "maxPrice", "inStock", "limit", "offset"]

const Filters: Schema.Schema<ReportFilters> = Schema.Struct({
  from: Schema.optional(Moment),
  to: Schema.optional(Moment),
  shopId: Schema.optional(Schema.UUID),
  ...Object.fromEntries(ofProducts.map((name) => [name, Schema.optional(Schema.Unknown)]))
}).pipe(
  Schema.filter(({ from, to }) =>
    from !== undefined && to !== undefined && instant(from) >= instant(to)
      ? { path: ["from"], message: `${instant(from).toISOString()} is not before to, ${instant(to).toISOString()}` }
      : undefined
  )
)

const Report = Schema.Literal("sales", "products", "users").annotations({
  message: ({ actual }) => ({
    message: `there is no report ${JSON.stringify(actual)}; the reports are sales, products and users`,
    override: true
  })
})

type Rows = (u: unknown) => Effect.Effect<ReadonlyArray<unknown>, ParseResult.ParseError>

const rows: Readonly<Record<typeof Report.Type, Rows>> = {
  sales: Schema.decodeUnknown(Schema.Array(SalesDay)),
  products: Schema.decodeUnknown(Schema.Array(ProductSales)),
  users: Schema.decodeUnknown(Schema.Array(RoleActivity))
}

/** With the service-role key, since orders are hidden; as a user, limited to what that user may see. */
const call = (name: string, args: Record<string, unknown>): Effect.Effect<unknown, DbError, Db> =>
  Effect.flatMap(Effect.zip(Db, FiberRef.get(accessToken)), ([db, user]) =>
    Option.isNone(user)
      ? db.read((client) => client.rpc(name, args, { get: true }), { as: "service" })
      : db.rpc(name, args, { get: true })
  )

/** The rows of a report. An invalid filter is a `DecodeError` that names it, and nothing is sent. */
export function get<R extends keyof ReportRows>(
  report: R,
  filters?: ReportFilters
): Effect.Effect<ReadonlyArray<ReportRows[R]>, DbError, Db>
export function get(report: unknown, filters: unknown = {}): Effect.Effect<ReadonlyArray<unknown>, DbError, Db> {
  return Effect.gen(function* () {
    const name = yield* checked(Report, report, "analytics.get")
    const { from, shopId, to } = yield* checked(Filters, filters, `analytics.get("${name}")`)
    const answer = yield* call(`analytics_${name}`, {
      ...(from === undefined ? {} : { from_time: instant(from).toISOString() }),
      ...(to === undefined ? {} : { to_time: instant(to).toISOString() }),
      ...(shopId === undefined ? {} : { shop_id: shopId })
    })
    return yield* Effect.mapError(
      rows[name](answer),
      (error) => new DecodeError({ table: `analytics_${name}`, id: "", ...wordsOf(error) })
    )
  })
}
