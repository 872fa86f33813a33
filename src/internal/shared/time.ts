import type { Clock } from "effect"

/** The longest that a timer can run, in ms. Node takes a longer one for one that fires at once, Effect for one without end. */
export const longestTimer: number = 2 ** 31 - 1

/**
 * Milliseconds that only ever grow, for periods; not for dates. The wall clock is set back now and then, and a waiter
 * must not wait an hour longer for it.
 */
export const monotonic = (clock: Clock.Clock): number => Math.floor(Number(clock.unsafeCurrentTimeNanos()) / 1_000_000)

/** The same without rounding, for what is measured and not compared with a clock on the wall. */
export const precise = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1_000_000
