import { Effect, Layer, Logger, LogLevel } from "effect"
import * as Audit from "../../Audit.js"
import { ServerConfig } from "../../Config.js"
import * as Pool from "../../Pool.js"

/**
 * Every connection event in the log, if `LOG_LEVEL` is `debug`; otherwise nothing listens. Another program has not set
 * Effect's log level, so these lines set it themselves.
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
