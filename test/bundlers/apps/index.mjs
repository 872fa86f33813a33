import { Effect } from "effect"
import { Db, Http } from "effect-supabase-pool"

// Named, so that the routes stay in the bundle, and with them the path of the dashboard.
const routes = Object.keys(Http).length

const titles = Db.read((client) => client.from("products").select("title").limit(1))

Effect.runPromise(Effect.provide(titles, Db.layerFromEnv)).then((rows) => {
  console.log(`read ${rows[0].title} ${routes > 0 ? "beside the routes" : ""}`)
})
