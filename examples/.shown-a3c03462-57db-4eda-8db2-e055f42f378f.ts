import { executeWithPool } from "effect-supabase-pool/promise"

const shops = await executeWithPool(async (client) => {
  const { data } = await client.from("shops").select("name").limit(3).throwOnError()
  return data
})
console.log(`${shops.length} shops`)
