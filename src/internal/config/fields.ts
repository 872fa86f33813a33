/** One row per pool option: its variable, its meaning, how it is read. The README, `--help` and the parser share it. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { PoolOptions } from "./model.js"
import { bytes, count, duration, flag, optionalCount, type Parser, proxyAddress, transport } from "./parse.js"
import { authorities, clientCertificate, clientKey } from "./pem.js"
import { production } from "./presets.js"

export interface Field<A> extends Parser<A> {
  readonly variable: string
  readonly meaning: string
  readonly show: (value: A) => string
  /** Its value is shown nowhere, even if it is wrong: a key, or a value that may hold a login. */
  readonly secret?: boolean
}

export type Fields = { readonly [K in keyof PoolOptions]: Field<PoolOptions[K]> }

const counted = (
  key: "minConnections" | "maxConnections" | "maxRetries" | "maxPending",
  variable: string,
  meaning: string,
  limits: { readonly min: number; readonly max: number; readonly because?: string }
): Field<number> => ({ variable, meaning, show: String, ...count({ ...limits, example: production[key] }) })

const switched = (variable: string, meaning: string): Field<boolean> => ({ variable, meaning, show: String, ...flag })

const onOff = (variable: string, meaning: string): Field<boolean> => ({
  ...switched(variable, meaning),
  show: (value) => (value ? "on" : "off")
})

const timed = (
  zero: "off" | "refused",
  example: string,
  variable: string,
  meaning: string
): Field<Duration.Duration> => ({
  variable,
  meaning,
  show: (value) => `${Duration.toMillis(value)} ms`,
  ...duration({ zero, example })
})

export const fields: Fields = {
  minConnections: counted("minConnections", "DB_POOL_MIN_CONNECTIONS", "connections each pool keeps open", {
    min: 1,
    max: 5_000
  }),
  maxConnections: counted(
    "maxConnections",
    "DB_POOL_MAX_CONNECTIONS",
    "both pools together; each has half (odd: the read pool has one more)",
    { min: 2, max: 10_000, because: "the read pool and the write pool need one connection each" }
  ),
  connectionTimeout: timed(
    "refused",
    "30000 or 30 seconds",
    "DB_POOL_CONNECTION_TIMEOUT",
    "longest wait for a connection, queueing and connecting together"
  ),
  idleTimeout: timed(
    "refused",
    "300000 or 5 minutes",
    "DB_POOL_IDLE_TIMEOUT",
    "an idle connection above the minimum is closed after this"
  ),
  maxRetries: counted("maxRetries", "DB_POOL_MAX_RETRIES", "attempts after the first", { min: 0, max: 100 }),
  retryDelay: timed(
    "refused",
    "1000 or 1 second",
    "DB_POOL_RETRY_DELAY",
    "first delay; doubles each time: 1 s, 2 s, 4 s"
  ),
  retryJitter: switched("DB_POOL_RETRY_JITTER", "each delay ×0.8 to ×1.2; false gives the exact delays"),
  requestTimeout: timed("refused", "30000 or 30 seconds", "DB_POOL_REQUEST_TIMEOUT", "longest single HTTP request"),
  healthCheckInterval: timed(
    "refused",
    "30000 or 30 seconds",
    "DB_POOL_HEALTH_CHECK_INTERVAL",
    "background health check"
  ),
  leakDetectionTimeout: timed(
    "off",
    "60000 or 1 minute",
    "DB_POOL_LEAK_DETECTION_TIMEOUT",
    "a connection held longer is reclaimed; 0 turns it off"
  ),
  maxLifetime: timed(
    "off",
    "1800000 or 30 minutes",
    "DB_POOL_MAX_LIFETIME",
    "a connection older than this is replaced when idle; less up to 2.5 % of jitter; 0 turns it off"
  ),
  keepaliveInterval: timed(
    "off",
    "30000 or 30 seconds",
    "DB_POOL_KEEPALIVE_INTERVAL",
    "an idle connection is pinged this often; 0 turns it off"
  ),
  maxPending: counted(
    "maxPending",
    "DB_POOL_MAX_PENDING",
    "operations that may wait for a connection per pool; the next fails at once with PoolOverloaded",
    { min: 1, max: 1_000_000, because: "an operation also waits while its connection is opened" }
  ),
  adaptive: onOff("DB_POOL_ADAPTIVE", "limit what is under way by what the server bears"),
  maxAnswer: {
    variable: "DB_POOL_MAX_ANSWER",
    meaning: "the largest answer that is taken, decoded; larger ones fail and close their connection",
    show: (value) => `${value} bytes`,
    // The upper limit is JavaScript's longest string; an error of the database has to fit into the lower.
    ...bytes({ min: 65_536, max: 536_870_888, example: "268435456 or 256 MiB" })
  },
  compression: onOff("DB_POOL_COMPRESSION", "ask for compressed answers, as fetch does"),
  transport: {
    variable: "DB_POOL_TRANSPORT",
    meaning: "sockets of the pool's own, or fetch: the platform's, for specs with msw or nock",
    show: (value) => value,
    ...transport
  },
  proxy: {
    variable: "DB_POOL_PROXY",
    meaning: "the proxy to go through, or none",
    show: (value) => (value === "environment" ? "from HTTPS_PROXY, HTTP_PROXY, NO_PROXY" : "set"),
    secret: true,
    ...proxyAddress
  },
  ca: {
    variable: "DB_POOL_CA",
    meaning: "CAs to trust beside Node's: a PEM file, or PEM",
    show: Option.match({ onNone: () => "none", onSome: () => "set" }),
    ...authorities
  },
  clientCert: {
    variable: "DB_POOL_CLIENT_CERT",
    meaning: "the certificate for a server that asks for one: a PEM file, or PEM",
    show: Option.match({ onNone: () => "none", onSome: () => "set" }),
    ...clientCertificate
  },
  clientKey: {
    variable: "DB_POOL_CLIENT_KEY",
    meaning: "the private key of DB_POOL_CLIENT_CERT: a PEM file, or PEM",
    show: Option.match({ onNone: () => "none", onSome: () => "set" }),
    secret: true,
    ...clientKey
  },
  shutdownTimeout: timed(
    "refused",
    "10000 or 10 seconds",
    "DB_POOL_SHUTDOWN_TIMEOUT",
    "longest drain at shutdown, then in-flight work is interrupted"
  ),
  enableMetrics: switched("DB_POOL_ENABLE_METRICS", "count and time every operation"),
  enableHealthChecks: switched("DB_POOL_ENABLE_HEALTH_CHECKS", "check the database in the background"),
  noticeRounding: switched("DB_POOL_NOTICE_ROUNDING", "log numbers that JavaScript rounds, once a column"),
  rateLimit: {
    variable: "DB_POOL_RATE_LIMIT",
    meaning: "operations per window and key; unset: no limit",
    show: Option.match({ onNone: () => "off", onSome: String }),
    ...optionalCount({ min: 1, max: 1_000_000_000, example: 100, because: "unset turns the limit off" })
  },
  rateLimitWindow: timed(
    "refused",
    "1000 or 1 second",
    "DB_POOL_RATE_LIMIT_WINDOW",
    "the window that DB_POOL_RATE_LIMIT counts in"
  )
}
