import { type Effect, type Fiber, FiberId, type Scope } from "effect"
import type { ConnectionFailed, DbError } from "../../Errors.js"
import type { Ending } from "../limit/limiter.js"
import { Deadline } from "../shared/deadlines.js"

/** What is pooled, as far as the pool needs to know it. `Connection` is one; tests of the pool's rules have their own. */
export interface Resource {
  readonly id: string
  /** False before `open` and after the socket is gone. */
  readonly isOpen: boolean
  readonly open: Effect.Effect<void, ConnectionFailed>
  /** Fails when the other side does not answer. */
  readonly ping: Effect.Effect<void, unknown>
  /** How long the other side says that it keeps an idle socket, in ms. */
  readonly keepAliveHint: number | undefined
  /** From now on the borrower may send. */
  lend(): void
  /** From now on nobody may. False when something was still under way, so that the socket cannot be lent again. */
  takeBack(): boolean
  /** How the request of its borrower ended, to one who limits; none where there was not just one, or it says nothing. */
  outcome?(): Ending | undefined
  /** When the oldest request that is under way was sent, on the pool's clock; undefined without one. */
  readonly sentSince?: number | undefined
  /** What is asked now: the first request of its borrower, without any of its values; empty before there was one. */
  readonly asks?: string
  /** Whether its last borrower had an answer; undefined where it asked nothing. */
  readonly wasAnswered?: boolean | undefined
  /** Why it cannot be used any more, where it cannot; empty where it is not known. */
  readonly ending?: string
  /** The other side refused it after it looked open. */
  readonly refused?: ConnectionFailed | undefined
  /** Tells its borrower that it was taken away, and why. */
  tell?(reason: (sent: boolean, method: string) => DbError): void
  /** Fails what is under way, now. */
  abort(reason: (sent: boolean, method: string) => DbError): void
}

/** What is asked of a fiber that borrows; one who calls without a fiber can answer it too. */
export type Caller = Pick<Fiber.RuntimeFiber<unknown, unknown>, "currentSpan" | "id">

let nobodies = 0

/** Without a fiber: in no span, with a number that no fiber has. Effect would ask for the time to make one. */
export const nobody: Caller = { currentSpan: undefined, id: () => FiberId.runtime(--nobodies, 0) }

/** Who borrowed, for the leak watch and the events. */
export interface Holder {
  readonly span: string
  /** The number of its fiber. */
  readonly fiber: number
}

/**
 * - `idle`: in the bag; `busy`: lent; `pinging`: out of the bag for a ping; `closing`: on its way out, for good.
 */
export type LeaseState = "idle" | "busy" | "pinging" | "closing"

/**
 * An item of Effect's `Pool`, got in a scope of its own, so that it can be given back by whoever ends it first: the
 * borrower, the housekeeper, the leak watch, the shutdown. Ending it twice is harmless.
 */
export class Lease<R extends Resource> extends Deadline {
  state: LeaseState = "idle"
  readonly resource: R
  readonly scope: Scope.CloseableScope
  /** When the age limit, jitter included, is reached; infinity without one. */
  readonly expiresAt: number
  readonly openedAt: number
  /** Was lent at least once. */
  used = false
  /** How many times it came back as good as new, from a borrower or a ping. */
  answers = 0
  /** Last return, or opening. */
  idleSince: number
  /** Last traffic on the socket, pings included. */
  lastUsed: number
  lentAt = 0
  /** The same without rounding, where somebody measures it. */
  leftAt = 0
  /** How long its borrower waited for it, in ms. */
  waited = 0
  holder: Holder | undefined = undefined
  /** Set by `reset`: closed when it comes back. */
  retire = false
  /** Set by the leak watch, so that a late return is known as one. */
  reclaimed = false
  private readonly onLeak: (lease: Lease<R>) => Effect.Effect<void>

  constructor(options: {
    readonly resource: R
    readonly scope: Scope.CloseableScope
    readonly now: number
    readonly expiresAt: number
    readonly onLeak: (lease: Lease<R>) => Effect.Effect<void>
  }) {
    super()
    this.resource = options.resource
    this.scope = options.scope
    this.expiresAt = options.expiresAt
    this.openedAt = options.now
    this.idleSince = options.now
    this.lastUsed = options.now
    this.onLeak = options.onLeak
  }

  get onExpire(): Effect.Effect<void> {
    return this.onLeak(this)
  }
}

/** How long (ms) the one that was lent first has been lent; 0 where none is. */
export const longestHeld = <R extends Resource>(leases: Iterable<Lease<R>>, now: number): number => {
  let longest = 0
  for (const lease of leases) if (lease.state === "busy") longest = Math.max(longest, now - lease.lentAt)
  return longest
}
