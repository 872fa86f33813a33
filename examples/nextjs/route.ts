/**
 * A Next.js route handler (`app/api/products/route.ts`): one pool for the whole process, made with the first request,
 * and the same one after a hot reload.
 */
import { executeWithPool } from "effect-supabase-pool/promise"

interface Product {
  readonly id: string
  readonly title: string
  readonly price: number
}

const find = (text: string): Promise<Array<Product>> =>
  executeWithPool(async (client) => {
    const { data, error } = await client
      .from("products")
      .select("id, title, price")
      .ilike("title", `%${text}%`)
      .order("price")
      .limit(20)
      .overrideTypes<Array<Product>, { merge: false }>()
    if (error) throw error
    return data
  }, "read")

export async function GET(request: Request): Promise<Response> {
  const text = new URL(request.url).searchParams.get("q") ?? ""
  if (text === "") return Response.json({ error: "Give a text to look for: ?q=laptop" }, { status: 400 })
  try {
    return Response.json(await find(text))
  } catch {
    // What went wrong is in the log and in the metrics; a visitor learns only that it is not their fault.
    return Response.json({ error: "The shop is busy. Try again in a moment." }, { status: 503 })
  }
}
