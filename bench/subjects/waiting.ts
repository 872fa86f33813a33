/** Many who wait: all at once against a server, in a queue without one, and what each of them weighs. */
import { Deferred, Duration, Effect } from "effect"
import { Client, type Dispatcher } from "undici"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { runtime } from "../support/runtime.js"
import { cpuOf, type Make } from "../support/subject.js"

const read = Db.read((client) => client.from("rows").select("id, name").eq("id", 1).limit(1))

const write = Db.write((client) => client.from("rows").update({ name: "a row" }).eq("id", 1).select("id, name"))

const layer = (url: string, connections: number) =>
  Db.layerOf({
    url,
    anonKey: "anon",
    serviceRoleKey: "service",
    minConnections: Math.min(5, connections),
    maxConnections: connections,
    maxPending: 1_000_000,
    connectionTimeout: Duration.minutes(10),
    leakDetectionTimeout: Duration.minutes(10)
  })

/** Callers who know nothing of each other: a fiber each, all begun before one has ended. */
const together = <A, E, R>(
  callers: number,
  one: (n: number) => Effect.Effect<A, E, R>
): Effect.Effect<void, never, R> =>
  Effect.gen(function* () {
    const all = yield* Deferred.make<void>()
    let left = callers
    const done = Effect.suspend(() => {
      left -= 1
      return left === 0 ? Deferred.succeed(all, undefined) : Effect.void
    })
    for (let n = 0; n < callers; n += 1) yield* Effect.forkDaemon(Effect.ensuring(one(n), done))
    yield* Deferred.await(all)
  })

/** The pools of the production preset; half of the callers read, half write, and all are there before one is done. */
export const crowd: Make = async (url = "") => {
  const { run } = await runtime(layer(url, 20))
  return async ({ callers = 1 }) => {
    let failed = 0
    const counted = <R>(operation: Effect.Effect<unknown, unknown, R>): Effect.Effect<void, never, R> =>
      Effect.matchEffect(operation, {
        onFailure: () =>
          Effect.sync(() => {
            failed += 1
          }),
        onSuccess: () => Effect.void
      })
    const before = process.resourceUsage().maxRSS / 1_024
    const halves: ReadonlyArray<Effect.Effect<void, never, Db.Db | Db.ReadDb>> = [counted(read), counted(write)]
    const { cpu, wall } = await cpuOf(() => run(together(callers, (n) => halves[n % 2] ?? Effect.void)))
    return { cpu: cpu / callers, wall, failed, before, megabytes: process.resourceUsage().maxRSS / 1_024 }
  }
}

/** The same requests by undici alone, which looks at no answer: a loop on each socket, so that nobody waits for anybody. */
export const bareSockets: Make = async (url = "", connections = "20") => {
  const headers = { apikey: "anon", authorization: "Bearer anon", "content-type": "application/json" }
  const path = "/rest/v1/rows?select=id%2Cname&id=eq.1"
  const sent = (client: Client, writes: boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const handler: Dispatcher.DispatchHandler = {
        onConnect: () => {},
        onHeaders: () => true,
        onData: () => true,
        onComplete: () => resolve(),
        onError: reject
      }
      const body = writes ? '{"name":"a row"}' : null
      client.dispatch({ path, method: writes ? "PATCH" : "GET", headers, body, reset: false }, handler)
    })
  return async ({ callers = 1 }) => {
    const each = callers / Number(connections)
    const loop = async (n: number): Promise<void> => {
      const client = new Client(url, { pipelining: 1 })
      for (let left = each; left > 0; left -= 1) await sent(client, n % 2 === 1)
    }
    const { cpu, wall } = await cpuOf(() => Promise.all(Array.from({ length: Number(connections) }, (_, n) => loop(n))))
    return { cpu: cpu / callers, wall }
  }
}

/**
 * So many fibers in a queue for ten connections, each again and again; who has one yields once and gives it back. They
 * are all there before anything is measured, and stand still between two measurements.
 */
