/**
 * When a connection is opened, probed for, waited for and given up: a pure function of what happened and when, with no
 * clock of its own. `connector.ts` does what it says.
 *
 *     asked ──begins──► open ──its socket is open──► (the pool has it)
 *                        │──fails, or is overtaken──► closing ──its socket is gone──► (no more counted)
 *
 * As many go out at a time as `connectAllowance.ts` says; while connecting fails (`circuit.ts`), one probe at a time.
 *
 * Nor is a silent server waited for: beside an attempt that hangs, fresh ones go out, one at a time, and the first that
 * succeeds ends it. It is not given up before that: where connecting takes long, it is the one that will succeed. Where
 * there is no place beside it, since there are never more sockets than the pool may have, it is ended after a while and
 * started again; and should nothing come of that either, the next has all its time.
 */
import type { ConnectionFailed } from "../../Errors.js"
import * as Circuit from "./circuit.js"
import { type Allowance, afterFailure, afterSilence, afterSuccess, untried } from "./connectAllowance.js"

/** After this long (ms) without a new connection the allowance is reset: what the server accepted then says nothing about now. */
const memory = 10_000

/** An attempt that takes longer than this (ms) has failed, however long callers are willing to wait. */
const longest = 10_000

/** An attempt (ms) without a word for so long may hang, and a probe beside it gets no longer than this. */
export const patience = 1_000

/** Where no probe may go out beside one (ms) that hangs. By then TCP has sent its first packet for the third time. */
export const patienceAlone = 3_000

/** `probe`: it has to be answered too. `quick`: a probe beside an attempt that hangs. */
export type Kind = "usual" | "probe" | "quick"

export interface Attempt {
  readonly id: number
  readonly kind: Kind
  readonly phase: "asked" | "open" | "closing"
  readonly began: number
  /** It may last so long (ms). */
  readonly limit: number
  /** It has lasted longer than `patience`. */
  readonly isSlow: boolean
}

export interface ConnectState {
  /** In the order in which they were asked for. */
  readonly attempts: ReadonlyArray<Attempt>
  readonly asked: number
  readonly allowance: Allowance
  readonly circuit: Circuit.Circuit
  readonly lastOpened: number
  /** A probe will go out; not once it is asked for. */
  readonly isProbePlanned: boolean
  readonly lastProbe: number
  /** When the first began of those that were ended for a fresh one: together they have the time of one. */
  readonly hungSince: number | undefined
  /** The last time that nothing came of fresh ones, so perhaps connecting takes long. */
  readonly isPatient: boolean
}

export const initial: ConnectState = {
  attempts: [],
  asked: 0,
  allowance: untried,
  circuit: Circuit.closed,
  lastOpened: Number.NEGATIVE_INFINITY,
  isProbePlanned: false,
  lastProbe: Number.NEGATIVE_INFINITY,
  hungSince: undefined,
  isPatient: false
}

/** What the pool has and wants. */
export interface Demand {
  readonly now: number
  readonly max: number
  /** Sockets that are not gone yet, those that are closing included. */
  readonly sockets: number
  /** Sockets that are open and not on their way out. */
  readonly total: number
  /** So many are open also where nobody asks. */
  readonly least: number
  readonly pending: number
}

export type ConnectEvent =
  /** Something may be wanted, or there may be room. */
  | { readonly _tag: "Look" }
  | { readonly _tag: "ProbeDue" }
  | { readonly _tag: "Began"; readonly id: number }
  /** Silent for `patience`, then for `patienceAlone`. */
  | { readonly _tag: "Slow"; readonly id: number }
  | { readonly _tag: "Silent"; readonly id: number }
  | { readonly _tag: "Opened"; readonly id: number }
  /** A probe was answered, and its connection closed with that. Some servers close after each answer, and are well. */
  | { readonly _tag: "ProbeAnswered"; readonly id: number }
  | { readonly _tag: "Failed"; readonly id: number; readonly error: ConnectionFailed }
  /** It was ended, by a faster one or by the pool. */
  | { readonly _tag: "Ended"; readonly id: number }
  /** Its socket is gone. */
  | { readonly _tag: "Gone"; readonly id: number }
  /** A connection that was open already was worth nothing. */
  | { readonly _tag: "Worthless"; readonly error: ConnectionFailed }

/** What is to be done, in this order. */
export type ConnectCommand =
  | { readonly _tag: "Begin"; readonly id: number }
  /** `delay` is varied by chance; of what comes out `elapsed` is over already (both ms). */
  | { readonly _tag: "PlanProbe"; readonly delay: number; readonly elapsed: number }
  | { readonly _tag: "GiveUp"; readonly id: number }
  | { readonly _tag: "TellFailure"; readonly error: ConnectionFailed; readonly isFirst: boolean }
  | { readonly _tag: "TellRecovery"; readonly since: number }

