import { startEmbedded } from "effect-supabase-pool/embedded"

try {
  await startEmbedded()
  console.log("embedded: started")
} catch (error) {
  console.log(`embedded: ${error instanceof Error ? error.message : String(error)}`)
}
