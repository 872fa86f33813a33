/** The presets: the guide's figures, and ours where the guide has none. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Load, PoolOptions } from "./model.js"

export const production: PoolOptions = {
  minConnections: 5,
  maxConnections: 20,
  connectionTimeout: Duration.seconds(30),
  idleTimeout: Duration.minutes(5),
  maxRetries: 3,
  retryDelay: Duration.seconds(1),
  retryJitter: true,
  requestTimeout: Duration.seconds(30),
  healthCheckInterval: Duration.seconds(30),
  leakDetectionTimeout: Duration.minutes(1),
  maxLifetime: Duration.minutes(30),
  keepaliveInterval: Duration.seconds(25),
  maxPending: 10_000,
  adaptive: false,
  maxAnswer: 256 * 2 ** 20,
  compression: true,
  transport: "sockets",
  proxy: "environment",
  ca: Option.none(),
  clientCert: Option.none(),
  clientKey: Option.none(),
  shutdownTimeout: Duration.seconds(10),
  enableMetrics: true,
  enableHealthChecks: true,
  noticeRounding: false,
  rateLimit: Option.none(),
  rateLimitWindow: Duration.seconds(1)
}

export const development: PoolOptions = {
  ...production,
  minConnections: 2,
  maxConnections: 5,
  connectionTimeout: Duration.seconds(10),
  idleTimeout: Duration.minutes(1),
  noticeRounding: true
}

export const highLoad: PoolOptions = {
  ...production,
  minConnections: 10,
  maxConnections: 50,
  connectionTimeout: Duration.seconds(45),
  idleTimeout: Duration.minutes(10),
  maxRetries: 5,
  retryDelay: Duration.seconds(2),
  healthCheckInterval: Duration.seconds(15)
}

const byLoad: { readonly [L in Load]: PoolOptions } = {
  low: { ...production, minConnections: 2, maxConnections: 10 },
  medium: production,
  high: highLoad,
  extreme: { ...highLoad, minConnections: 20, maxConnections: 100 }
}

export const optimized = (load: Load): PoolOptions => byLoad[load]

export const loads: ReadonlyArray<Load> = ["low", "medium", "high", "extreme"]
