/**
 * Whose async context code runs in: what `AsyncLocalStorage` holds, such as a request's cookies, its tenant or its span.
 *
 * Node hands a context on from cause to effect, and in a pool the cause is a stranger: who gives a connection back wakes
 * who waits for it. So whoever waits keeps the context it came with and is woken in that, and what the pool does for itself
 * is done in none. A fiber is in the context in which it was last woken, since its scheduler hands that on.
 *
 * Kept as `AsyncResource`, which makes and enters in 30 ns what `AsyncLocalStorage.snapshot` takes 2 to 8 µs for (Node 20
 * to 24), so that nobody has to look first whether there is a context.
 */
import { AsyncResource } from "node:async_hooks"
import { Context, Effect, type Fiber, FiberRef, type Scope, Tracer } from "effect"
import { realTime } from "./timers.js"

const name = "effect-supabase-pool"

/** The context of whoever makes it. */
export class AsyncContext extends AsyncResource {
  constructor() {
    super(name)
  }

  run<A>(f: () => A): A {
    return this.runInAsyncScope(f)
  }
}

/** Where Node keeps the stores: one symbol for each of them up to Node 22, one for all of them since. */
const isStore = ({ description }: symbol): boolean =>
  description === "kResourceStore" || description === "context_frame"

const emptied = (): AsyncContext => {
  const none = new AsyncContext()
  for (const key of Object.getOwnPropertySymbols(none)) if (isStore(key)) Reflect.set(none, key, undefined)
  return none
}

/**
 * Runs it in no context: neither in the caller's, nor in that of the first import, which may be a request's as well.
 *
 * Made again each time, since a store that somebody enters in there would stay.
 */
export const inNone = <A>(f: () => A): A => emptied().run(f)

const none = emptied()

/**
 * The same at a tenth of the price, for what is ours alone and ends at once.
 *
 * Next.js with `cacheComponents` refuses a page whose prerender asks for the time or for a random number, and takes whatever
 * runs in the page's async context for the page. What of ours has to ask, as Effect does for each fiber, is done out here.
 */
export const outside = <A>(f: () => A): A => none.run(f)

/** Of the caller, in a fiber that runs outside of it: requests are sent in it, where whoever traces them looks. */
export const caller: FiberRef.FiberRef<AsyncContext | undefined> = FiberRef.unsafeMake<AsyncContext | undefined>(
  undefined
)

/** Not at once: a fiber that is told at once goes on where it is. */
const enter = (within: (f: () => void) => void): Effect.Effect<void> =>
  Effect.async((resume) => {
    within(() => realTime.queueMicrotask(() => resume(Effect.void)))
  })

/** Whoever ends `effect`, what follows it runs in the context in which it began. */
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

/** In no span of Effect's tracer, which fibers inherit whatever Node's context is. */
const inNoSpan = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.mapInputContext(effect, (context: Context.Context<R>) => withoutSpan(context))

/** Work that belongs to no caller, whoever happened to start it. For a fiber of its own: it begins a moment later. */
export const inBackground = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.zipRight(enter(inNone), inNoSpan(effect))

/** A fiber for that, until the scope closes. Interruptible, which a fiber inherits from where it is forked otherwise. */
export const forkBackground = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R | Scope.Scope> =>
  Effect.forkScoped(Effect.interruptible(inBackground(effect)))
