/**
 * When an alert fires, is repeated, and resolves: a pure function of observations and their times, without its own clock.
 *
 *     fine ──holds──► pending ──holds for `holdFor`──► firing ──fine for `resolveAfter`──► fine
 *
 * Firing and announcing are separate: an alert that fires again within its cool-down is active at once, and is announced
 * only if it still holds when the cool-down is over.
 */

/** All in ms. */
export interface Timing {
  readonly holdFor: number
  readonly resolveAfter: number
  readonly coolDown: number
  readonly remindAfter: number
}

export interface Fine {
  readonly _tag: "Fine"
}

export interface Pending {
  readonly _tag: "Pending"
  readonly since: number
}

export interface Firing {
  readonly _tag: "Firing"
  /** When the condition began to hold. */
  readonly since: number
  readonly firedAt: number
  readonly announced: boolean
  /** When the condition stopped holding; undefined while it holds. */
  readonly fineSince: number | undefined
}

export interface RuleState {
  readonly phase: Fine | Pending | Firing
  /** When it was last announced; `-Infinity` if never. */
  readonly announcedAt: number
}

export type Announcement = "fired" | "reminded" | "resolved"

export interface Step {
  readonly state: RuleState
  readonly announcement: Announcement | undefined
}

const fine: Fine = { _tag: "Fine" }

export const initial: RuleState = { phase: fine, announcedAt: Number.NEGATIVE_INFINITY }

/** Whether a condition holds at `now`, on a clock that never goes back. */
export const step = (timing: Timing, state: RuleState, holds: boolean, now: number): Step =>
  holds ? whenItHolds(timing, state, now) : whenFine(timing, state, now)

const silently = (state: RuleState): Step => ({ state, announcement: undefined })

const whenItHolds = (timing: Timing, { announcedAt, phase }: RuleState, now: number): Step => {
  if (phase._tag === "Firing") return tell(timing, { phase: { ...phase, fineSince: undefined }, announcedAt }, now)
  const since = phase._tag === "Pending" ? phase.since : now
  if (now - since < timing.holdFor) return silently({ phase: { _tag: "Pending", since }, announcedAt })
  const firing: Firing = { _tag: "Firing", since, firedAt: now, announced: false, fineSince: undefined }
  return tell(timing, { phase: firing, announcedAt }, now)
}

/** Announces a firing alert, unless it was announced too recently. */
const tell = (timing: Timing, state: { readonly phase: Firing; readonly announcedAt: number }, now: number): Step => {
  const { announced } = state.phase
  const pause = announced ? Math.max(timing.remindAfter, timing.coolDown) : timing.coolDown
  if (now - state.announcedAt < pause) return silently(state)
  return {
    state: { phase: { ...state.phase, announced: true }, announcedAt: now },
    announcement: announced ? "reminded" : "fired"
  }
}

const whenFine = (timing: Timing, state: RuleState, now: number): Step => {
  const { announcedAt, phase } = state
  if (phase._tag !== "Firing") return silently({ phase: fine, announcedAt })
  const fineSince = phase.fineSince ?? now
  if (now - fineSince < timing.resolveAfter) return silently({ phase: { ...phase, fineSince }, announcedAt })
  return { state: { phase: fine, announcedAt }, announcement: phase.announced ? "resolved" : undefined }
}
