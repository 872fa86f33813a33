/** The same read by others: supabase-js as it comes, on an undici Pool, and behind the pools people put around it. */
import { EventEmitter } from "node:events"
import { createClient, type SupabaseClient, type WebSocketLike } from "@supabase/supabase-js"
import { Effect, Pool as EffectPool, Runtime, Scope } from "effect"
import { createPool } from "generic-pool"
import PgPool from "pg-pool"
import { Pool as Tarn } from "tarn"
import { Pool as UndiciPool, fetch as undiciFetch } from "undici"
import { connections, query } from "../support/read.js"
import { looping, type Make } from "../support/subject.js"

class NoRealtime {
  constructor() {
    throw new Error("no realtime here")
  }
}

/** Node 20 has no WebSocket, and supabase-js wants one when it is made. */
export const realtime = { transport: NoRealtime as unknown as new () => WebSocketLike }

export const stockClient = (url: string, fetch?: typeof globalThis.fetch): SupabaseClient =>
  createClient(url, "anon", { realtime, ...(fetch === undefined ? {} : { global: { fetch } }) })

export const stock: Make = async (url = "") => {
  const client = stockClient(url)
  return looping(() => query(client))
}

/** undici's own `fetch` on a pool of its sockets. */
export const undiciPool: Make = async (url = "") => {
  const dispatcher = new UndiciPool(url, { connections, pipelining: 1 })
  const fetch = (input: never, init: object): unknown => undiciFetch(input, { ...init, dispatcher })
  const client = createClient(url, "anon", { realtime, global: { fetch: fetch as typeof globalThis.fetch } })
  return looping(() => query(client))
}

export const genericPool: Make = async (url = "") => {
  const pool = createPool<SupabaseClient>(
    { create: async (): Promise<SupabaseClient> => stockClient(url), destroy: async () => {} },
    { min: connections, max: connections }
  )
  return looping(async () => {
    const client = await pool.acquire()
    try {
      return await query(client)
    } finally {
      await pool.release(client)
    }
  })
}

export const tarn: Make = async (url = "") => {
  const pool = new Tarn<SupabaseClient>({
    create: () => stockClient(url),
    destroy: () => {},
    min: connections,
    max: connections
  })
  return looping(async () => {
    const client = await pool.acquire().promise
    try {
      return await query(client)
    } finally {
      pool.release(client)
    }
  })
}

export const pgPool: Make = async (url = "") => {
  class Stock extends EventEmitter {
    readonly client = stockClient(url)
    connect(done: () => void): void {
      done()
    }
    end(done?: () => void): void {
      done?.()
    }
  }
  const pool = new PgPool({ max: connections, idleTimeoutMillis: 0 }, Stock)
  return looping(async () => {
    const lent = await pool.connect()
    try {
      return await query(lent.client)
    } finally {
      lent.release()
    }
  })
}

export const effectPool: Make = async (url = "") => {
  const scope = Effect.runSync(Scope.make())
  const acquire = Effect.sync(() => stockClient(url))
  const pool = await Effect.runPromise(Scope.extend(EffectPool.make({ acquire, size: connections }), scope))
  const read = Effect.scoped(Effect.flatMap(pool.get, (client) => Effect.promise(async () => query(client))))
  const run = Runtime.runPromise(Runtime.defaultRuntime)
  return looping(() => run(read))
}
