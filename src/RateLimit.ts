/**
 * How many operations a caller may make, decided before a connection is requested.
 *
 * `DB_POOL_RATE_LIMIT` operations per `DB_POOL_RATE_LIMIT_WINDOW` and key; the next fails at once with `RateLimited`, which
 * says when to try again. Without `DB_POOL_RATE_LIMIT` there is no limit. A key identifies a caller:
 * `RateLimit.withKey(userId)(effect)` sets it for everything inside, and operations without one share the key `default`.
 *
 * `Db.layer` limits by itself, in memory. To count in one place for several processes, give it `RateLimit.layerRedis`.
 * The limiter is `@effect/experimental`'s, so any of its stores works (`layerStore`).
 *
 * @since 0.1.0
 */

import { Clock, Context, Data, Duration, Effect, Layer, Option, type Redacted, type Scope } from "effect"
import * as RateLimiter from "#rateLimiter"
// By its place: `moduleResolution: node10` knows no `imports` of package.json, and this stands in the types that users get.
import type { RateLimiterStore } from "../vendor/effect/rateLimiter.js"
import { PoolConfig, type PoolOptions } from "./Config.js"
import { RateLimited } from "./Errors.js"
import { admitBy, currentKey, unlimited } from "./internal/rateLimit/admission.js"
import * as MemoryStore from "./internal/rateLimit/memoryStore.js"
import { byService, oncePer } from "./internal/shared/oncePer.js"
import { monotonic } from "./internal/shared/time.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface RateLimiting {
  /** Takes one operation of `key`'s window, or fails with `RateLimited`. */
  readonly admit: (key: string) => Effect.Effect<void, RateLimited>
}

/**
 * Provide one to `Db.layer` to replace its own limiter.
 *
 * @example
 * import { Config, Db, RateLimit } from "effect-supabase-pool"
 * import { Layer } from "effect"
 *
 * export const DbLive = Db.layer.pipe(
 *   Layer.provide(RateLimit.layerRedis({ url: "redis://127.0.0.1:6379" })),
 *   Layer.provide(Config.layer)
 * )
 *
 * @since 0.1.0
 * @category tags
 */
export class RateLimit extends Context.Tag("effect-supabase-pool/RateLimit")<RateLimit, RateLimiting>() {}

/**
 * What happens while the store is unreachable: `open` allows every operation, and only the pool's own bounds (`maxPending`,
 * `connectionTimeout`) apply; `closed` refuses every operation.
 *
 * @since 0.1.0
 * @category models
 */
export type WhenUnavailable = "open" | "closed"

/**
 * @since 0.1.0
 * @category models
 */
export interface StoreOptions {
  /** Default: `open`. */
  readonly whenUnavailable?: WhenUnavailable | undefined
}

/** The time (ms) until the store is asked again: operations in between do not wait for another timeout. */
const respite = 1_000

/** Logs when the store becomes unreachable and when it is back, and not at each operation in between. */
const watched = (limiter: RateLimiter.RateLimiter, options: StoreOptions, limit: number, window: Duration.Duration) =>
  Clock.clockWith((clock) =>
    Effect.sync((): RateLimiting => {
      const { whenUnavailable = "open" } = options
      let askAgain = Number.NEGATIVE_INFINITY
      let gone = false
      const returned = Effect.suspend(() => {
        if (!gone) return Effect.void
        gone = false
        return Effect.logInfo("the rate limit's store is back")
      })
      const lost = (key: string): Effect.Effect<void, RateLimited> =>
        whenUnavailable === "open"
          ? Effect.void
          : Effect.fail(new RateLimited({ key, retryAfter: Duration.millis(respite) }))
      const went = (reason: string) =>
        Effect.suspend(() => {
          askAgain = monotonic(clock) + respite
          if (gone) return Effect.void
          gone = true
          const meanwhile = whenUnavailable === "open" ? "every operation is allowed" : "no operation is allowed"
          return Effect.logWarning(`the rate limit's store cannot be reached: ${meanwhile} until it is back`).pipe(
            Effect.annotateLogs({ reason })
          )
        })
      return {
        admit: (key) =>
          Effect.suspend(() => {
            if (gone && monotonic(clock) < askAgain) return lost(key)
            return Effect.matchEffect(limiter.consume({ key, limit, window }), {
              onSuccess: () => returned,
              onFailure: (error) =>
                error.reason === "Exceeded"
                  ? Effect.zipRight(returned, Effect.fail(new RateLimited({ key, retryAfter: error.retryAfter })))
                  : Effect.zipRight(went(error.message), lost(key))
            })
          })
      }
    })
  )

