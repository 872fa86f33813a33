/**
 * Writes all orders to a file, a page at a time, whatever their number. It reads with the service-role key, which is in its
 * environment:
 *
 *     node --env-file=.env --import tsx examples/shop/job.ts
 */
import { FileSystem } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Stream } from "effect"
import { Db } from "effect-supabase-pool"
import { asLines, Shop } from "./shop.js"

const job = Effect.gen(function* () {
  const shop = yield* Shop
  const files = yield* FileSystem.FileSystem
  yield* Stream.run(asLines(shop.exportAll), files.sink("orders.ndjson"))
})

const Live = Shop.Default.pipe(Layer.provide(Db.layerFromEnv), Layer.merge(NodeContext.layer))

job.pipe(Effect.provide(Live), NodeRuntime.runMain)
