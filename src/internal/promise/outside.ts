/**
 * Next.js with `cacheComponents` refuses a page whose prerender asks for the time or for a random number, and takes
 * whatever runs in the page's async context for the page. What of ours has to ask, as Effect does for each fiber, is done
 * outside of it. What a caller hands over still runs where the caller is.
 */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks"

export const outside: <A>(f: () => A) => A = AsyncLocalStorage.snapshot()

/** Where the caller is, whoever calls it. */
export const whereItIs = <Args extends ReadonlyArray<unknown>, A>(f: (...args: Args) => A): ((...args: Args) => A) => {
  const caller = new AsyncResource("effect-supabase-pool")
  return (...args) => caller.runInAsyncScope(() => f(...args))
}
