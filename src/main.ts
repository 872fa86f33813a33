import { parseArgs } from "node:util"
import { NodeRuntime } from "@effect/platform-node"
import { Data, Effect, Either } from "effect"
import * as Numbers from "./internal/cli/numbers.js"
import { serve } from "./internal/serve.js"
import { lastWords, logging } from "./internal/terminal.js"

class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** `npm start -- --load 200`; everything else is the environment's. */
const options = Effect.try({
  try: () => parseArgs({ options: { load: { type: "string" } } }).values,
  catch: (cause) => new UsageError({ message: cause instanceof Error ? cause.message : String(cause) })
}).pipe(
  Effect.flatMap(({ load }) => {
    if (load === undefined) return Effect.succeed({})
    const checked = Numbers.check("load", load.trim() === "" ? Number.NaN : Number(load), Numbers.perSecond)
    return Either.match(checked, {
      onLeft: (message) => new UsageError({ message }),
      onRight: (rate) => Effect.succeed({ load: rate })
    })
  })
)

NodeRuntime.runMain(
  Effect.flatMap(options, serve).pipe(Effect.tapErrorCause(lastWords), Effect.provide(logging(process.stderr))),
  {
    disableErrorReporting: true,
    disablePrettyLogger: true
  }
)
