/**
 * What Effect's `Pool` is given in place of a resource: it remembers an item for a while after its end, and a connection
 * weighs 20 KB. With the item it remembers next to nothing.
 */
import { Effect, type Scope } from "effect"

export class PoolItem<R> {
  /** Nothing once it is closed. */
  resource: R | undefined = undefined
}

export const make = <R>(
  acquire: Effect.Effect<R, never, Scope.Scope>
): Effect.Effect<PoolItem<R>, never, Scope.Scope> =>
  Effect.suspend(() => {
    const item = new PoolItem<R>()
    const emptied = Effect.addFinalizer(() =>
      Effect.sync(() => {
        item.resource = undefined
      })
    )
    // Finalizers run in reverse: closed first, then emptied.
    return Effect.zipRight(
      emptied,
      Effect.map(acquire, (resource) => {
        item.resource = resource
        return item
      })
    )
  })
