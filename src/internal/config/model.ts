/** The public types of `Config`, in a separate file so that their readers need not import the code that builds them. */
import type * as Duration from "effect/Duration"
import type * as LogLevel from "effect/LogLevel"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"

/**
 * All options of a pool, complete and checked.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolOptions {
  /** Connections that each of the two pools keeps open. */
  readonly minConnections: number
  /** Connections of both pools together; see `poolSizes`. */
  readonly maxConnections: number
  /** Longest wait for a connection, queueing and connecting together. */
  readonly connectionTimeout: Duration.Duration
  /** An idle connection above the minimum is closed after this. */
  readonly idleTimeout: Duration.Duration
  /** Attempts after the first; 0 turns retrying off. */
  readonly maxRetries: number
  /** Delay before the first retry; it doubles each time. */
  readonly retryDelay: Duration.Duration
  /** Whether each delay is multiplied by 0.8 to 1.2. */
  readonly retryJitter: boolean
  /** Longest single HTTP request. */
  readonly requestTimeout: Duration.Duration
  /** Time between two background health checks. */
  readonly healthCheckInterval: Duration.Duration
  /** A connection held longer is reclaimed; zero turns it off. */
  readonly leakDetectionTimeout: Duration.Duration
  /** A connection older than this is replaced when idle; zero turns it off. */
  readonly maxLifetime: Duration.Duration
  /** Time between two pings of an idle connection; zero turns it off. */
  readonly keepaliveInterval: Duration.Duration
  /** Operations that may wait for a connection, per pool. */
  readonly maxPending: number
  /** Whether each pool limits what it has under way by how long answers take and by what the server refuses. */
  readonly adaptive: boolean
  /** The largest accepted answer, decoded, in bytes. */
  readonly maxAnswer: number
  /** Whether the pool asks for compressed answers. */
  readonly compression: boolean
  /** What carries requests: the pool's own sockets, or the platform's `fetch`, for specs that intercept requests there. */
  readonly transport: "sockets" | "fetch"
  /** The environment's proxy (`HTTPS_PROXY` and its like), none, or an address, which may hold a login. */
  readonly proxy: "environment" | "none" | Redacted.Redacted
  /** PEM of CAs to trust beside those that Node trusts. */
  readonly ca: Option.Option<string>
  /** PEM of the client certificate for servers that ask for one, and its private key: both or neither. */
  readonly clientCert: Option.Option<string>
  readonly clientKey: Option.Option<Redacted.Redacted>
  /** Longest drain at shutdown. */
  readonly shutdownTimeout: Duration.Duration
  readonly enableMetrics: boolean
  readonly enableHealthChecks: boolean
  /** Whether the log says, once for each column, that a number was read which JavaScript rounds. */
  readonly noticeRounding: boolean
  /** Operations per `rateLimitWindow` and key; none: no limit. */
  readonly rateLimit: Option.Option<number>
  readonly rateLimitWindow: Duration.Duration
}

