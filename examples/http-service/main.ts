/**
 * A service of its own that has the pool's routes beside its own:
 *
 *     npx tsx examples/http-service/main.ts
 *     curl "http://127.0.0.1:4000/laptops?max=900"
 *
 * Another port: PORT=4001. Health is at /api/health/database, the dashboard at /, the API of both at /docs.
 */
import { createServer } from "node:http"
import { HttpServer } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Layer } from "effect"
import { Db, Http, Config as PoolConfig } from "effect-supabase-pool"
import { Embedded } from "effect-supabase-pool/embedded"
import { service } from "./service.js"

const listen = { port: Config.withDefault(Config.port("PORT"), 4000), host: Config.succeed("127.0.0.1") }

service.pipe(
  HttpServer.withLogAddress,
  Layer.provide(NodeHttpServer.layerConfig(() => Http.graceful(createServer()), listen)),
  // After the server, so that it ends after the server has answered its open requests.
  Layer.provide(Db.layer),
  Layer.provide([Embedded.layer, PoolConfig.PoolConfig.layer, PoolConfig.ServerConfig.layer]),
  Layer.launch,
  NodeRuntime.runMain
)