const make = (
  { rateLimit, rateLimitWindow }: PoolOptions,
  options: StoreOptions
): Effect.Effect<RateLimiting, never, RateLimiter.RateLimiterStore> =>
  Option.match(rateLimit, {
    onNone: () => Effect.succeed(unlimited),
    onSome: (limit) => Effect.flatMap(RateLimiter.make, (limiter) => watched(limiter, options, limit, rateLimitWindow))
  })

/**
 * Counts in the store that is provided.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerStore = (options: StoreOptions = {}): Layer.Layer<RateLimit, never, PoolConfig | RateLimiterStore> =>
  Layer.effect(
    RateLimit,
    Effect.flatMap(PoolConfig, (pool) => make(pool, options))
  )

/**
 * Counts in memory: for one process, until it ends.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<RateLimit, never, PoolConfig> = oncePer(
  byService(() => PoolConfig),
  () => Layer.provide(layerStore(), Layer.fresh(MemoryStore.layer))
)

/**
 * @since 0.1.0
 * @category models
 */
export interface RedisOptions extends StoreOptions {
  /** `redis://…` or, with TLS, `rediss://…`; `Redacted` when it holds a password. */
  readonly url: string | Redacted.Redacted
  /** In front of each key. Default: `supabase-pool:rate:`. */
  readonly prefix?: string | undefined
  /** Redis counts as unreachable if it has not answered after this. Default: 250 ms. */
  readonly timeout?: Duration.DurationInput | undefined
}

/**
 * The optional package `redis` is not installed.
 *
 * @since 0.1.0
 * @category errors
 */
export class RedisNotInstalled extends Data.TaggedError("RedisNotInstalled")<{ readonly cause: unknown }> {
  override get message(): string {
    return "RateLimit.layerRedis: the optional package redis could not be loaded. Nothing was opened. Run: npm install redis"
  }
}

/** The client is loaded when the layer is built, so that importing this module loads nothing. */
const redisStore = (
  options: RedisOptions
): Effect.Effect<Context.Tag.Service<RateLimiter.RateLimiterStore>, RedisNotInstalled, Scope.Scope> =>
  Effect.flatMap(
    Effect.tryPromise({
      try: () => import("./RateLimit/Redis.js").then(({ load }) => load()),
      catch: (cause) => new RedisNotInstalled({ cause })
    }),
    (make) => make(options)
  )

/**
 * Counts in Redis, for all processes that use it with the same prefix.
 *
 * Building it does not wait for Redis. While Redis is unreachable, `whenUnavailable` decides, and one line is logged.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerRedis = (options: RedisOptions): Layer.Layer<RateLimit, RedisNotInstalled, PoolConfig> =>
  Layer.provide(layerStore(options), Layer.scoped(RateLimiter.RateLimiterStore, redisStore(options)))

/**
 * Counts every operation inside under this key; `get`s of a table share a request under the same key only. It is shown in errors, so it must not be a secret.
 *
 * @example
 * import { Db, RateLimit } from "effect-supabase-pool"
 *
 * export const productsFor = (userId: string) =>
 *   Db.read((client) => client.from("products").select("id, title")).pipe(RateLimit.withKey(userId))
 *
 * @since 0.1.0
 * @category combinators
 */
export const withKey = (key: string): (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) =>
  Effect.locally(currentKey, key)

/**
 * Takes one operation of the current key's window, for work that is not an operation of `Db`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const admit: Effect.Effect<void, RateLimited, RateLimit> = Effect.flatMap(RateLimit, (limit) => admitBy(limit))
