import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { run } from "./command.js"
import { plainUnless } from "./plainConsole.js"
import { logging } from "./terminal.js"

/** `supabase-pool` with these arguments, as this process: standard output has what was asked for and nothing else. */
export const program = (args: ReadonlyArray<string>): void => {
  // Whoever reads our lines may have read enough: `supabase-pool top --json | head -1`.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))
  run(args).pipe(
    plainUnless(process.stdout.isTTY),
    Effect.provide(Layer.merge(logging(process.stderr), NodeContext.layer)),
    NodeRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true })
  )
}
