import { Clock, Duration, Effect } from "effect"
import { outside } from "../shared/asyncContext.js"
import { longestTimer } from "../shared/time.js"
import { realTime } from "../shared/timers.js"

const scheduler: Clock.ClockScheduler = {
  unsafeSchedule: (task, duration) => {
    const millis = Duration.toMillis(duration)
    if (millis > longestTimer) return () => false
    let fired = false
    // This is the clock itself, made because Effect's own keeps Node alive.
    const timer = realTime.setTimeout(() => {
      fired = true
      task()
    }, millis)
    timer.unref()
    return () => {
      realTime.clearTimeout(timer)
      return !fired
    }
  }
}

/** How long the distance from Node's steady clock to the time of day is believed, in ms. */
const believed = 1_000

/**
 * The time of day by the steady clock, which anybody may ask in a prerender of Next.js (`outside.ts`). A clock on the wall
 * is set now and then, so it is compared once a second.
 */
class TimeOfDay {
  private until = Number.NEGATIVE_INFINITY
  private distance = 0

  now(): number {
    const steady = realTime.steadyNow()
    if (steady >= this.until) {
      this.distance = outside(realTime.dateNow) - steady
      this.until = steady + believed
    }
    return Math.floor(this.distance + steady)
  }
}

/**
 * Effect's clock, except that waiting does not keep Node alive: pings, health checks and deadlines are no reason for a
 * script to go on when its own work is done. What a caller awaits is held by `KeepAlive` instead.
 */
export class BackgroundClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private readonly clock: Clock.Clock = Clock.make()
  private readonly timeOfDay = new TimeOfDay()
  readonly currentTimeMillis: Effect.Effect<number> = Effect.sync(() => this.unsafeCurrentTimeMillis())

  get currentTimeNanos(): Effect.Effect<bigint> {
    return this.clock.currentTimeNanos
  }

  unsafeCurrentTimeMillis(): number {
    return this.timeOfDay.now()
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
