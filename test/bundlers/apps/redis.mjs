import { Effect, Layer } from "effect"
import { Config, RateLimit } from "effect-supabase-pool"

const layer = Layer.provide(
  RateLimit.layerRedis({ url: "redis://127.0.0.1:1" }),
  Config.PoolConfig.layerOf({ rateLimit: 5 })
)

Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(layer)))).then(
  (error) => console.log(`refused: ${error.message}`),
  () => console.log("redis was loaded")
)
