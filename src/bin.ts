#!/usr/bin/env node
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { run } from "./internal/cli/command.js"
import { plainUnless } from "./internal/cli/plainConsole.js"

// Whoever reads our lines may have read enough: `supabase-pool top --json | head -1`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))

run(process.argv).pipe(
  plainUnless(process.stdout.isTTY),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
