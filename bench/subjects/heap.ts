/** What idle connections and waiting callers weigh. */
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { collect } from "../../test/support/garbage.js"
import { patient } from "../support/options.js"
import { query } from "../support/read.js"
import { runtime } from "../support/runtime.js"
import type { Make } from "../support/subject.js"
import { together } from "../support/together.js"

const size = 200
const waiters = 20_000

const used = (): number => {
  collect()
  collect()
  const { arrayBuffers, external, heapUsed } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

/** With its parameter, since Effect gives an `AbortController` of 2 kB to what has none, or two. */
const waitingForNothing = Effect.async<never>((_) => {})

/** Bytes of one connection that was used once and is idle, and of one caller that waits (its fiber included). */
export const ours: Make = async (url = "") => {
  const { run } = await runtime(Db.layerOf(patient(url, 2 * size)))
  await run(Effect.orDie(Db.read(query)))
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
  const weighed = (kind: Effect.Effect<unknown, unknown, Db.ReadDb>) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(together(size, () => forEver))
      yield* Effect.sleep("500 millis")
      const without = used()
      yield* Effect.forkScoped(together(waiters, () => kind))
      yield* Effect.sleep("1 second")
      return { idle, fiber: (used() - without) / waiters }
    })
  // One measurement in a process: what the first leaves behind would be in the second.
  return ({ bare = 0 }) => run(Effect.scoped(weighed(bare === 1 ? waitingForNothing : Db.read(query))))
}