export interface ConnectStep {
  readonly state: ConnectState
  readonly commands: ReadonlyArray<ConnectCommand>
}

const nothing: ReadonlyArray<ConnectCommand> = []

const silently = (state: ConnectState): ConnectStep => ({ state, commands: nothing })

export const step = (state: ConnectState, event: ConnectEvent, demand: Demand): ConnectStep => {
  switch (event._tag) {
    case "Look":
      return look(state, demand)
    case "ProbeDue":
      return probeDue({ ...state, isProbePlanned: false }, demand)
    case "Began":
      return silently(began(state, event.id, demand.now))
    case "Slow":
      return slow(state, event.id, demand)
    case "Silent":
      return silent(state, event.id, demand)
    case "Opened":
      return opened(state, event.id, demand.now)
    case "ProbeAnswered":
      return recovered(changed(state, event.id, { phase: "closing" }), demand.now)
    case "Failed":
      return attemptFailed(changed(state, event.id, { phase: "closing" }), event, demand.now)
    case "Ended":
      return silently(changed(state, event.id, { phase: "closing" }))
    case "Gone":
      return silently(without(state, event.id))
    case "Worthless":
      return failed(state, event.error, demand.now)
  }
}

// -------------------------------------------------------------------------------------
// what is known
// -------------------------------------------------------------------------------------

/** Of those that hang. */
const isHanging = ({ isSlow, phase }: Attempt): boolean => isSlow && phase === "open"

const hanging = ({ attempts }: ConnectState): number => attempts.filter(isHanging).length

/** How many more are wanted than there are, where so many come. */
const wanted = (coming: number, { least, pending, total }: Demand): number => Math.max(pending, least - total) - coming

/** How many more may go out. */
const room = ({ allowance, attempts }: ConnectState, { max, sockets }: Demand): number =>
  Math.min(allowance.connects, max - sockets) - attempts.length

/** Whether it has to be found out if connecting works. */
const isDoubtful = (state: ConnectState, demand: Demand): boolean => {
  if (Circuit.isOpen(state.circuit)) return true
  const hang = hanging(state)
  return hang > 0 && wanted(state.attempts.length - hang, demand) > 0
}

export const find = ({ attempts }: ConnectState, id: number): Attempt | undefined =>
  attempts.find((attempt) => attempt.id === id)

const changed = (state: ConnectState, id: number, change: Partial<Attempt>): ConnectState => ({
  ...state,
  attempts: state.attempts.map((attempt) => (attempt.id === id ? { ...attempt, ...change } : attempt))
})

const without = (state: ConnectState, id: number): ConnectState => ({
  ...state,
  attempts: state.attempts.filter((attempt) => attempt.id !== id)
})

// -------------------------------------------------------------------------------------
// going out
// -------------------------------------------------------------------------------------

/** As many as are wanted and allowed; while connecting fails, a probe. */
const look = (before: ConnectState, demand: Demand): ConnectStep => {
  const plan = isDoubtful(before, demand) ? planProbe(before, demand.now) : silently(before)
  const isForgotten = before.attempts.length === 0 && demand.now - before.lastOpened > memory
  // Asked by each that waits: a state that stays what it is is not copied.
  const state = isForgotten && before.allowance !== untried ? { ...plan.state, allowance: untried } : plan.state
  if (Circuit.isOpen(state.circuit)) return { state, commands: plan.commands }
  const count = Math.min(room(state, demand), wanted(state.attempts.length, demand))
  return count > 0 ? asking(state, count, "usual", plan.commands) : { state, commands: plan.commands }
}

const asking = (state: ConnectState, count: number, kind: Kind, before: ReadonlyArray<ConnectCommand>): ConnectStep => {
  const ids = Array.from({ length: count }, (_, n) => state.asked + n)
  const asked = ids.map((id): Attempt => ({ id, kind, phase: "asked", began: 0, limit: 0, isSlow: false }))
  return {
    state: { ...state, attempts: [...state.attempts, ...asked], asked: state.asked + count },
    commands: [...before, ...ids.map((id): ConnectCommand => ({ _tag: "Begin", id }))]
  }
}

