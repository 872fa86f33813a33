import { parseArgs } from "node:util"
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { serve } from "./internal/serve.js"
import { lastWords, logging } from "./internal/terminal.js"

/** `npm start -- --load 200`; the rest of the options is the environment's. */
const options = Effect.try({
  try: () => parseArgs({ options: { load: { type: "string" } } }).values,
  catch: (cause) => (cause instanceof Error ? cause : new Error(String(cause)))
}).pipe(
  Effect.flatMap(({ load }) =>
    load === undefined || Number(load) > 0
      ? Effect.succeed({ load: load === undefined ? undefined : Number(load) })
      : Effect.fail(new Error(`--load is the number of callers per second, and "${load}" is none`))
  )
)

NodeRuntime.runMain(
  Effect.flatMap(options, serve).pipe(Effect.tapErrorCause(lastWords), Effect.provide(logging(process.stderr))),
  {
    disableErrorReporting: true,
    disablePrettyLogger: true
  }
)
