import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Db } from "effect-supabase-pool"

const program = Effect.gen(function* () {
  const products = yield* Db.read((client) => client.from("products").select("title").limit(1))
  yield* Console.log(`effect: ${products.map(({ title }) => title).join()}`)
})

program.pipe(Effect.provide(Db.layerFromEnv), NodeRuntime.runMain)
