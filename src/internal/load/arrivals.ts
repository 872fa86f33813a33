/** Arrivals in an open loop: callers do not wait for the ones before them. */

/** mulberry32: numbers from 0 to 1, the same sequence for the same seed, on every machine. */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Exponential, with that mean. */
export const exponential = (random: () => number, mean: number): number => -mean * Math.log(1 - random())

/**
 * When callers arrive, in ms from the beginning, until `millis`: a Poisson process of `perSecond`, as independent callers
 * produce it.
 */
export const arrivals = (random: () => number, perSecond: number, millis: number): ReadonlyArray<number> => {
  const times: Array<number> = []
  for (let at = 0; ; times.push(at)) {
    at += exponential(random, 1_000 / perSecond)
    if (at >= millis) return times
  }
}
