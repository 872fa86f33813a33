/**
 * Spans where the application has OpenTelemetry, and nothing else loads what makes them. It is asked for when a database is made, so
 * that it is there before the first operation that is worth a trace; what is asked in the same moment has no span.
 */
import type { Effect } from "effect"
import type { AsyncContext } from "../shared/asyncContext.js"
import { registered } from "../shared/openTelemetry.js"
import type { Spanned } from "./spans.js"

let loaded: ((caller: AsyncContext) => Spanned | undefined) | undefined
let isLoading = false

export const loadSpans = (): void => {
  if (isLoading || registered("trace") === undefined) return
  isLoading = true
  import("./spans.js").then(
    ({ spannedIn: made }) => {
      loaded = made
    },
    () => {}
  )
}

/** Undefined where the caller is in no span. */
export const spannedIn = (caller: AsyncContext): Spanned | undefined => {
  if (loaded === undefined) loadSpans()
  return loaded?.(caller)
}

/** In a span where there is one. */
export const perhapsSpanned = <A, E, R>(caller: AsyncContext, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  spannedIn(caller)?.(effect) ?? effect
