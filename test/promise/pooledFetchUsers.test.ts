/** Users signed in by `@supabase/ssr`, row level security on, all on the same few sockets: each sees their own rows. */
import { createServerClient } from "@supabase/ssr"
import { createClient, type SupabaseClient } from "@supabase/supabase-js"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { NoRealtime } from "../../src/internal/connection/supabaseClient.js"
import { clientOn } from "../../src/internal/promise/client.js"
import { Host } from "../../src/internal/promise/host.js"
import { fromOptions } from "../../src/internal/promise/layers.js"
import { createDatabase, type PrivateDatabase } from "../../src/promise.js"
import { as, embedded, ids, userToken } from "../support/embedded.js"
import { sessionCookie } from "../support/signedIn.js"

const { anonKey, serviceRoleKey, url } = embedded
const realtime = { transport: NoRealtime }

const users = Array.from({ length: 200 }, (_, n) => `aaaa${String(n).padStart(4, "0")}-0000-4000-8000-0000f0e7c400`)

let database: PrivateDatabase
let host: Host

const pools = { url, anonKey, serviceRoleKey, minConnections: 2, maxConnections: 8, enableHealthChecks: false }

beforeAll(async () => {
  const { error } = await as
    .service()
    .from("users")
    .insert(users.map((id, n) => ({ id, email: `pooled-fetch-${n}@example.com`, name: `User ${n}`, role: "buyer" })))
  expect(error).toBeNull()
  database = createDatabase(pools)
  host = new Host(fromOptions(pools))
})

afterAll(async () => {
  await as.service().from("users").delete().in("id", users)
  await Promise.all([database.close(), host.close()])
})

/** As a page of Next.js makes one for each request. */
const serverClient = (id: string): SupabaseClient =>
  createServerClient(url, anonKey, {
    global: { fetch: database.pooledFetch },
    realtime,
    cookies: { getAll: () => [sessionCookie(url, id, userToken(id))], setAll: () => {} }
    // Its types are those of CommonJS.
  }) as unknown as SupabaseClient

const clients: Readonly<Record<string, (id: string) => SupabaseClient>> = {
  "createServerClient with pooledFetch": serverClient,
  "createClient with a token and pooledFetch": (id: string) =>
    createClient(url, anonKey, {
      global: { fetch: database.pooledFetch },
      realtime,
      accessToken: () => Promise.resolve(userToken(id))
    }),
  "createPooledClient with a token": (id: string) =>
    clientOn(() => host)(url, anonKey, { realtime, accessToken: () => Promise.resolve(userToken(id)) })
}

describe.each(Object.entries(clients))("%s", (_, clientOf) => {
  it("gives each of 200 users, all at once, their own row and no other", async () => {
    const seen = await Promise.all(
      users.map(async (id) => {
        const { data, error } = await clientOf(id).from("users").select("id")
        return { id, error, data }
      })
    )
    for (const { data, error, id } of seen) expect([error, data]).toEqual([null, [{ id }]])
  })

  it("lets each change their own row and no other, while others read", async () => {
    const some = users.slice(0, 50)
    await Promise.all(
      some.map(async (id, n) => {
        const client = clientOf(id)
        const other = users[(n + 1) % users.length] ?? ""
        const own = await client
          .from("users")
          .update({ name: `Renamed ${id}` })
          .eq("id", id)
          .select("id, name")
        const others = await client.from("users").update({ name: "stolen" }).eq("id", other).select("id")
        expect([own.error, own.data]).toEqual([null, [{ id, name: `Renamed ${id}` }]])
        expect(others.data ?? []).toEqual([])
        expect((await client.from("users").select("id, name")).data).toEqual(own.data)
      })
    )
    const { data } = await as.service().from("users").select("id").eq("name", "stolen")
    expect(data).toEqual([])
  })
})

describe("without a user", () => {
  it("nobody's rows are seen, though others were asked for on the same sockets", async () => {
    const anonymous = createServerClient(url, anonKey, {
      global: { fetch: database.pooledFetch },
      realtime,
      cookies: { getAll: () => [], setAll: () => {} }
    })
    expect((await serverClient(ids.user(2)).from("users").select("id")).data).toEqual([{ id: ids.user(2) }])
    expect((await anonymous.from("users").select("id")).data ?? []).toEqual([])
  })
})
