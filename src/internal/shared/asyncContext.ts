/**
 * The async context that code runs in: the stores of `AsyncLocalStorage`, such as a request's cookies, its tenant or its
 * span.
 *
 * Node passes a context from cause to effect, and in a pool the cause is another request: a caller that returns a connection
 * wakes the next waiter. So a waiter keeps its own context and is woken in it, and the pool's own work runs in no context. A
 * fiber runs in the context in which it was last woken, since its scheduler passes that on.
 *
 * It is kept as an `AsyncResource`, which is created and entered in 30 ns; `AsyncLocalStorage.snapshot` takes 2 to 8 µs
 * (Node 20 to 24). So no caller has to check first whether there is a context.
 */
import { AsyncResource } from "node:async_hooks"
import { Context, Effect, type Fiber, FiberRef, type Scope, Tracer } from "effect"
import { untraced } from "./openTelemetry.js"
import { realTime } from "./timers.js"

const name = "effect-supabase-pool"

/** The context of its creator. */
export class AsyncContext extends AsyncResource {
  constructor() {
    super(name)
  }

  run<A>(f: () => A): A {
    return this.runInAsyncScope(f)
  }
}

/** Where Node keeps the stores: one symbol for each store up to Node 22, one for all of them in later versions. */
const isStore = ({ description }: symbol): boolean =>
  description === "kResourceStore" || description === "context_frame"

const emptied = (): AsyncContext => {
  const none = new AsyncContext()
  for (const key of Object.getOwnPropertySymbols(none)) if (isStore(key)) Reflect.set(none, key, undefined)
  return none
}

/**
 * Runs it in no context: neither in the caller's, nor in that of the first import, which may be a request's as well. It is
 * in no trace either.
 *
 * Created again each time, since a store that somebody enters inside would stay.
 */
export const inNone = <A>(f: () => A): A => emptied().run(() => untraced(f))

const none = emptied()

/**
 * The same at a tenth of the cost, for our own synchronous code.
 *
 * Next.js with `cacheComponents` refuses a page whose prerender reads the time or a random number, and attributes everything
 * in the page's async context to the page. Our code that has to read them, as Effect does for each fiber, runs outside of
 * it.
 */
export const outside = <A>(f: () => A): A => none.run(f)

/** The caller's context, for a fiber that runs outside of it: requests are sent in it, where tracers look for them. */
export const caller: FiberRef.FiberRef<AsyncContext | undefined> = FiberRef.unsafeMake<AsyncContext | undefined>(
  undefined
)

/** Of spans that another tracer than Effect's looks for there: what is done within them, in place of the caller's. */
export const contextOfSpan: WeakMap<Tracer.AnySpan, AsyncContext> = new WeakMap()

/** Not synchronously: a fiber that is resumed synchronously stays in its context. */
const enter = (within: (f: () => void) => void): Effect.Effect<void> =>
  Effect.async((resume) => {
    within(() => realTime.queueMicrotask(() => resume(Effect.void)))
  })

/** Runs the code after `effect` in the context in which `effect` began, whoever completes it. */
export const keeping = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const context = new AsyncContext()
    return Effect.ensuring(
      effect,
      enter((f) => context.run(f))
    )
  })

const withoutSpan = <R>(context: Context.Context<R>): Context.Context<R> => {
  const services = new Map(context.unsafeMap)
  services.delete(Tracer.ParentSpan.key)
  return Context.unsafeMake(services)
}

/** In no span of Effect's tracer, which fibers inherit independently of Node's context. */
const inNoSpan = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.mapInputContext(effect, (context: Context.Context<R>) => withoutSpan(context))

/** Work that belongs to no caller, whoever started it. For a separate fiber: it begins a moment later. */
export const inBackground = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.zipRight(enter(inNone), inNoSpan(effect))

/**
 * A fiber for such work, until the scope closes. It is interruptible; otherwise it would inherit that from the place of the
 * fork.
 */
export const forkBackground = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R | Scope.Scope> =>
  Effect.forkScoped(Effect.interruptible(inBackground(effect)))
