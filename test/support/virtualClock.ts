/**
 * A clock that a test moves. `TestClock` polls in real time until all fibers sleep, at some milliseconds a move; this one
 * lets everything run that can run, which is enough where nothing waits for a real event, and thousands of times faster.
 */
import { Clock, Duration, Effect } from "effect"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

export class VirtualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  now = 0
  readonly sleepers: Set<Sleeper> = new Set()
  readonly currentTimeMillis: Effect.Effect<number> = Effect.sync(() => this.now)
  readonly currentTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.unsafeCurrentTimeNanos())

  unsafeCurrentTimeMillis(): number {
    return this.now
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(Math.round(this.now * 1_000)) * 1_000n
  }

  private readonly scheduling: Clock.ClockScheduler = {
    unsafeSchedule: (task, duration) => {
      const sleeper = { at: this.now + Duration.toMillis(duration), wake: task }
      this.sleepers.add(sleeper)
      return () => this.sleepers.delete(sleeper)
    }
  }

  scheduler(): Effect.Effect<Clock.ClockScheduler> {
    return Effect.succeed(this.scheduling)
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async((resume) => {
      const cancel = this.scheduling.unsafeSchedule(() => resume(Effect.void), duration)
      return Effect.sync(cancel)
    })
  }

  private next(until: number): Sleeper | undefined {
    let first: Sleeper | undefined
    for (const sleeper of this.sleepers) {
      if (sleeper.at <= until && (first === undefined || sleeper.at < first.at)) first = sleeper
    }
    return first
  }

  /** The process stands still: time goes on, and afterwards all that is due is due at once. */
  standStill(millis: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.now += millis
      return this.adjust(0)
    })
  }

  /** Sleeper by sleeper, each followed by all that it sets going. */
  adjust(millis: number): Effect.Effect<void> {
    const until = this.now + millis
    const step: Effect.Effect<void> = Effect.suspend(() => {
      const sleeper = this.next(until)
      if (sleeper === undefined) {
        this.now = until
        return Effect.void
      }
      this.sleepers.delete(sleeper)
      this.now = Math.max(this.now, sleeper.at)
      sleeper.wake()
      return Effect.zipRight(settle, step)
    })
    return Effect.zipRight(settle, step)
  }
}

/** Until all that can run without time passing has run. */
const settle: Effect.Effect<void> = Effect.async((resume) => {
  setImmediate(() => resume(Effect.void))
})
