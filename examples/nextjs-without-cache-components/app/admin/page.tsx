import { DatabasePoolMonitor } from "effect-supabase-pool/react"

export default function Admin() {
  return <DatabasePoolMonitor />
}
