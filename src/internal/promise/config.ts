import { Duration, Option, Redacted } from "effect"
import { ConfigInvalid, type Load, optimized, type PoolOptions } from "../../Config.js"
import { loads } from "../config/presets.js"
import type { PoolOptions as Options } from "./options.js"

type Figure<A> = [A] extends [boolean] ? boolean : [A] extends ["sockets" | "fetch"] ? A : number

/**
 * Pool options as the guide writes them: durations are numbers of milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export type PoolConfigObject = {
  -readonly [K in Exclude<keyof Options, "rateLimit" | "proxy" | "ca" | "clientCert" | "clientKey">]-?: Figure<
    NonNullable<Options[K]>
  >
} & { rateLimit?: number; proxy?: string; ca?: string; clientCert?: string; clientKey?: string }

const plain = (options: PoolOptions): PoolConfigObject => ({
  minConnections: options.minConnections,
  maxConnections: options.maxConnections,
  connectionTimeout: Duration.toMillis(options.connectionTimeout),
  idleTimeout: Duration.toMillis(options.idleTimeout),
  maxRetries: options.maxRetries,
  retryDelay: Duration.toMillis(options.retryDelay),
  retryJitter: options.retryJitter,
  requestTimeout: Duration.toMillis(options.requestTimeout),
  healthCheckInterval: Duration.toMillis(options.healthCheckInterval),
  leakDetectionTimeout: Duration.toMillis(options.leakDetectionTimeout),
  maxLifetime: Duration.toMillis(options.maxLifetime),
  keepaliveInterval: Duration.toMillis(options.keepaliveInterval),
  maxPending: options.maxPending,
  adaptive: options.adaptive,
  maxAnswer: options.maxAnswer,
  compression: options.compression,
  transport: options.transport,
  ...(Redacted.isRedacted(options.proxy) ? {} : { proxy: options.proxy }),
  shutdownTimeout: Duration.toMillis(options.shutdownTimeout),
  enableMetrics: options.enableMetrics,
  enableHealthChecks: options.enableHealthChecks,
  noticeRounding: options.noticeRounding,
  ...Option.match(options.rateLimit, { onNone: () => ({}), onSome: (rateLimit) => ({ rateLimit }) }),
  rateLimitWindow: Duration.toMillis(options.rateLimitWindow)
})

export const optimizedConfig = (load: Load): PoolConfigObject => {
  if (loads.includes(load)) return plain(optimized(load))
  throw new ConfigInvalid({
    mistakes: [
      {
        variable: "getOptimizedConfig",
        value: String(load),
        problem: "not a preset's name",
        remedy: "give low, medium, high or extreme"
      }
    ]
  })
}
