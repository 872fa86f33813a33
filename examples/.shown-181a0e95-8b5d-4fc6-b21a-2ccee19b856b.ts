import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Db } from "effect-supabase-pool"

const program = Effect.gen(function* () {
  const products = yield* Db.read((client) => client.from("products").select("title, price").order("title").limit(3))
  yield* Console.log(`${products.length} products`)
})

program.pipe(Effect.provide(Db.layerFromEnv), NodeRuntime.runMain)