export const queue: Make = async (url = "", waiting = "10") => {
  const { run } = await runtime(layer(url, 20))
  const { metrics, use } = await run(Pool.ReadPool)
  let left = 0
  let enough = (): void => {}
  const gate = Effect.unsafeMakeLatch(false)
  const turn = Effect.suspend(() => {
    left -= 1
    if (left > 0) return Effect.yieldNow()
    enough()
    return gate.await
  })
  const callers = Number(waiting) + 10
  await run(Effect.asVoid(Effect.forkDaemon(together(callers, () => Effect.forever(use(() => turn))))))
  while ((await run(metrics)).pending < Number(waiting)) await run(Effect.sleep(10))
  return measured(gate, (operations, resolve) => {
    enough = () => {
      if (left === 0) resolve()
      gate.unsafeClose()
    }
    left = operations
  })
}

/** The same queue with nothing in it but fibers and a linked list: what fibers and the processor's caches cost anyway. */
export const bareQueue: Make = async (_ = "", waiting = "10") => {
  interface Parked {
    readonly resume: (effect: Effect.Effect<void>) => void
    next: Parked | undefined
  }
  let free = 10
  let first: Parked | undefined
  let last: Parked | undefined
  let left = 0
  let enough = (): void => {}
  const gate = Effect.unsafeMakeLatch(false)
  const take = Effect.async<void>((resume) => {
    if (free > 0) {
      free -= 1
      resume(Effect.void)
      return
    }
    const parked: Parked = { resume, next: undefined }
    if (last === undefined) first = parked
    else last.next = parked
    last = parked
  })
  const give = Effect.sync(() => {
    const parked = first
    if (parked === undefined) {
      free += 1
      return
    }
    first = parked.next
    if (first === undefined) last = undefined
    parked.resume(Effect.void)
  })
  const turn = Effect.suspend(() => {
    left -= 1
    if (left > 0) return Effect.yieldNow()
    enough()
    return gate.await
  })
  const caller = Effect.forever(Effect.zipRight(take, Effect.zipRight(turn, give)))
  for (let n = 0; n < Number(waiting) + 10; n += 1) Effect.runFork(caller)
  return measured(gate, (operations, resolve) => {
    enough = () => {
      if (left === 0) resolve()
      gate.unsafeClose()
    }
    left = operations
  })
}

/** CPU from the opening of the gate to the end of so many operations, each. */
const measured =
  (gate: Effect.Latch, begin: (operations: number, resolve: () => void) => void): Awaited<ReturnType<Make>> =>
  async ({ operations = 1 }) => {
    const { cpu } = await cpuOf(
      () =>
        new Promise<void>((resolve) => {
          begin(operations, resolve)
          gate.unsafeOpen()
        })
    )
    return { cpu: cpu / operations }
  }

const collect = (): void => {
  if (globalThis.gc === undefined) throw new Error("start it with --expose-gc")
  globalThis.gc()
  globalThis.gc()
}

const used = (): number => {
  collect()
  const { arrayBuffers, external, heapUsed } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

/** Bytes of one connection that was used once and is idle, and of one caller that waits (its fiber included). */
export const weight: Make = async (url = "") => {
  const size = 200
  const waiters = 20_000
  const { run } = await runtime(layer(url, 2 * size))
  await run(Effect.orDie(read))
  const before = used()
  const { use } = await run(Pool.ReadPool)
  const once = use(({ client }) => Effect.promise(async () => client.from("rows").select("id").limit(1)))
  // So long that each gets a connection of its own: they are opened two at a time.
  await run(
    together(size, () =>
      Effect.zipRight(
        once,
        use(() => Effect.sleep("2 seconds"))
      )
    )
  )
  const idle = (used() - before) / size
  const forEver = use(() => Effect.never)
  const weighed = (kind: Effect.Effect<unknown, unknown>) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(together(size, () => forEver))
      yield* Effect.sleep("500 millis")
      const without = used()
      yield* Effect.forkScoped(together(waiters, () => kind))
      yield* Effect.sleep("1 second")
      return { idle, fiber: (used() - without) / waiters }
    })
  // One measurement in a process: what the first leaves behind would be in the second.
  return ({ bare = 0 }) => run(Effect.scoped(weighed(bare === 1 ? Effect.async(() => {}) : forEver)))
}
