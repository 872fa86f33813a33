/** The first row of a process that asks for one: what its first argument names is loaded, and asks the second for it. */
import type { WebSocketLike } from "@supabase/supabase-js"
import type * as PromiseEntry from "../../src/promise.js"

const [which = "", url = ""] = process.argv.slice(2)

/** Node 20 has no WebSocket, and supabase-js throws where there is none. */
class NoRealtime {
  readonly isNone = true
}

const realtime = { transport: NoRealtime as unknown as new () => WebSocketLike }

const stock = async (): Promise<unknown> => {
  const { createClient } = await import("@supabase/supabase-js")
  const client = createClient(url, "anon", {
    auth: { persistSession: false },
    realtime
  })
  return client.from("rows").select("id, name").limit(1)
}

const ours = async (): Promise<unknown> => {
  const { createDatabase }: typeof PromiseEntry = await import(which)
  const database = createDatabase({ url, anonKey: "anon", serviceRoleKey: "service" })
  return database.executeWithPool((client) => client.from("rows").select("id, name").limit(1))
}

/** As much of a `Response` as postgrest-js reads; one of Node's loads what nobody else here needs. */
class Answered {
  readonly headers: ReadonlyMap<string, string> = new Map()
  readonly ok: boolean
  readonly status: number
  readonly statusText = ""
  readonly #body: string

  constructor(status: number, body: string) {
    this.ok = status < 300
    this.status = status
    this.#body = body
  }

  text(): Promise<string> {
    return Promise.resolve(this.#body)
  }
}

/** By a socket of undici's, and nothing that looks after it. */
const socket = async (): Promise<typeof fetch> => {
  const { Client } = await import("#undici")
  const { origin } = new URL(url)
  const client = new Client(origin, { pipelining: 1 })
  const send = (address: string): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const parts: Array<Uint8Array> = []
      let status = 0
      client.dispatch(
        {
          method: "GET",
          path: address.slice(origin.length),
          headers: { apikey: "anon", authorization: "Bearer anon" }
        },
        {
          onConnect: () => {},
          onHeaders: (code: number) => {
            status = code
            return true
          },
          onData: (part: Uint8Array) => {
            parts.push(part)
            return true
          },
          onComplete: () => resolve(new Answered(status, Buffer.concat(parts).toString())),
          onError: reject
        }
      )
    })
  return send as unknown as typeof fetch
}

/** The least of whoever has sockets of their own: the builder and a socket. */
const builder = async (): Promise<unknown> => {
  const [{ PostgrestClient }, fetch] = await Promise.all([import("@supabase/postgrest-js"), socket()])
  return new PostgrestClient(`${url}/rest/v1`, { fetch }).from("rows").select("id, name").limit(1)
}

/** The same with supabase-js around the builder. */
const whole = async (): Promise<unknown> => {
  const [{ createClient }, fetch] = await Promise.all([import("@supabase/supabase-js"), socket()])
  const client = createClient(url, "anon", { auth: { persistSession: false }, realtime, global: { fetch } })
  return client.from("rows").select("id, name").limit(1)
}

const ways: Readonly<Record<string, () => Promise<unknown>>> = { stock, builder, whole }

const answer = await (ways[which] ?? ours)()
const wall = performance.now()
const { system, user } = process.cpuUsage()
const got = JSON.stringify(answer)
if (!got.includes("a row")) throw new Error(`${which} answered ${got}`)
process.stdout.write(`${JSON.stringify({ cpu: (system + user) / 1_000, wall })}\n`)
process.exit(0)
