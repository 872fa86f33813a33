/**
 * supabase-js over the pools. In a file of its own: `bench:against` runs the other subjects with the sources of commits that
 * had no `pooledFetch`.
 */
import { createDatabase, createPooledClient } from "../../src/promise.js"
import { reading } from "../support/options.js"
import { connections, query } from "../support/read.js"
import { looping, type Make } from "../support/subject.js"
import { stockClient } from "./peers.js"

/** supabase-js as it comes, but for one line. */
export const pooledFetchRead: Make = async (url = "") => {
  const { pooledFetch } = createDatabase(reading(url, connections))
  const client = stockClient(url, pooledFetch)
  return looping(() => query(client))
}

export const pooledClientRead: Make = async (url = "") => {
  process.env["SUPABASE_URL"] = url
  process.env["DB_POOL_MAX_CONNECTIONS"] = String(2 * connections)
  process.env["DB_POOL_MIN_CONNECTIONS"] = String(connections)
  const client = createPooledClient(url, "anon", { auth: { persistSession: false } })
  return looping(() => query(client))
}
