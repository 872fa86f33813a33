/**
 * Runs the route handler as Next.js would, against an embedded database.
 *
 *     npx tsx examples/nextjs/main.ts
 */
import { startEmbedded } from "effect-supabase-pool/embedded"
import { getConnectionPool } from "effect-supabase-pool/promise"
import { GET } from "./route.js"

const database = await startEmbedded()
process.env["SUPABASE_URL"] = database.url
process.env["SUPABASE_ANON_KEY"] = database.anonKey
process.env["SUPABASE_SERVICE_ROLE_KEY"] = database.serviceRoleKey

const found = await GET(new Request("http://localhost/api/products?q=laptop"))
const products: unknown = await found.json()
console.log(found.status, Array.isArray(products) ? products.length : products)

const refused = await GET(new Request("http://localhost/api/products"))
console.log(refused.status, JSON.stringify(await refused.json()))

await getConnectionPool().gracefulShutdown()
await database.stop()
