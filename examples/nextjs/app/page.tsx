import Link from "next/link"
import { Suspense } from "react"
import { executeWithPool } from "../lib/database"

interface Search {
  readonly searchParams: Promise<{ readonly q?: string }>
}

async function Products({ searchParams }: Search) {
  const { q = "" } = await searchParams
  const products = await executeWithPool(async (client) => {
    const { data, error } = await client.from("products").select("id, title").ilike("title", `%${q}%`).limit(20)
    if (error) throw error
    return data
  })
  return (
    <ul>
      {products.map(({ id, title }) => (
        <li key={id}>
          <Link href={`/products/${id}`}>{title}</Link>
        </li>
      ))}
    </ul>
  )
}

export default function Home({ searchParams }: Search) {
  return (
    <main>
      <h1>Products</h1>
      <form>
        <input name="q" aria-label="Search" />
      </form>
      <Suspense fallback={<p>Searching…</p>}>
        <Products searchParams={searchParams} />
      </Suspense>
    </main>
  )
}
