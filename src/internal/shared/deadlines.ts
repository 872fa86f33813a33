import { Clock, Duration, Effect, type Scope } from "effect"
import { forkBackground, inNone } from "./asyncContext.js"
import { longestTimer, monotonic } from "./time.js"

/**
 * Many deadlines with the same duration, watched by one fiber.
 *
 * A timer, an `Effect.timeout` or a fiber for each waiter would cost more than the work it guards. Since every
 * deadline of a queue is the same period away, they expire in the order in which they were added: a linked list is
 * enough, and adding and removing cost O(1).
 */
export interface Deadlines {
  /** Passing `now`, from the same clock, saves reading it. */
  readonly add: (deadline: Deadline, now?: number) => void
  /** Harmless when the deadline was removed or has expired already. */
  readonly remove: (deadline: Deadline) => void
  /** Of their clock. */
  readonly now: () => number
}

/** One piece of work with a deadline. Extend it: the fields are the list's. */
export abstract class Deadline {
  at = 0
  queued = false
  previous: Deadline | undefined = undefined
  next: Deadline | undefined = undefined
  abstract readonly onExpire: Effect.Effect<void>
}

class DeadlineQueue implements Deadlines {
  head: Deadline | undefined = undefined
  tail: Deadline | undefined = undefined
  wake: (() => void) | undefined = undefined
  private readonly clock: Clock.Clock
  private readonly millis: number

  constructor(clock: Clock.Clock, millis: number) {
    this.clock = clock
    this.millis = millis
  }

  add(deadline: Deadline, now: number = monotonic(this.clock)): void {
    deadline.at = now + this.millis
    deadline.queued = true
    deadline.previous = this.tail
    if (this.tail === undefined) this.head = deadline
    else this.tail.next = deadline
    this.tail = deadline
    if (this.wake !== undefined) {
      const wake = this.wake
      this.wake = undefined
      inNone(wake)
    }
  }

  now(): number {
    return monotonic(this.clock)
  }

  remove(deadline: Deadline): void {
    if (!deadline.queued) return
    deadline.queued = false
    if (deadline.previous === undefined) this.head = deadline.next
    else deadline.previous.next = deadline.next
    if (deadline.next === undefined) this.tail = deadline.previous
    else deadline.next.previous = deadline.previous
    deadline.previous = undefined
    deadline.next = undefined
  }

  readonly step: Effect.Effect<void> = Effect.suspend(() => {
    const head = this.head
    if (head === undefined) {
      return Effect.async<void>((resume) => {
        this.wake = () => resume(Effect.void)
      })
    }
    const wait = head.at - monotonic(this.clock)
    if (wait > 0) return this.clock.sleep(Duration.millis(Math.min(wait, longestTimer)))
    this.remove(head)
    // A deadline that throws must not end the watch over all others.
    return Effect.catchAllCause(head.onExpire, (cause) => Effect.logError("a deadline could not be carried out", cause))
  })
}

const never: Effect.Effect<Deadlines> = Clock.clockWith((clock) =>
  Effect.succeed({ add: () => {}, remove: () => {}, now: () => monotonic(clock) })
)

/** Watches until the scope closes; a period of zero or infinity watches nothing. */
export const make = (period: Duration.Duration): Effect.Effect<Deadlines, never, Scope.Scope> => {
  const millis = Duration.toMillis(period)
  if (millis <= 0 || !Number.isFinite(millis)) return never
  return Effect.gen(function* () {
    const queue = new DeadlineQueue(yield* Clock.clockWith(Effect.succeed), millis)
    yield* forkBackground(Effect.forever(queue.step))
    return queue
  })
}
