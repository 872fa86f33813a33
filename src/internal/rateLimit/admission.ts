/** Whether a fiber's operations are allowed, and the key that they count under. */
import { Effect, FiberRef } from "effect"
import type { RateLimited } from "../../Errors.js"
import type { RateLimiting } from "../../RateLimit.js"

export const unlimited: RateLimiting = { admit: () => Effect.void }

export const currentKey: FiberRef.FiberRef<string> = FiberRef.unsafeMake("default")

export const admitBy = (limit: RateLimiting): Effect.Effect<void, RateLimited> =>
  Effect.flatMap(FiberRef.get(currentKey), limit.admit)
