import { Clock, Duration, Effect } from "effect"
import { longestTimer } from "../time.js"

const scheduler: Clock.ClockScheduler = {
  unsafeSchedule: (task, duration) => {
    const millis = Duration.toMillis(duration)
    if (millis > longestTimer) return () => false
    let fired = false
    // biome-ignore lint/style/noRestrictedGlobals: this is the clock itself, made because Effect's own keeps Node alive
    const timer = setTimeout(() => {
      fired = true
      task()
    }, millis)
    timer.unref()
    return () => {
      clearTimeout(timer)
      return !fired
    }
  }
}

/**
 * Effect's clock, except that waiting does not keep Node alive: pings, health checks and deadlines are no reason for a
 * script to go on when its own work is done. What a caller awaits is held by `KeepAlive` instead.
 */
export class BackgroundClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private readonly clock: Clock.Clock = Clock.make()

  get currentTimeMillis(): Effect.Effect<number> {
    return this.clock.currentTimeMillis
  }

  get currentTimeNanos(): Effect.Effect<bigint> {
    return this.clock.currentTimeNanos
  }

  unsafeCurrentTimeMillis(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }

  unsafeCurrentTimeNanos(): bigint {
    return this.clock.unsafeCurrentTimeNanos()
  }

  scheduler(): Effect.Effect<Clock.ClockScheduler> {
    return Effect.succeed(scheduler)
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async((resume) => {
      const cancel = scheduler.unsafeSchedule(() => resume(Effect.void), duration)
      return Effect.sync(cancel)
    })
  }
}
