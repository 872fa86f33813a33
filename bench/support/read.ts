/** The read that all make, by supabase-js's builder and as it goes over the wire. */
import type { SupabaseClient } from "@supabase/supabase-js"

export const connections = 20

export const query = (client: SupabaseClient) => client.from("rows").select("id, name").eq("id", 1).limit(1)

export const request = {
  path: "/rest/v1/rows?select=id%2Cname&id=eq.1&limit=1",
  method: "GET",
  headers: { apikey: "anon", authorization: "Bearer anon", "x-client-info": "supabase-js-node/2.0.0" }
} as const
