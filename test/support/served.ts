/** Everything that `Http.layer` needs, on a free port, over a database of the test's choice. */
import { createServer, type Server } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Layer } from "effect"
import type * as Alerts from "../../src/Alerts.js"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Http from "../../src/Http.js"

export interface ServedOptions extends Config.PoolOptionsInput {
  readonly adminToken?: string
  /** Default: any free one. */
  readonly port?: number
}

/**
 * Effect's server takes its listener away before Node's server closes, which waits for every connection: what a browser
 * asks in between is never answered, and nobody would hang up.
 */
const hangingUp = (): Server => {
  const server = createServer()
  const close = server.close.bind(server)
  server.close = (done) => {
    close(done)
    server.closeAllConnections()
    return server
  }
  return server
}

export const served = (
  database: Layer.Layer<Config.SupabaseConfig, Config.ConfigInvalid>,
  { adminToken, port = 0, ...pool }: ServedOptions = {},
  alerts: Layer.Layer<Alerts.Alerts, never, Health.Health> | Layer.Layer<never> = Layer.empty
) =>
  Http.layer.pipe(
    Layer.provide(alerts),
    Layer.provideMerge(Layer.mergeAll(Health.layer, Http.Readiness.layer)),
    Layer.provideMerge(Db.layer),
    Layer.provideMerge(NodeHttpServer.layer(hangingUp, { port, host: "127.0.0.1" })),
    Layer.provideMerge(Config.PoolConfig.layerOf({ enableHealthChecks: false, ...pool })),
    Layer.provideMerge(Config.ServerConfig.layerOf(adminToken === undefined ? {} : { adminToken })),
    Layer.provideMerge(database)
  )
