import { executeWithPool, getConnectionPool } from "effect-supabase-pool/promise"
import { GET } from "./route.js"

const titles = await executeWithPool(async (client) => {
  const { data, error } = await client.from("products").select("title").limit(1)
  if (error) throw error
  return data.map(({ title }) => title)
})
console.log(`promise: ${titles.join()}`)

const response = await GET(new Request("http://localhost/api/products?q=lap"))
console.log(`route: ${response.status} ${await response.text()}`)

console.log(`connections: ${getConnectionPool().getMetrics().totalConnections > 0}`)
// And it ends by itself: nothing is closed here.
