import { NodeRuntime } from "@effect/platform-node"
import { serve } from "./internal/serve.js"

NodeRuntime.runMain(serve)
