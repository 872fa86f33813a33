import { Db } from "effect-supabase-pool"
import { read } from "effect-supabase-pool/Db"
import { executeWithPool } from "effect-supabase-pool/promise"

export const rows = async (): Promise<boolean> => {
  const { success } = await executeWithPool((client) => client.from("products").select("id"), "read")
  return success
}

export const same: boolean = Db.read === read
