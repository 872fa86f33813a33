import { executeWithPool } from "effect-supabase-pool/promise"

const main = async () => {
  const { data, error } = await executeWithPool((client) => client.from("products").select("title").limit(1))
  if (error) throw error
  console.log(`read ${data[0].title}`)
}

// Nothing is closed: it has to end by itself.
main()
