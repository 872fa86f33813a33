import { Fiber, Option } from "effect"
import { caller } from "../shared/asyncContext.js"

/** A caller's function, which runs in the caller's async context, though the fiber that calls it is outside of it. */
export const inContext =
  <Args extends ReadonlyArray<unknown>, A>(f: (...args: Args) => A): ((...args: Args) => A) =>
  (...args) => {
    const context = Option.getOrUndefined(Fiber.getCurrentFiber())?.getFiberRef(caller)
    return context === undefined ? f(...args) : context.run(() => f(...args))
  }
