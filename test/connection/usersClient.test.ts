/** The client that a connection has for each user: a part of a whole one, which must be like it in all that a user can see. */
import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import { SupabaseClient } from "@supabase/supabase-js"
import { Redacted } from "effect"
import * as fc from "effect/FastCheck"
import { type Fetch, makeClient } from "../../src/internal/connection/supabaseClient.js"

const url = "http://127.0.0.1:54321"
const key = Redacted.make("the-key-of-all")
const serviceKey = Redacted.make("the-service-key")

interface Sent {
  readonly path: string
  readonly apikey: string | null
  readonly authorization: string | null
  readonly profile: string | null
}

const watched = (): { readonly sent: Array<Sent>; readonly fetch: Fetch } => {
  const sent: Array<Sent> = []
  return {
    sent,
    fetch: (input, init) => {
      const headers = new Headers(init?.headers)
      sent.push({
        path: new URL(String(input)).pathname,
        apikey: headers.get("apikey"),
        authorization: headers.get("authorization"),
        profile: headers.get("accept-profile") ?? headers.get("content-profile")
      })
      return Promise.resolve(new Response("[]", { headers: { "content-type": "application/json" } }))
    }
  }
}

/** Every way from a client to a request. */
const ways: Readonly<Record<string, (client: SupabaseClient) => PromiseLike<unknown>>> = {
  from: (client) => client.from("t").select("id"),
  insert: (client) => client.from("t").insert({ a: 1 }),
  rpc: (client) => client.rpc("f", { a: [1] }),
  "rpc by GET": (client) => client.rpc("f", { a: [1] }, { get: true }),
  schema: (client) => client.schema("other").from("t").select("id"),
  "rpc of a schema": (client) => client.schema("other").rpc("f", {}, { get: true }),
  "schema of a schema": (client) => client.schema("other").schema("third").from("t").select("id"),
  storage: (client) => client.storage.listBuckets(),
  "storage of a bucket": (client) => client.storage.from("b").list(),
  functions: (client) => client.functions.invoke("f")
}

describe("a user's client", () => {
  it.each(Object.keys(ways))("sends what a whole one of that user sends: %s", async (name) => {
    const { fetch, sent } = watched()
    const token = Redacted.make("token-of-ann")
    const whole = makeClient(url, key, token, fetch)
    const light = makeClient(url, serviceKey, serviceKey, fetch).as(key, token)
    await ways[name]?.(whole)
    await ways[name]?.(light)
    expect(sent).toHaveLength(2)
    expect(sent[1]).toEqual(sent[0])
    expect(sent[1]).toMatchObject({ apikey: "the-key-of-all", authorization: "Bearer token-of-ann" })
  })

  it("is nobody else's, in whatever order users of one connection ask", async () => {
    const asks = fc.array(fc.tuple(fc.nat(4), fc.constantFrom(...Object.keys(ways))), { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(asks, async (asked) => {
        const { fetch, sent } = watched()
        const own = makeClient(url, serviceKey, serviceKey, fetch)
        const users = ["a", "b", "c", "d"].map((name) => own.as(key, Redacted.make(`token-of-${name}`)))
        const clients = [own, ...users]
        await Promise.all(asked.map(([user, way]) => ways[way]?.(clients[user] ?? own)))
        const bearer = (user: number): string => (user === 0 ? "the-service-key" : `token-of-${"abcd"[user - 1] ?? ""}`)
        expect(sent.map(({ authorization }) => authorization).toSorted()).toEqual(
          asked.map(([user]) => `Bearer ${bearer(user)}`).toSorted()
        )
      }),
      { numRuns: 50 }
    )
  })

  it("has every member of a whole one", () => {
    const { fetch } = watched()
    const whole = makeClient(url, key, key, fetch)
    const light = whole.as(key, Redacted.make("token-of-ann"))
    expect(light).toBeInstanceOf(SupabaseClient)
    const members = Object.getOwnPropertyNames(whole)
    expect(members.length).toBeGreaterThan(8)
    for (const name of members)
      expect([name, typeof Reflect.get(light, name)]).toEqual([name, typeof Reflect.get(whole, name)])
    expect(light.storage).toBe(light.storage)
    expect(light.realtime).not.toBe(whole.realtime)
    expect(() => light.auth.getUser()).toThrow("accessToken option")
  })

  it("shows no key and no token, before and after the whole one is made", () => {
    const light = makeClient(url, serviceKey, serviceKey, watched().fetch).as(key, Redacted.make("token-of-ann"))
    const printed = (): string =>
      `${inspect(light, { depth: 9, showHidden: true, getters: true })}${JSON.stringify(light)}`
    const before = printed()
    expect(light.storage).toBeDefined()
    for (const secret of ["token-of-ann", "the-key-of-all", "the-service-key"]) {
      expect(before).not.toContain(secret)
      expect(printed()).not.toContain(secret)
    }
  })
})
