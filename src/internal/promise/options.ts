/** What the Promise API is told, in types that know nothing of Effect: its user may have another version of that, or none. */

type Unit = "nano" | "micro" | "milli" | "second" | "minute" | "hour" | "day" | "week"

/**
 * A number of milliseconds, or one with its unit: `"30 seconds"`.
 *
 * @since 0.1.0
 * @category models
 */
export type Time = number | `${number} ${Unit | `${Unit}s`}`

/**
 * Options of the pools, over the production preset; docs/configuration.md says what each does.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolOptions {
  readonly minConnections?: number | undefined
  readonly maxConnections?: number | undefined
  readonly connectionTimeout?: Time | undefined
  readonly idleTimeout?: Time | undefined
  readonly maxRetries?: number | undefined
  readonly retryDelay?: Time | undefined
  readonly retryJitter?: boolean | undefined
  readonly requestTimeout?: Time | undefined
  readonly healthCheckInterval?: Time | undefined
  readonly leakDetectionTimeout?: Time | undefined
  readonly maxLifetime?: Time | undefined
  readonly keepaliveInterval?: Time | undefined
  readonly maxPending?: number | undefined
  readonly adaptive?: boolean | undefined
  /** Bytes, or with a unit: `"64 MB"`. */
  readonly maxAnswer?: number | string | undefined
  readonly compression?: boolean | undefined
  /** `"fetch"`: requests go out by the global `fetch`, for tests that listen there. */
  readonly transport?: "sockets" | "fetch" | undefined
  /** `"none"`, or an address with or without a login: `http://user:password@proxy:3128`. */
  readonly proxy?: string | undefined
  /** PEM, or the path of a file of it, which is read when the options are. */
  readonly ca?: string | undefined
  /** PEM, or the path of a file of it. */
  readonly clientCert?: string | undefined
  /** PEM without a passphrase, or the path of a file of it. */
  readonly clientKey?: string | undefined
  readonly shutdownTimeout?: Time | undefined
  readonly enableMetrics?: boolean | undefined
  readonly enableHealthChecks?: boolean | undefined
  readonly noticeRounding?: boolean | undefined
  readonly rateLimit?: number | undefined
  readonly rateLimitWindow?: Time | undefined
}

/**
 * Where the database is, and its keys.
 *
 * @since 0.1.0
 * @category models
 */
export interface SupabaseOptions {
  readonly url: string
  readonly anonKey: string
  readonly serviceRoleKey: string
}