/** One at a time, but for those that hang. From beginning to beginning, so that one which hangs does not make the next come later. */
const planProbe = (state: ConnectState, now: number): ConnectStep => {
  const isOut = ({ kind, phase, isSlow }: Attempt): boolean => kind !== "usual" && phase !== "closing" && !isSlow
  if (state.isProbePlanned || state.attempts.some(isOut)) return silently(state)
  const elapsed = hanging(state) > 0 ? now - state.lastProbe : 0
  return {
    state: { ...state, isProbePlanned: true, circuit: Circuit.afterPlan(state.circuit) },
    commands: [{ _tag: "PlanProbe", delay: Circuit.delayOf(state.circuit), elapsed }]
  }
}

const probeDue = (state: ConnectState, demand: Demand): ConnectStep =>
  isDoubtful(state, demand) && room(state, demand) > 0
    ? asking({ ...state, lastProbe: demand.now }, 1, "probe", nothing)
    : makeRoom(state)

/** Of those that hang the elder are kept. The end of the other brings a probe. */
const makeRoom = (state: ConnectState): ConnectStep => {
  if (hanging(state) < state.allowance.connects) return silently(state)
  const youngest = state.attempts.findLast(({ phase }) => phase === "open")
  return { state, commands: youngest === undefined ? nothing : [{ _tag: "GiveUp", id: youngest.id }] }
}

const began = (state: ConnectState, id: number, now: number): ConnectState => {
  const kind = find(state, id)?.kind
  if (kind === "probe" && hanging(state) > 0) {
    return changed(state, id, { phase: "open", kind: "quick", began: now, limit: patience })
  }
  const left = longest - (state.hungSince === undefined ? 0 : now - state.hungSince)
  const limit = left >= patience ? left : longest
  const hungSince = left >= patience ? state.hungSince : undefined
  return changed({ ...state, hungSince }, id, { phase: "open", began: now, limit })
}

// -------------------------------------------------------------------------------------
// waiting
// -------------------------------------------------------------------------------------

/** A probe goes out beside it. */
const slow = (before: ConnectState, id: number, demand: Demand): ConnectStep =>
  look(
    {
      ...changed(before, id, { isSlow: true }),
      allowance: afterSilence(before.allowance, before.attempts.length)
    },
    demand
  )

/** It makes place for a fresh one, where there is none beside it. */
const silent = (state: ConnectState, id: number, demand: Demand): ConnectStep => {
  const attempt = find(state, id)
  const isAlone = room(state, demand) <= 0 && state.attempts.length < state.allowance.connects
  if (attempt === undefined || state.isPatient || !isAlone) return silently(state)
  return {
    state: { ...state, hungSince: state.hungSince ?? attempt.began },
    commands: [{ _tag: "GiveUp", id }]
  }
}

// -------------------------------------------------------------------------------------
// how it ended
// -------------------------------------------------------------------------------------

/** What hangs since before it began will come to nothing, and its failure would be old news. */
const opened = (before: ConnectState, id: number, now: number): ConnectStep => {
  const start = find(before, id)?.began ?? now
  const overtaken = before.attempts.filter(
    (other) => other.phase === "open" && other.id !== id && other.began + patience <= start
  )
  const { commands, state } = recovered(
    {
      ...without(before, id),
      allowance: afterSuccess(before.allowance, before.attempts.length),
      lastOpened: now,
      hungSince: undefined
    },
    now
  )
  return { state, commands: [...overtaken.map((one): ConnectCommand => ({ _tag: "GiveUp", id: one.id })), ...commands] }
}

const recovered = (state: ConnectState, now: number): ConnectStep => {
  const { circuit } = state
  if (!Circuit.isOpen(circuit)) return silently(state)
  return {
    state: { ...state, circuit: Circuit.afterSuccess(circuit, now) },
    commands: [{ _tag: "TellRecovery", since: circuit.since }]
  }
}

const attemptFailed = (
  state: ConnectState,
  { error, id }: Extract<ConnectEvent, { readonly _tag: "Failed" }>,
  now: number
): ConnectStep => {
  const isTimeout = error.failure === "timeout"
  if (find(state, id)?.kind === "quick") {
    // It got little time: that says nothing while nothing has failed.
    return isTimeout && !Circuit.isOpen(state.circuit) ? silently(state) : failed(state, error, now)
  }
  // One that had its time has failed.
  const isPatient = isTimeout ? state.hungSince !== undefined : state.isPatient
  return failed({ ...state, isPatient, hungSince: undefined }, error, now)
}

const failed = (state: ConnectState, error: ConnectionFailed, now: number): ConnectStep => ({
  state: { ...state, allowance: afterFailure, circuit: Circuit.afterFailure(state.circuit, error, now) },
  commands: [{ _tag: "TellFailure", error, isFirst: !Circuit.isOpen(state.circuit) }]
})
