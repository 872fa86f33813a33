import { Suspense } from "react"
import { executeWithPool } from "../../lib/database"

async function Newest() {
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

export default function NewestPage() {
  return (
    <main>
      <h1>Newest products</h1>
      <Suspense fallback={<p>Loading…</p>}>
        <Newest />
      </Suspense>
    </main>
  )
}
