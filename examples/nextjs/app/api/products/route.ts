import { executeWithPool } from "../../../lib/database"

export async function GET(request: Request): Promise<Response> {
  const word = new URL(request.url).searchParams.get("q") ?? ""
  const products = await executeWithPool(async (client) => {
    const { data, error } = await client.from("products").select("id, title").ilike("title", `%${word}%`).limit(20)
    if (error) throw error
    return data
  }, "read")
  return Response.json(products)
}
