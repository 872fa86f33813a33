import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { run } from "./command.js"
import { plainUnless } from "./plainConsole.js"
import { logging } from "./terminal.js"

/** `supabase-pool` with these arguments, as this process: standard output has the requested output and nothing else. */
export const program = (args: ReadonlyArray<string>): void => {
  // The reader of our output may stop early: `supabase-pool top --json | head -1`.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))
  run(args).pipe(
    plainUnless(process.stdout.isTTY),
    Effect.provide(Layer.merge(logging(process.stderr), NodeContext.layer)),
    NodeRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true })
  )
}
