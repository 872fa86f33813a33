import { checkDatabaseHealth } from "effect-supabase-pool/promise"
import { connection } from "next/server"
import { Suspense } from "react"

async function Status() {
  // From here on for each request, and never in `next build`.
  await connection()
  const health = await checkDatabaseHealth()
  return <p>The database is {health.status}.</p>
}

export default function StatusPage() {
  return (
    <Suspense fallback={<p>Asking the database…</p>}>
      <Status />
    </Suspense>
  )
}
