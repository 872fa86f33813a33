/** One of several processes under one limit: says how many operations it was let do. Arguments: Redis's URL, tries. */
import { Console, Effect, Either, Layer } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as RateLimit from "../../src/RateLimit.js"

const [url = "", tries = "0"] = process.argv.slice(2)

const attempts = Array.from({ length: Number(tries) }, () => Effect.either(RateLimit.admit))

const program = Effect.all(attempts, { concurrency: 10 }).pipe(
  Effect.flatMap((outcomes) => Console.log(outcomes.filter(Either.isRight).length)),
  RateLimit.withKey("shared"),
  Effect.provide(
    RateLimit.layerRedis({ url, whenUnavailable: "closed", timeout: "10 seconds" }).pipe(
      Layer.provide(PoolConfig.layerOf({ rateLimit: 100, rateLimitWindow: "1 hour" }))
    )
  )
)

await Effect.runPromise(program)