/**
 * The input for options: any part of them, durations in milliseconds or with a unit. A complete `PoolOptions`, such as a
 * preset, is valid too.
 *
 * @example
 * import type { Config } from "effect-supabase-pool"
 *
 * const options: Config.PoolOptionsInput = { minConnections: 2, connectionTimeout: 10000, idleTimeout: "1 minute" }
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolOptionsInput {
  readonly minConnections?: number | undefined
  readonly maxConnections?: number | undefined
  readonly connectionTimeout?: Duration.DurationInput | undefined
  readonly idleTimeout?: Duration.DurationInput | undefined
  readonly maxRetries?: number | undefined
  readonly retryDelay?: Duration.DurationInput | undefined
  readonly retryJitter?: boolean | undefined
  readonly requestTimeout?: Duration.DurationInput | undefined
  readonly healthCheckInterval?: Duration.DurationInput | undefined
  readonly leakDetectionTimeout?: Duration.DurationInput | undefined
  readonly maxLifetime?: Duration.DurationInput | undefined
  readonly keepaliveInterval?: Duration.DurationInput | undefined
  readonly maxPending?: number | undefined
  readonly adaptive?: boolean | undefined
  /** Bytes, or with a unit: `"64 MB"`. */
  readonly maxAnswer?: number | string | undefined
  readonly compression?: boolean | undefined
  readonly transport?: "sockets" | "fetch" | undefined
  /** `"none"`, or an address with or without a login: `http://user:password@proxy:3128`. */
  readonly proxy?: string | Redacted.Redacted | undefined
  /** PEM, or the path of a file of it, which is read when the options are. */
  readonly ca?: string | Option.Option<string> | undefined
  /** PEM, or the path of a file of it. */
  readonly clientCert?: string | Option.Option<string> | undefined
  /** PEM without a passphrase, or the path of a file of it. */
  readonly clientKey?: string | Redacted.Redacted | Option.Option<Redacted.Redacted> | undefined
  readonly shutdownTimeout?: Duration.DurationInput | undefined
  readonly enableMetrics?: boolean | undefined
  readonly enableHealthChecks?: boolean | undefined
  readonly noticeRounding?: boolean | undefined
  readonly rateLimit?: number | Option.Option<number> | undefined
  readonly rateLimitWindow?: Duration.DurationInput | undefined
}

/**
 * Where the database is and the two keys. The URL has no trailing slash.
 *
 * @since 0.1.0
 * @category models
 */
export interface SupabaseOptions {
  readonly url: string
  readonly anonKey: Redacted.Redacted
  readonly serviceRoleKey: Redacted.Redacted
}

/**
 * The input for the access: keys as strings or `Redacted`.
 *
 * @since 0.1.0
 * @category models
 */
export interface SupabaseOptionsInput {
  readonly url: string
  readonly anonKey: string | Redacted.Redacted
  readonly serviceRoleKey: string | Redacted.Redacted
}

/**
 * The options of the HTTP server.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerOptions {
  /** 0 takes any free port. */
  readonly port: number
  readonly host: string
  /** Names that the server answers to, beside its own; in lower case, `*.` stands for all names below. */
  readonly allowedHosts: ReadonlyArray<string>
  /** Bearer token of the admin routes; none: they answer 404. */
  readonly adminToken: Option.Option<Redacted.Redacted>
  /** Where to send alerts; the URL itself is the secret. */
  readonly slackWebhookUrl: Option.Option<Redacted.Redacted>
  readonly logLevel: LogLevel.LogLevel
}

/**
 * The input for the server's options: any part of them.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerOptionsInput {
  readonly port?: number | undefined
  readonly host?: string | undefined
  readonly allowedHosts?: string | ReadonlyArray<string> | undefined
  readonly adminToken?: string | Redacted.Redacted | Option.Option<Redacted.Redacted> | undefined
  readonly slackWebhookUrl?: string | Redacted.Redacted | Option.Option<Redacted.Redacted> | undefined
  readonly logLevel?:
    | LogLevel.LogLevel
    | "trace"
    | "debug"
    | "info"
    | "warning"
    | "error"
    | "fatal"
    | "none"
    | undefined
}

/**
 * The loads that `optimized` has a preset for.
 *
 * @since 0.1.0
 * @category models
 */
export type Load = "low" | "medium" | "high" | "extreme"

/**
 * The smallest and the largest number of connections of one pool.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolSize {
  readonly min: number
  readonly max: number
}

/**
 * One environment variable: its name, the option that it sets, its default, its meaning.
 *
 * @since 0.1.0
 * @category models
 */
export interface Variable {
  readonly name: string
  readonly option: Option.Option<keyof PoolOptions>
  /** The production preset's value as text: `20`, `30000 ms`, `true`, `off`. */
  readonly default: Option.Option<string>
  readonly meaning: string
  /** Whether its value is secret (a key, a token) and shown nowhere. */
  readonly secret: boolean
}

/**
 * One mistake: the variable (or the option given in code), its value unless it may be a secret, the problem, and how to fix
 * it.
 *
 * @since 0.1.0
 * @category errors
 */
export interface Mistake {
  readonly variable: string
  readonly value?: string
  readonly problem: string
  readonly remedy: string
}
