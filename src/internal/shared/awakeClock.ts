/**
 * Time without the periods in which this process stood still (SIGSTOP, a frozen Lambda, a closed laptop, an event loop that
 * one caller blocks). Then clocks go on and nothing else does: arrived answers are not read, borrowers cannot return
 * connections. After waking up, timers run first, and each one that counted that time would blame somebody.
 *
 * So the pool's limits use this clock, whose periods leave out time that nobody could use. Dates are unchanged.
 */
import { Clock, Duration, Effect, type Scope } from "effect"
import { forkBackground } from "./asyncContext.js"
import { precise } from "./time.js"

/** The clock's beat (ms), even in an idle process. */
const beat = 500

/**
 * A gap this long (ms) between two beats means that the process stood still: a merely busy event loop comes around sooner.
 * One beat of the gap still counts, so that time goes on even if every turn takes this long.
 */
const standstill = 1_000

/** After a standstill, a due limit gets this much time (ms) to handle arrived answers. */
const grace = 100

export class AwakeClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  /** The total, in ms. */
  private lost = 0
  private seen: number
  private readonly clock: Clock.Clock

  constructor(clock: Clock.Clock) {
    this.clock = clock
    this.seen = precise(clock)
  }

  /** The total standstill at the last read of the time, in ms. */
  get stoodStill(): number {
    return this.lost
  }

  /** The total standstill so far, in ms. */
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
   * A sleeper that a standstill woke late sleeps for the rest, so that arrived answers are read first. Only once: if every
   * turn of the event loop is a standstill, a wait that starts again each time would never end.
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

  /** A delay, not a limit: standstills count, since the other side had that time too. */
  pause(duration: Duration.Duration): Effect.Effect<void> {
    return this.clock.sleep(duration)
  }

  /** `pause` on the fiber's own clock. */
  static pause(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.clockWith((clock) => (clock instanceof AwakeClock ? clock.pause(duration) : clock.sleep(duration)))
  }

  /** Runs the clock until the scope closes. */
  static readonly make: Effect.Effect<AwakeClock, never, Scope.Scope> = Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const awake = new AwakeClock(clock)
    const look = Effect.sync(() => awake.look())
    yield* forkBackground(Effect.forever(Effect.zipRight(clock.sleep(Duration.millis(beat)), look)))
    return awake
  })
}
