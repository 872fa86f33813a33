/** One pool's limit at its door: who may leave now, and what is learned from each request that comes back. */
import { type Bounds, initial, type Limit, limit } from "./limit.js"

/** A thousandth part of what a server has may be ours, where thousands share it; less would take minutes to grow again. */
const least = 0.02

/** The longest break (ms) between two requests, so that what changes is noticed. */
const longestBreak = 5_000

/** A delay (ms) that is nobody's fault: timers, garbage, the way. */
const grain = 5

/** The number of shapes that are known at a time. */
const mostShapes = 256

/** What a request's end says to a limit. */
export interface Ending {
  /** Equal for requests that take as long as each other. */
  readonly shape: number
  /** Code or status of a refusal for want of room; empty for an answer. */
  readonly refused: string
}

export class Limiter {
  state: Limit
  private readonly bounds: Bounds
  /** The shortest time that a request of a shape took, in ms. */
  private readonly best: Map<number, number> = new Map()
  /** About how long a request takes, in ms. */
  private usual = 0
  private opensAt: number = Number.NEGATIVE_INFINITY

  constructor(max: number) {
    this.bounds = { min: Math.min(least, max), max }
    this.state = initial(this.bounds)
  }

  /** The number of requests that may be under way at once: a whole one, so that equals have the same. */
  get places(): number {
    return Math.max(1, Math.round(this.state.limit))
  }

  /** Shapes. */
  get known(): number {
    return this.best.size
  }

  allows(active: number, now: number): boolean {
    return active < this.places && now >= this.opensAt
  }

  /** How long (ms) nobody may leave, although nothing is under way; 0 where somebody may. */
  breakAt(now: number): number {
    return Math.max(0, this.opensAt - now)
  }

  /** `since`: when it left; `isReached`: somebody waits. */
  ended({ refused, shape }: Ending, since: number, now: number, isReached: boolean): void {
    this.state =
      refused === ""
        ? limit(
            this.state,
            { _tag: "Answered", sentAt: since, now, quick: this.quick(shape, now - since), isReached },
            this.bounds
          )
        : limit(this.state, { _tag: "Refused", sentAt: since, now, said: refused }, this.bounds)
    const share = this.state.limit
    if (share < 1) this.opensAt = now + Math.min(longestBreak, this.usual * (1 / share - 1))
  }

  private quick(shape: number, took: number): number {
    const known = this.best.get(shape) ?? took
    // The eldest goes. It comes back as new, and is quick again at first.
    if (this.best.size >= mostShapes && !this.best.has(shape)) this.best.delete(this.best.keys().next().value ?? 0)
    if (took <= known) this.best.set(shape, took)
    this.usual += (took - this.usual) / 8
    return took <= known + grain ? 1 : (known + grain) / took
  }
}
