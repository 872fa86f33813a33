import { executeWithPool } from "effect-supabase-pool/promise"
import { cookies, headers } from "next/headers"

const who = async () => [(await cookies()).get("who")?.value, (await headers()).get("x-who")]

/** Who asks, as a callback of the pool sees it, before its query and after. */
export async function GET(): Promise<Response> {
  const inside = await executeWithPool(async (client) => {
    const before = await who()
    const { error } = await client.from("products").select("id")
    if (error) throw error
    return [...before, ...(await who())]
  })
  return Response.json([...inside, ...(await who())])
}
