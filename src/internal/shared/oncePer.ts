/**
 * Layers that are constants and yet as many as there are things to build them from. Effect shares a layer by reference within
 * a graph, whatever it is built from there: `Health.layer` over two databases would be the health of the first.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

/** What such a layer is told apart by: the services that are there for it, and where its configuration comes from. */
export interface Surrounding {
  readonly context: Context.Context<never>
  readonly configProvider: ConfigProvider.ConfigProvider
}

/**
 * A layer that is a constant, but another one for each of its keys: within a graph it is shared among those who build it from
 * the same. Effect shares constants whatever they are built from, unless they are fresh; and what is fresh is built in a
 * memory of its own, so that of the graph is looked up a moment before.
 */
export const oncePer = <A, E, R>(
  keyOf: (surrounding: Surrounding) => object | undefined,
  make: () => Layer.Layer<A, E, R>
): Layer.Layer<A, E, R> => {
  const made: WeakMap<object, Layer.Layer<A, E, R>> = new WeakMap()
  const madeFor = (key: object): Layer.Layer<A, E, R> => {
    const known = made.get(key)
    if (known !== undefined) return known
    const layer = make()
    made.set(key, layer)
    return layer
  }
  return Layer.fresh(
    Layer.suspend(() => {
      const fiber = Option.getOrUndefined(Fiber.getCurrentFiber())
      if (fiber === undefined) return make()
      const context = fiber.getFiberRef(FiberRef.currentContext)
      const configProvider = Context.get(fiber.currentDefaultServices, ConfigProvider.ConfigProvider)
      const key = keyOf({ context, configProvider })
      const graph = Option.getOrUndefined(Context.getOption(context, Layer.CurrentMemoMap))
      if (key === undefined || graph === undefined) return make()
      return Layer.scopedContext(Effect.scopeWith((scope) => Layer.buildWithMemoMap(madeFor(key), graph, scope)))
    })
  )
}

/** One key for several, while all of them are there. */
export const together = (): ((first: object, second: object) => object) => {
  const keys: WeakMap<object, WeakMap<object, object>> = new WeakMap()
  return (first, second) => {
    const seconds = keys.get(first) ?? new WeakMap<object, object>()
    keys.set(first, seconds)
    const key = seconds.get(second) ?? {}
    seconds.set(second, key)
    return key
  }
}

/** By where the configuration comes from. */
export const byEnvironment = ({ configProvider }: Surrounding): object => configProvider

/** By a service that it is built from. */
export const byService =
  <I, S extends object>(tag: () => Context.Tag<I, S>) =>
  ({ context }: Surrounding): object | undefined =>
    Option.getOrUndefined(Context.getOption(context, tag()))
