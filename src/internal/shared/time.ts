import type { Clock } from "effect"

/** The longest that a timer can run, in ms. Node fires a longer one at once; Effect never fires it. */
export const longestTimer: number = 2 ** 31 - 1

/**
 * Milliseconds that only ever grow, for periods; not for dates. The wall clock may be set back, and a waiter must not wait
 * an hour longer because of that.
 */
export const monotonic = (clock: Clock.Clock): number => Math.floor(Number(clock.unsafeCurrentTimeNanos()) / 1_000_000)

/** The same without rounding, for measurements that are not compared with the wall clock. */
export const precise = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1_000_000
