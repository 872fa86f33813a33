/** Everything that `Http.layer` needs, on a free port, over a database of the test's choice. */
import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Layer } from "effect"
import type * as Alerts from "../../src/Alerts.js"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Http from "../../src/Http.js"

export interface ServedOptions extends Config.PoolOptionsInput {
  readonly adminToken?: string
  /** Any free one unless said otherwise. */
  readonly port?: number
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
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" })),
    Layer.provideMerge(Config.PoolConfig.layerOf({ enableHealthChecks: false, ...pool })),
    Layer.provideMerge(Config.ServerConfig.layerOf(adminToken === undefined ? {} : { adminToken })),
    Layer.provideMerge(database)
  )
