/**
 * How many may connect at a time. Two, while nothing is known of the server (HikariCP opens one at a time; two halve the
 * warm-up). From the first that succeeds on, as many as are waited for: where the server closes after each answer, or
 * answers slowly, each who waits needs a connection of their own.
 *
 * A server that failed meets two again, and one more for each that succeeds: that doubles with each round. Beside those
 * that hang no more go out than there were.
 */

/** So many in any case. */
const atFirst = 2

export interface Allowance {
  readonly connects: number
  /** One has failed since the pool started, or started again. */
  readonly isCareful: boolean
}

/** Nothing is known of the server. */
export const untried: Allowance = { connects: atFirst, isCareful: false }

/** One was worth nothing. */
export const afterFailure: Allowance = { connects: atFirst, isCareful: true }

/** One has succeeded, and so many connected then, itself included. */
export const afterSuccess = ({ connects, isCareful }: Allowance, connecting: number): Allowance => {
  if (!isCareful) return { connects: Number.POSITIVE_INFINITY, isCareful }
  // Only where the limit was felt: that few succeed at a time says nothing of many.
  return { connects: connecting >= connects ? connects + 1 : connects, isCareful }
}

/** One has been silent for long, and so many connect, itself included. */
export const afterSilence = ({ connects, isCareful }: Allowance, connecting: number): Allowance => ({
  connects: Math.min(connects, Math.max(atFirst, connecting)),
  isCareful
})
