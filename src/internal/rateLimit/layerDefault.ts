import { Effect, Layer, Option } from "effect"
import type { PoolConfig } from "../../Config.js"
import { layer, RateLimit } from "../../RateLimit.js"

/**
 * The provided limiter, or one in memory.
 */
export const layerDefault: Layer.Layer<RateLimit, never, PoolConfig> = Layer.unwrapEffect(
  Effect.map(
    Effect.serviceOption(RateLimit),
    Option.match({ onNone: () => layer, onSome: (given) => Layer.succeed(RateLimit, given) })
  )
)
