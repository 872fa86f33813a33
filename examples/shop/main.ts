/**
 * The whole service, with the pool's own routes beside it, on a database of its own in this process:
 *
 *     npx tsx examples/shop/main.ts
 *     curl http://127.0.0.1:4000/products
 *     curl http://127.0.0.1:4000/internal/api/health/database
 *
 * Another port: PORT=4001. In production it is `Config.layer` alone, which reads `SUPABASE_URL` and the keys.
 */
import { createServer } from "node:http"
import { HttpLayerRouter } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Layer } from "effect"
import { Db, Health, Http, Config as PoolConfig } from "effect-supabase-pool"
import { database } from "./database.js"
import { routes } from "./http.js"

const listen = { port: Config.withDefault(Config.port("PORT"), 4000), host: Config.succeed("127.0.0.1") }

const ours = Http.routesOf({ prefix: "/internal", parts: ["health", "metrics", "admin"] })

HttpLayerRouter.serve(Layer.merge(routes, ours)).pipe(
  Layer.provide([Health.layer, Http.Readiness.layer]),
  Layer.provide(NodeHttpServer.layerConfig(() => Http.graceful(createServer()), listen)),
  // After the server, so that it ends after the server has answered its open requests.
  Layer.provide(Db.layer),
  Layer.provide([database, PoolConfig.PoolConfig.layer, PoolConfig.ServerConfig.layer]),
  Layer.launch,
  NodeRuntime.runMain
)
