/** Checkout and return, and nothing in between: what a pool itself costs. */
import { EventEmitter } from "node:events"
import { Effect, Pool as EffectPool, Runtime, Scope } from "effect"
import { createPool } from "generic-pool"
import PgPool from "pg-pool"
import { Pool as Tarn } from "tarn"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { reading } from "../support/options.js"
import { runtime } from "../support/runtime.js"
import { cpuOf, looping, type Make, times } from "../support/subject.js"

const size = 20

interface Thing {
  readonly name: string
}

const thing: Thing = { name: "a thing" }

/** Its connections are open sockets on a server, which nothing is sent on. */
export const ours: Make = async (url = "") => {
  const { run } = await runtime(Db.layerOf(reading(url, size)))
  const once = Effect.flatMap(Pool.ReadPool, (pool) => Effect.succeed(pool.use(() => Effect.void)))
  const use = await run(once)
  return async ({ operations = 1 }) => {
    const { cpu, wall } = await cpuOf(() => run(times(use, operations)))
    return { cpu: cpu / operations, wall: (wall * 1_000) / operations }
  }
}

export const effectPool: Make = async () => {
  const scope = Effect.runSync(Scope.make())
  const pool = await Effect.runPromise(Scope.extend(EffectPool.make({ acquire: Effect.succeed(thing), size }), scope))
  const use = Effect.scoped(Effect.asVoid(pool.get))
  const run = Runtime.runPromise(Runtime.defaultRuntime)
  return async ({ operations = 1 }) => {
    const { cpu, wall } = await cpuOf(() => run(times(use, operations)))
    return { cpu: cpu / operations, wall: (wall * 1_000) / operations }
  }
}

export const tarn: Make = async () => {
  const pool = new Tarn<Thing>({ create: () => ({ ...thing }), destroy: () => {}, min: size, max: size })
  return looping(async () => pool.release(await pool.acquire().promise))
}

export const genericPool: Make = async () => {
  const pool = createPool<Thing>(
    { create: async (): Promise<Thing> => ({ ...thing }), destroy: async () => {} },
    { min: size, max: size }
  )
  return looping(async () => pool.release(await pool.acquire()))
}

class Connectable extends EventEmitter {
  connect(done: () => void): void {
    done()
  }
  end(done?: () => void): void {
    done?.()
  }
}

export const pgPool: Make = async () => {
  const pool = new PgPool({ max: size, idleTimeoutMillis: 0 }, Connectable)
  return looping(async () => (await pool.connect()).release())
}
