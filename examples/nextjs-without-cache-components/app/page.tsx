import { connection } from "next/server"
import { executeWithPool } from "../lib/database"

export default async function Home() {
  // From here on for each request, and never in `next build`.
  await connection()
  const products = await executeWithPool(async (client) => {
    const { data, error } = await client.from("products").select("id, title").limit(5)
    if (error) throw error
    return data
  })
  return (
    <ul>
      {products.map(({ id, title }) => (
        <li key={id}>{title}</li>
      ))}
    </ul>
  )
}
