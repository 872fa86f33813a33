/** A process that sends one transaction, to be killed on the way. Its arguments: the database's URL, and the key. */
import { Effect } from "effect"
import * as Db from "../../src/Db.js"

const [url = "", anonKey = "", serviceRoleKey = "", idempotencyKey = ""] = process.argv.slice(2)

await Effect.runPromise(
  Db.transaction([(client) => client.from("notes").insert({ body: idempotencyKey })], { idempotencyKey }).pipe(
    Effect.provide(Db.layerOf({ url, anonKey, serviceRoleKey, minConnections: 1, maxConnections: 2, maxRetries: 0 })),
    Effect.ignore
  )
)
