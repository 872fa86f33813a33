import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Db } from "effect-supabase-pool"

const Product = Schema.Struct({
  id: Schema.UUID,
  title: Schema.String,
  price: Schema.Number,
  created_at: Schema.Date
})

const products = Db.table("products", Product, { generated: ["id", "created_at"], search: ["title"] })

const program = Effect.gen(function* () {
  const laptops = yield* products.list({ query: "laptop", orderBy: "price", limit: 2 })
  const same = yield* Effect.forEach(laptops, ({ id }) => products.get(id), { concurrency: "unbounded" })
  yield* Console.log(`${same.length} laptops, dated: ${same.every(({ created_at }) => created_at instanceof Date)}`)
})

program.pipe(Effect.provide(Db.layerFromEnv), NodeRuntime.runMain)
