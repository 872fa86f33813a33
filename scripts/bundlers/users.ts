/** Whether each of many users at once, signed in by `@supabase/ssr`, sees their own rows of a database with row level security. */
import { createClient } from "@supabase/supabase-js"
import { type RunningEmbedded, startEmbedded } from "../../src/embedded.js"
import { NoRealtime } from "../../src/internal/connection/supabaseClient.js"
import { sessionCookie } from "../../test/support/signedIn.js"
import type { Report } from "./report.js"

const userOf = (n: number): string => `10000000-0000-4000-8000-${String(n).padStart(12, "0")}`

/** Of the data set's users, 12 to 50 buy. */
const buyers = Array.from({ length: 30 }, (_, n) => userOf(n + 12))

export interface Users {
  readonly env: Readonly<Record<string, string>>
  readonly database: RunningEmbedded
  /** What each user is to see, and nobody else. */
  readonly orders: ReadonlyMap<string, ReadonlyArray<string>>
}

export const users = async (): Promise<Users> => {
  const database = await startEmbedded()
  const { anonKey, serviceRoleKey, url } = database
  const service = createClient(url, serviceRoleKey, { realtime: { transport: NoRealtime } })
  const { data } = await service.from("orders").select("id, buyer_id").in("buyer_id", buyers).order("id").throwOnError()
  const orders = new Map(
    buyers.map((id) => [id, data.filter((row) => row.buyer_id === id).map((row) => String(row.id))])
  )
  const env = { SUPABASE_URL: url, SUPABASE_ANON_KEY: anonKey, SUPABASE_SERVICE_ROLE_KEY: serviceRoleKey }
  return { env, database, orders }
}

const cookieOf = (id: string, { url, userToken }: RunningEmbedded): string => {
  const { name, value } = sessionCookie(url, id, userToken(id))
  return `${name}=${value}`
}

/** Orders in a page, in whatever form. */
const ordersIn = (body: string): ReadonlyArray<string> =>
  [...new Set(body.match(/40000000-0000-4000-8000-\d{12}/g) ?? [])].sort()

export const tryUsers = async (
  site: string,
  { database, orders }: Users,
  what: string,
  report: Report
): Promise<void> => {
  const ways: Readonly<Record<string, (id: string) => Promise<Response>>> = {
    "/orders, by createServerClient over pooledFetch": (id) =>
      fetch(`${site}/orders`, { headers: { cookie: cookieOf(id, database) } }),
    "/api/orders, by withAccessToken": (id) =>
      fetch(`${site}/api/orders`, { headers: { authorization: `Bearer ${database.userToken(id)}` } })
  }
  for (const [path, ask] of Object.entries(ways)) {
    const wrong: Array<string> = []
    const one = async ([id, own]: readonly [string, ReadonlyArray<string>]): Promise<void> => {
      const response = await ask(id)
      const body = await response.text()
      if (response.status !== 200 || String(ordersIn(body)) !== String(own)) {
        wrong.push(
          `${id}: ${response.status}, has ${own.join()}, saw ${ordersIn(body).join()}\n${body.slice(0, 1_000)}`
        )
      }
    }
    // Each of them three times, all at once.
    await Promise.all([...orders, ...orders, ...orders].map(one))
    const all = [...orders.values()].flat().length
    report.expect(
      `${what}: ${path}: ${orders.size} users at once each see their own of ${all} orders`,
      wrong.length === 0,
      wrong[0]
    )
  }
  const anonymous = await (await fetch(`${site}/orders`)).text()
  const refused = await fetch(`${site}/api/orders`)
  report.expect(
    `${what}: who is not signed in sees no orders`,
    ordersIn(anonymous).length === 0 && refused.status === 401,
    `${refused.status}\n${anonymous.slice(0, 1_000)}`
  )
}
