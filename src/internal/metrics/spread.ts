/** The steps in which durations are counted for the heat map: two for each doubling, from 1 ms on. Pure. */

/** The last is for all that is longer, from about 1.5 minutes on. */
export const steps = 34

/** The step of a duration in ms. No logarithm: it is asked for each operation. */
export const stepOf = (millis: number): number => {
  if (!(millis >= 1)) return 0
  if (millis >= 98_304) return steps - 1
  const octave = 31 - Math.clz32(millis)
  return 2 * octave + (millis >= 1.5 * (1 << octave) ? 1 : 0)
}

/** Where a step begins, in ms; the first holds all that is shorter. */
export const beginningOf = (step: number): number => 2 ** (step >> 1) * (step % 2 === 0 ? 1 : 1.5)
