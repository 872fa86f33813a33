/**
 * How many requests of one pool may be under way at once, learned from how they end: a pure `limit(state, sample)` with no
 * clock of its own.
 *
 * A limit that is too high shows itself in two ways. Requests wait in the server for one another, so that they take longer
 * than the best of their shape took (the idea of TCP Vegas, and of Netflix's concurrency limits). Or the server refuses:
 * PGRST003, 53300, 429, 503 (the idea of AIMD). The first is a hint: it never takes the limit below 1, and answers may take
 * half as long again as the best, since they do so by nature. The second is proof, and for a while the hint is heeded more.
 *
 * Samples are read in rounds, and only requests that left after the last change count: others say nothing about it. Pools that
 * see the same server come to the same limit: what a round adds is less for a large limit, and what it takes is more.
 */

/**
 * What moved the limit last: nothing yet, answers that came in time, answers that came late, or a refusal.
 */
export type Reason = "start" | "free" | "queueing" | "refused"

export interface Limit {
  /** Below 1: one request at a time, with a break after each. */
  readonly limit: number
  readonly reason: Reason
  /** The code or status of the last refusal; empty without one. */
  readonly said: string
  /** No answer was late yet: it doubles each round. */
  readonly isStarting: boolean
  /** When it was changed last, in ms. */
  readonly since: number
  /** Until when (ms) the last refusal is believed. */
  readonly provenUntil: number
  /** Of this round: samples, and the sum of best ÷ taken. */
  readonly count: number
  readonly sum: number
  /** Whether somebody had to wait for the limit in this round. */
  readonly wasReached: boolean
}

export interface Bounds {
  readonly min: number
  readonly max: number
}

interface Timed {
  /** When the request left, and when it was answered, in ms. */
  readonly sentAt: number
  readonly now: number
}

export interface Answered extends Timed {
  readonly _tag: "Answered"
  /** The shortest time that a request of its shape took ÷ the time that this one took: from 0 to 1. */
  readonly quick: number
  /** Whether somebody waits for the limit. */
  readonly isReached: boolean
}

/** For want of room. A server that is away refuses too, which says nothing of a limit. */
export interface Refused extends Timed {
  readonly _tag: "Refused"
  /** Code or status. */
  readonly said: string
}

export type Sample = Answered | Refused

/** Where a process begins. A lone one has all after a moment, and a hundred that begin together are no burst. */
const first = 2

/** Samples of a round, at least: where they are all alike or rare, and otherwise. */
const few = 4
const some = 12

/** Answers as quick as this are all alike. */
const alike = 0.95

/** Less quick answers wait for something: in doubt, and where there is proof of a queue. */
const usual = 0.65
const usualIfProven = 0.9

/** What a round takes and adds, at most, as a share of the limit. */
const mostTaken = 0.4
const mostAdded = 0.5

/** A round adds this ÷ the limit, and takes as many as wait in the server. */
const allowed = 0.8

/** What is left after a refusal, and for how long it is believed (ms). */
const leftByRefusal = 0.7
const belief = 60_000

const never = Number.NEGATIVE_INFINITY

const within = ({ max, min }: Bounds, limit: number): number => Math.max(min, Math.min(max, limit))

const fresh = { count: 0, sum: 0, wasReached: false }

export const initial = (bounds: Bounds): Limit => ({
  limit: within(bounds, first),
  reason: "start",
  said: "",
  isStarting: true,
  since: never,
  provenUntil: never,
  ...fresh
})

export const limit = (state: Limit, sample: Sample, bounds: Bounds): Limit => {
  if (sample.sentAt < state.since) return state
  if (sample._tag === "Refused") return afterRefusal(state, sample, bounds)
  const count = state.count + 1
  const sum = state.sum + Math.min(1, sample.quick)
  const read = { ...state, count, sum, wasReached: state.wasReached || sample.isReached }
  return isRound(read) ? afterRound(read, sum / count, sample.now, bounds) : read
}

const isRound = ({ count, isStarting, limit, sum }: Limit): boolean => {
  if (isStarting && sum > alike * count) return count >= Math.max(few, limit)
  return count >= (limit < 1 ? few : Math.max(some, 3 * limit))
}

const afterRefusal = (state: Limit, { now, said }: Refused, bounds: Bounds): Limit => ({
  ...state,
  ...fresh,
  limit: within(bounds, state.limit * leftByRefusal),
  reason: "refused",
  said,
  isStarting: false,
  since: now,
  provenUntil: now + belief
})

const afterRound = (state: Limit, quick: number, now: number, bounds: Bounds): Limit => {
  const isProven = now < state.provenUntil
  const before = state.limit
  const waiting = before * Math.max(0, 1 - quick / (isProven ? usualIfProven : usual))
  // A limit that is in nobody's way says nothing.
  if (waiting === 0 && !state.wasReached) return { ...state, ...fresh }
  if (waiting === 0 && state.isStarting) return moved(state, "free", before * 2, now, bounds)
  const change = Math.max(-mostTaken * before, Math.min(mostAdded * before, allowed / before) - waiting)
  const isLate = waiting > 0
  const to = change > 0 && !state.wasReached ? before : before + change
  const least = isProven ? bounds.min : Math.min(1, before)
  return { ...moved(state, isLate ? "queueing" : "free", Math.max(least, to), now, bounds), isStarting: false }
}

const moved = (state: Limit, reason: Reason, to: number, now: number, bounds: Bounds): Limit => ({
  ...state,
  ...fresh,
  limit: within(bounds, to),
  reason,
  since: now
})
