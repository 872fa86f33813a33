import { executeWithPool } from "effect-supabase-pool/promise"

export const runtime = "nodejs"

export async function GET(request: Request): Promise<Response> {
  const word = new URL(request.url).searchParams.get("q") ?? ""
  const { data } = await executeWithPool((client) =>
    client.from("products").select("title").ilike("title", `%${word}%`)
  )
  return Response.json(data)
}
