/**
 * Counters in memory. @effect/experimental has a similar store, which never drops a key; keys are users and addresses here,
 * so this one drops those whose window is over.
 */

import { Clock, type Context, Duration, Effect, Layer } from "effect"
import { RateLimiterStore } from "#rateLimiter"
import { monotonic } from "../shared/time.js"

/** The number of keys before the first sweep of expired ones. */
const fewest = 1_024

class Forgetful<A> {
  private readonly entries: Map<string, A> = new Map()
  private sweepAt = fewest
  private readonly isOver: (entry: A, now: number) => boolean

  constructor(isOver: (entry: A, now: number) => boolean) {
    this.isOver = isOver
  }

  get(key: string, now: number, make: () => A): A {
    const known = this.entries.get(key)
    if (known !== undefined && !this.isOver(known, now)) return known
    const entry = make()
    this.entries.set(key, entry)
    if (this.entries.size >= this.sweepAt) this.sweep(now)
    return entry
  }

  get size(): number {
    return this.entries.size
  }

  /** Sweeps at twice the number that was left the last time, so that the cost per new key is constant. */
  private sweep(now: number): void {
    for (const [key, entry] of this.entries) if (this.isOver(entry, now)) this.entries.delete(key)
    this.sweepAt = Math.max(fewest, this.entries.size * 2)
  }
}

interface Counter {
  count: number
  /** When the taken tokens are available again. */
  expiresAt: number
}

interface Bucket {
  tokens: number
  lastRefill: number
  fullAt: number
}

export interface MemoryStore extends Context.Tag.Service<RateLimiterStore> {
  /** Keys in memory. */
  readonly size: () => number
}

export const make: Effect.Effect<MemoryStore> = Clock.clockWith((clock) =>
  Effect.sync(() => {
    const counters = new Forgetful<Counter>(({ expiresAt }, now) => expiresAt <= now)
    const buckets = new Forgetful<Bucket>(({ fullAt }, now) => fullAt <= now)
    return {
      size: () => counters.size + buckets.size,
      fixedWindow: ({ key, limit, refillRate, tokens }) =>
        Effect.sync(() => {
          const now = monotonic(clock)
          const counter = counters.get(key, now, () => ({ count: 0, expiresAt: now }))
          const count = counter.count + tokens
          if (limit === undefined || count <= limit) {
            counter.count = count
            counter.expiresAt += Duration.toMillis(refillRate) * tokens
          }
          return [count, counter.expiresAt - now] as const
        }),
      tokenBucket: ({ allowOverflow, key, limit, refillRate, tokens }) =>
        Effect.sync(() => {
          const now = monotonic(clock)
          const period = Duration.toMillis(refillRate)
          const bucket = buckets.get(key, now, () => ({ tokens: limit, lastRefill: now, fullAt: now }))
          const refill = Math.floor((now - bucket.lastRefill) / period)
          bucket.tokens = Math.min(limit, bucket.tokens + refill)
          bucket.lastRefill += refill * period
          const left = bucket.tokens - tokens
          if (allowOverflow || left >= 0) bucket.tokens = left
          bucket.fullAt = bucket.lastRefill + (limit - bucket.tokens) * period
          return left
        })
    }
  })
)

export const layer: Layer.Layer<RateLimiterStore> = Layer.effect(RateLimiterStore, make)
