/**
 * A functional connection pool for Supabase on Effect. From the ground up:
 *
 * - `Config`: the pool's options, from the environment or from values.
 * - `Values`: schemas of columns whose values JSON or JavaScript would change.
 * - `Connection`: one socket and a supabase-js client on it.
 * - `Pool`: the read pool and the write pool.
 * - `Retry`: when a retry is safe.
 * - `RateLimit`: how many operations a caller may make.
 * - `Metrics`, `Audit`: measurements and events.
 * - `Db`: what people call.
 * - `Transaction`: several steps, all or none, exactly once.
 * - `Marketplace`: a small marketplace's users, shops, products, orders and reports, as tables of `Db`.
 * - `Health`: is the database reachable, and is the pool healthy?
 * - `Http`: the same over HTTP.
 * - `Alerts`: notifies somebody when it is not.
 *
 * @since 0.1.0
 */
export * as Alerts from "./Alerts.js"
export * as Audit from "./Audit.js"
export * as Config from "./Config.js"
export * as Connection from "./Connection.js"
export * as Db from "./Db.js"
export * as Health from "./Health.js"
export * as Http from "./Http.js"
export * as Marketplace from "./Marketplace.js"
export * as Metrics from "./Metrics.js"
export * as Pool from "./Pool.js"
export * as RateLimit from "./RateLimit.js"
export * as Retry from "./Retry.js"
export * as Transaction from "./Transaction.js"
export * as Values from "./Values.js"
