/**
 * Time as this process has lived it. While it stands still (SIGSTOP, a frozen Lambda, a laptop that is closed, an event loop
 * that one caller blocks) clocks go on and nothing else does: answers that have come are not read, who borrowed cannot give
 * back. On waking up, timers are the first to run, and each that counted that time would blame somebody.
 *
 * So the pool's limits are of this clock, whose periods leave out what nobody could use. Dates are as they were.
 */
import { Clock, Duration, Effect, type Scope } from "effect"
import { forkBackground } from "./asyncContext.js"
import { precise } from "./time.js"

/** It is looked at so often (ms), however little there is to do. */
const beat = 500

/**
 * Who was not looked at for so long (ms) stood still: an event loop that is only busy comes round sooner. A beat of it counts
 * as lived, so that time goes on also where each turn takes as long.
 */
const standstill = 1_000

/** Who was woken by a standstill, and would be due, has so much time (ms) for what has come. */
const grace = 100

export class AwakeClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  /** All in all, in ms. */
  private lost = 0
  private seen: number
  private readonly clock: Clock.Clock

  constructor(clock: Clock.Clock) {
    this.clock = clock
    this.seen = precise(clock)
  }

  /** How long it had stood still when somebody last asked for the time, in ms. */
  get stoodStill(): number {
    return this.lost
  }

  /** How long it has stood still so far, in ms. */
  look(): number {
    return this.lookAt(precise(this.clock))
  }

  private lookAt(now: number): number {
    const since = now - this.seen
    if (since >= standstill) this.lost += since - beat
    this.seen = now
    return this.lost
  }

  unsafeCurrentTimeNanos(): bigint {
    const now = this.clock.unsafeCurrentTimeNanos()
    const lost = this.lookAt(Number(now) / 1_000_000)
    return lost === 0 ? now : now - BigInt(Math.round(lost * 1_000_000))
  }

  unsafeCurrentTimeMillis(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }

  get currentTimeMillis(): Effect.Effect<number> {
    return this.clock.currentTimeMillis
  }

  readonly currentTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.unsafeCurrentTimeNanos())

  /**
   * Whoever is woken late by a standstill sleeps for the rest, and what has come is read before. Once: where each turn of the
   * event loop is one, a wait that starts again each time never ends.
   */
  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      const before = this.look()
      const until = precise(this) + Duration.toMillis(duration)
      return Effect.flatMap(this.clock.sleep(duration), () => {
        if (this.look() === before) return Effect.void
        const left = until - precise(this)
        return left > grace ? this.sleep(Duration.millis(left)) : this.clock.sleep(Duration.millis(grace))
      })
    })
  }

  /** A delay and no limit: what is waited for had that time. */
  pause(duration: Duration.Duration): Effect.Effect<void> {
    return this.clock.sleep(duration)
  }

  /** `pause` by the clock of the fiber, whichever that is. */
  static pause(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.clockWith((clock) => (clock instanceof AwakeClock ? clock.pause(duration) : clock.sleep(duration)))
  }

  /** Looked at until the scope closes. */
  static readonly make: Effect.Effect<AwakeClock, never, Scope.Scope> = Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const awake = new AwakeClock(clock)
    const look = Effect.sync(() => awake.look())
    yield* forkBackground(Effect.forever(Effect.zipRight(clock.sleep(Duration.millis(beat)), look)))
    return awake
  })
}
