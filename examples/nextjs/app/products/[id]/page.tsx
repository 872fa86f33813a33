import { executeWithPool } from "effect-supabase-pool/promise"
import { renameProduct } from "./actions"

export default async function Product({ params }: { readonly params: Promise<{ readonly id: string }> }) {
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
