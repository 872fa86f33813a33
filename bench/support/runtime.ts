import { Effect, type Layer, ManagedRuntime } from "effect"

/** One runtime for as long as the process lives, with what a layer provides. */
export const runtime = async <R, E>(layer: Layer.Layer<R, E>) => {
  const managed = ManagedRuntime.make(layer)
  const built = await managed.runtime()
  return {
    runtime: built,
    run: <A, F>(effect: Effect.Effect<A, F, R>): Promise<A> => managed.runPromise(Effect.orDie(effect))
  }
}
