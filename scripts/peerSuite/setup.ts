/** Runs before each file of the suite, in its process: what it sends goes our way, and what it sees is written down. */
import { appendFile } from "node:fs/promises"
import { join } from "node:path"
import { createClient } from "@supabase/supabase-js"
import { afterAll, beforeEach, inject, vi } from "vitest"
import { NoRealtime } from "../../src/internal/connection/supabaseClient.js"
import { createDatabase } from "../../src/promise.js"
import { closeClients } from "./clients.js"
import { type Seen, textOf } from "./outcome.js"

const { anonKey, checkout, folder, serviceRoleKey, url, way } = inject("peerSuite")

interface Told {
  readonly key: string
  readonly requests: Array<string>
  readonly results: Array<string>
}

const all = new Map<string, Told>()
let now: Told = { key: "", requests: [], results: [] }

beforeEach(({ task }) => {
  now = { key: task.id, requests: [], results: [] }
  all.set(task.id, now)
})

// -------------------------------------------------------------------------------------
// what is sent
// -------------------------------------------------------------------------------------

const stock = globalThis.fetch

const database = createDatabase({ url, anonKey, serviceRoleKey, enableHealthChecks: false, retryDelay: 20 })

const tested = way === "pooledFetch" ? database.pooledFetch : stock

/** The suite's server lets requests without a key in, as `anon`. */
const withKey = (init: RequestInit | undefined): RequestInit => {
  const headers = new Headers(init?.headers)
  if (!headers.has("apikey")) headers.set("apikey", anonKey)
  return { ...init, headers }
}

const isOurs = (address: string): boolean => address.startsWith(`${url}/`)

vi.stubGlobal("fetch", (input: string | URL | Request, init?: RequestInit) => {
  const address = String(input instanceof Request ? input.url : input)
  now.requests.push(`${init?.method ?? "GET"} ${address.slice(address.indexOf("/", 8))}`)
  return isOurs(address) && input instanceof Request === false ? tested(input, withKey(init)) : tested(input, init)
})

vi.stubGlobal("jest", vi)

/** supabase-js waits one, two and four seconds before it asks again; a tenth of it comes to the same. */
const soon = (delay: number): number => (delay >= 1_000 ? delay / 10 : delay)

const { setTimeout: later } = globalThis

vi.stubGlobal("setTimeout", (callback: () => void, delay = 0, ...args: []) => later(callback, soon(delay), ...args))

// -------------------------------------------------------------------------------------
// what is seen
// -------------------------------------------------------------------------------------

type Then = (this: unknown, fulfilled?: unknown, rejected?: unknown) => unknown

const passing =
  (callback: unknown, kind: string, told: Told, fallback: (value: unknown) => unknown) =>
  (value: unknown): unknown => {
    told.results.push(`${kind} ${textOf(value)}`)
    return typeof callback === "function" ? callback(value) : fallback(value)
  }

const rethrown = (value: unknown): never => {
  throw value
}

/** Every builder is a promise by the `then` of one class. */
const watch = (builder: object): void => {
  let holder: object | null = builder
  while (holder !== null && !Object.hasOwn(holder, "then")) holder = Object.getPrototypeOf(holder)
  if (holder === null) throw new Error("a builder of postgrest-js has no then")
  const original: Then = Reflect.get(holder, "then")
  const watched: Then = function (fulfilled, rejected) {
    const told = now
    return original.call(
      this,
      passing(fulfilled, "answered", told, (value) => value),
      passing(rejected, "threw", told, rethrown)
    )
  }
  Reflect.set(holder, "then", watched)
}

const { PostgrestClient } = await import(/* @vite-ignore */ join(checkout, "src/index.ts"))
watch(new PostgrestClient(url).from("t").select())
watch(
  createClient(url, anonKey, { realtime: { transport: NoRealtime } })
    .from("t")
    .select()
)

afterAll(async () => {
  const lines = [...all].map(([id, { requests, results }]) => {
    const seen: Seen = { requests, results }
    return `${JSON.stringify([id, seen])}\n`
  })
  await appendFile(join(folder, "seen.jsonl"), lines.join(""))
  await database.close()
  await closeClients()
})
