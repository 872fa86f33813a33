#!/usr/bin/env node
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { run } from "./internal/cli/command.js"
import { plainUnless } from "./internal/cli/plainConsole.js"

run(process.argv).pipe(
  plainUnless(process.stdout.isTTY),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
