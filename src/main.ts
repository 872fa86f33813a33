import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { serve } from "./internal/serve.js"
import { lastWords, logging } from "./internal/terminal.js"

NodeRuntime.runMain(serve.pipe(Effect.tapErrorCause(lastWords), Effect.provide(logging(process.stderr))), {
  disableErrorReporting: true,
  disablePrettyLogger: true
})
