import { checkDatabaseHealth } from "effect-supabase-pool/promise"
import { connection } from "next/server"

export async function GET(): Promise<Response> {
  await connection()
  const health = await checkDatabaseHealth()
  return Response.json(health, { status: health.status === "unhealthy" ? 503 : 200 })
}
