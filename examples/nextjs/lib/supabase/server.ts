import { createServerClient } from "@supabase/ssr"
import { pooledFetch } from "effect-supabase-pool/promise"
import { cookies } from "next/headers"
import type { Database } from "../database.types"

/** One for each request: it sends with the token of the user whose cookies these are. */
export async function createClient() {
  const store = await cookies()
  return createServerClient<Database>(process.env.SUPABASE_URL ?? "", process.env.SUPABASE_ANON_KEY ?? "", {
    global: { fetch: pooledFetch },
    cookies: {
      getAll: () => store.getAll(),
      setAll: (all) => {
        try {
          for (const { name, options, value } of all) store.set(name, value, options)
        } catch {
          // A server component cannot set cookies. A session is renewed by a server action, a route handler or the proxy.
        }
      }
    }
  })
}
