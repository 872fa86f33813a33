import { Suspense } from "react"
import { createClient } from "../../lib/supabase/server"

async function Orders() {
  const supabase = await createClient()
  const { data, error } = await supabase.from("orders").select("id, total").order("id")
  if (error) throw error
  return (
    <ul>
      {data.map(({ id, total }) => (
        <li key={id}>
          {id}: {total}
        </li>
      ))}
    </ul>
  )
}

export default function OrdersPage() {
  return (
    <main>
      <h1>My orders</h1>
      <Suspense fallback={<p>Loading…</p>}>
        <Orders />
      </Suspense>
    </main>
  )
}
