/**
 * A service of its own that has the pool's routes beside its own:
 *
 *     npx tsx examples/http-service/main.ts
 *     curl http://127.0.0.1:4000/laptops?max=900
 *
 * Health is at /api/health/database, the dashboard at /, the API of both at /docs.
 */
import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Layer } from "effect"
import { Config } from "effect-supabase-pool"
import { Embedded } from "effect-supabase-pool/embedded"
import { service } from "./service.js"

service.pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { port: 4000, host: "127.0.0.1" })),
  Layer.provide([Embedded.layer, Config.PoolConfig.layer, Config.ServerConfig.layer]),
  Layer.launch,
  NodeRuntime.runMain
)
