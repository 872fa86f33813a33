import { Suspense } from "react"
import { executeWithPool } from "../../../lib/database"
import { renameProduct } from "./actions"

interface Chosen {
  readonly params: Promise<{ readonly id: string }>
}

async function Form({ params }: Chosen) {
  const { id } = await params
  const product = await executeWithPool(async (client) => {
    const { data, error } = await client.from("products").select("id, title").eq("id", id).single()
    if (error) throw error
    return data
  })
  return (
    <form action={renameProduct}>
      <input type="hidden" name="id" value={id} />
      <input name="title" aria-label="Title" defaultValue={product.title} required />
      <button type="submit">Rename</button>
    </form>
  )
}

export default function Product({ params }: Chosen) {
  return (
    <Suspense fallback={<p>Loading…</p>}>
      <Form params={params} />
    </Suspense>
  )
}
