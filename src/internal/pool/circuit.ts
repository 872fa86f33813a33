/**
 * Whether connecting works, and when to try again while it does not.
 *
 * While it fails, one probe at a time goes out, at growing distances, and everybody else is told at once what the
 * probe found: a database that comes back is not met by a storm. The delay doubles from 50 ms to 350 ms, where it stays for
 * three seconds, since a restart takes one or two and is over at once; then it doubles to 1.5 s, so that a database which
 * is back after longer is in use again within two seconds.
 */
import type { ConnectionFailed } from "../../Errors.js"

const firstDelay = 50
/** For as many probes as `restart` (some three seconds) no longer than this (ms). */
const restartDelay = 350
const restart = 10
const longestDelay = 1_500
/** Who fails again sooner than this (ms) after recovering never was well: the delays go on where they were. */
const recovered = 2_000

export interface Circuit {
  /** The last failure, while connecting fails. */
  readonly error: ConnectionFailed | undefined
  /** When it began to fail. */
  readonly since: number
  /** Probes since then. */
  readonly probes: number
  readonly closedAt: number
}

export const closed: Circuit = { error: undefined, since: 0, probes: 0, closedAt: Number.NEGATIVE_INFINITY }

export const isOpen = ({ error }: Circuit): boolean => error !== undefined

export const afterFailure = (circuit: Circuit, error: ConnectionFailed, now: number): Circuit => {
  if (isOpen(circuit)) return { ...circuit, error }
  return { ...circuit, error, since: now, probes: now - circuit.closedAt >= recovered ? 0 : circuit.probes }
}

export const afterSuccess = (circuit: Circuit, now: number): Circuit =>
  isOpen(circuit) ? { ...circuit, error: undefined, closedAt: now } : circuit

/** How long to wait before the next probe, in ms. */
export const delayOf = ({ probes }: Circuit): number =>
  probes < restart
    ? Math.min(restartDelay, firstDelay * 2 ** probes)
    : Math.min(longestDelay, restartDelay * 2 ** Math.min(probes - restart + 1, 16))

/** The next is planned. */
export const afterPlan = (circuit: Circuit): Circuit => ({ ...circuit, probes: circuit.probes + 1 })
