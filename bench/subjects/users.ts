/** One read as a signed-in user, whose token a function gives: the way of an app that has its own sign-in. */
import { createClient } from "@supabase/supabase-js"
import { createDatabase, createPooledClient } from "../../src/promise.js"
import { reading } from "../support/options.js"
import { connections, query } from "../support/read.js"
import { looping, type Make } from "../support/subject.js"
import { realtime } from "./peers.js"

const token = "aaaaaaaaaa.bbbbbbbbbb.cccccccccc"

const accessToken = async (): Promise<string> => token

const clientOf = (url: string, fetch?: typeof globalThis.fetch) =>
  createClient(url, "anon", { accessToken, realtime, ...(fetch === undefined ? {} : { global: { fetch } }) })

export const stockUser: Make = async (url = "") => {
  const client = clientOf(url)
  return looping(() => query(client))
}

export const pooledFetchUser: Make = async (url = "") => {
  const client = clientOf(url, createDatabase(reading(url, connections)).pooledFetch)
  return looping(() => query(client))
}

export const pooledClientUser: Make = async (url = "") => {
  process.env["SUPABASE_URL"] = url
  process.env["DB_POOL_MAX_CONNECTIONS"] = String(2 * connections)
  process.env["DB_POOL_MIN_CONNECTIONS"] = String(connections)
  const client = createPooledClient(url, "anon", { accessToken })
  return looping(() => query(client))
}

/** A server's own way: a request has its user, and so a view of its own. */
export const viewOfUser: Make = async (url = "") => {
  const db = createDatabase(reading(url, connections))
  return looping(() => db.withAccessToken(token).executeWithPool(query, "read"))
}
