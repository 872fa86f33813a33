import { createDatabase } from "effect-supabase-pool/promise"

console.log(typeof createDatabase)
