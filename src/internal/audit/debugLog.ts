import { Effect, Layer, Logger, LogLevel } from "effect"
import * as Audit from "../../Audit.js"
import { ServerConfig } from "../../Config.js"
import * as Pool from "../../Pool.js"

/**
 * Every connection event in the log, where `LOG_LEVEL` asks for that much; otherwise nobody listens. In a program of somebody
 * else's nobody has told Effect that this level is wanted, so these lines say it for themselves.
 */
export const debugLog: Layer.Layer<never, never, Pool.ReadPool | Pool.WritePool | ServerConfig> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const { logLevel } = yield* ServerConfig
    if (LogLevel.greaterThan(logLevel, LogLevel.Debug)) return
    for (const { events } of [yield* Pool.ReadPool, yield* Pool.WritePool]) {
      yield* Logger.withMinimumLogLevel(Audit.log(events), logLevel)
    }
  })
)
