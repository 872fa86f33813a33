import { typed } from "effect-supabase-pool/promise"
import type { Database } from "./database.types"

/** The process's pools, with what the compiler knows of the tables. */
export const { executeWithPool } = typed<Database>()
