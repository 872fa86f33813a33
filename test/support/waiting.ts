import { Effect, Fiber } from "effect"
import type { Lease } from "../../src/internal/pool/lease.js"
import type { ResourcePool } from "../../src/internal/pool/resourcePool.js"
import { checkout, type FakeResource, outcome, settle } from "./fakeResource.js"

/** Somebody who asked for a connection; `state` is `waiting`, or how the asking ended. */
export interface Asker {
  readonly fiber: Fiber.RuntimeFiber<void>
  readonly state: () => string
  readonly lease: () => Lease<FakeResource>
}

/** Asks in a fiber of its own, and lets everything run that can run at once. */
export const ask = (pool: ResourcePool<FakeResource>, patience?: number): Effect.Effect<Asker> =>
  Effect.gen(function* () {
    let state = "waiting"
    let lease: Lease<FakeResource> | undefined
    const asking = checkout(pool, patience).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          state = outcome(exit)
          if (exit._tag === "Success") lease = exit.value
        })
      ),
      Effect.exit,
      Effect.asVoid
    )
    const fiber = yield* Effect.forkDaemon(Effect.interruptible(asking))
    yield* settle
    return {
      fiber,
      state: () => state,
      lease: () => {
        if (lease === undefined) throw new Error(`has no lease: ${state}`)
        return lease
      }
    }
  })

export const giveBack = (pool: ResourcePool<FakeResource>, asker: Asker): Effect.Effect<void> =>
  Effect.zipRight(pool.giveBack(asker.lease()), settle)

export const interrupt = (asker: Asker): Effect.Effect<void> => Effect.zipRight(Fiber.interrupt(asker.fiber), settle)
