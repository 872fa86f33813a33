/**
 * A PostgreSQL in process with the shop's tables. In a project it is `Embedded.layerOf({ migrations: "supabase/migrations" })`,
 * where `supabase-pool migration` has written the function that transactions need.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Embedded, migrationsDirectory } from "effect-supabase-pool/embedded"

const transactions = readFileSync(join(migrationsDirectory, "20261129160000_supabase_pool.sql"), "utf8")
const shop = readFileSync(new URL("shop.sql", import.meta.url), "utf8")

export const lamp = "30000000-0000-4000-8000-00000000001a"

export const database = Embedded.layerOf({
  migrations: [transactions, shop],
  seed: `insert into products (id, title, price, stock) values ('${lamp}', 'A lamp', 19.90, 3)`
})
