/** Fibers in a queue for ten places, each again and again: in the pool's queue, and in the plainest there is. */
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { patient } from "../support/options.js"
import { runtime } from "../support/runtime.js"
import { cpuOf, type Make } from "../support/subject.js"
import { together } from "../support/together.js"

const places = 10

interface Turns {
  /** What who has a place does: yields once. When there have been enough turns it stands still until it goes on. */
  readonly turn: Effect.Effect<void>
  /** CPU from where they go on to the end of so many turns, each. */
  readonly measured: Awaited<ReturnType<Make>>
}

const turns = (): Turns => {
  let left = 0
  let enough = (): void => {}
  const gate = Effect.unsafeMakeLatch(false)
  const turn = Effect.suspend(() => {
    left -= 1
    if (left > 0) return Effect.yieldNow()
    enough()
    return gate.await
  })
  const taken = (operations: number): Promise<void> =>
    new Promise((resolve) => {
      // Others that have a place get here too, after the last turn that counts.
      enough = () => {
        if (left === 0) resolve()
        gate.unsafeClose()
      }
      left = operations
      gate.unsafeOpen()
    })
  return {
    turn,
    measured: async ({ operations = 1 }) => {
      const { cpu } = await cpuOf(() => taken(operations))
      return { cpu: cpu / operations }
    }
  }
}

/** They are all there before anything is measured. */
export const ours: Make = async (url = "", waiting = "10") => {
  const { run } = await runtime(Db.layerOf(patient(url, 2 * places)))
  const { metrics, use } = await run(Pool.ReadPool)
  const { measured, turn } = turns()
  const caller = Effect.forever(use(() => turn))
  await run(Effect.asVoid(Effect.forkDaemon(together(Number(waiting) + places, () => caller))))
  while ((await run(metrics)).pending < Number(waiting)) await run(Effect.sleep(10))
  return measured
}

interface Parked {
  readonly resume: (effect: Effect.Effect<void>) => void
  next: Parked | undefined
}

/** First come first served, and nothing else: no timeout, no interruption, no count. */
const linkedList = (): { readonly take: Effect.Effect<void>; readonly give: Effect.Effect<void> } => {
  let free = places
  let first: Parked | undefined
  let last: Parked | undefined
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
  return { take, give }
}

/** Nothing in it but fibers and a linked list: what fibers and the processor's caches cost anyway. */
export const bare: Make = async (_ = "", waiting = "10") => {
  const { give, take } = linkedList()
  const { measured, turn } = turns()
  const caller = Effect.forever(Effect.zipRight(take, Effect.zipRight(turn, give)))
  for (let n = 0; n < Number(waiting) + places; n += 1) Effect.runFork(caller)
  return measured
}
