/**
 * A pool without I/O, for the rules that wait: its resources open, answer and hang up when the test says so, and its
 * time is the test's.
 */

import { Cause, Deferred, Duration, Effect, Exit, Option, type Scope } from "effect"
import type { ConnectionEvent } from "../../src/Audit.js"
import { ConnectionFailed, type DbError } from "../../src/Errors.js"
import type { Reason } from "../../src/internal/connection/transport.js"
import type { Ending } from "../../src/internal/limit/limiter.js"
import type { Lease, Resource } from "../../src/internal/pool/lease.js"
import { ResourcePool } from "../../src/internal/pool/resourcePool.js"
import type { ResourcePoolOptions } from "../../src/internal/pool/resourcePoolOptions.js"

const refused = new ConnectionFailed({
  pool: "read",
  origin: "http://fake",
  failure: "refused",
  code: "ECONNREFUSED",
  sent: false
})

export class FakeResource implements Resource {
  state: "new" | "opening" | "open" | "closed" = "new"
  usable = false
  /** A request is under way. */
  busy = false
  abortedWith: DbError | undefined = undefined
  pings = 0
  keepAliveHint: number | undefined = undefined
  /** How its borrower's request ended, to a pool that limits. */
  said: Ending | undefined = undefined
  readonly id: string
  private readonly world: FakeWorld
  private readonly onClose: (resource: FakeResource) => void

  constructor(world: FakeWorld, id: string, onClose: (resource: FakeResource) => void) {
    this.world = world
    this.id = id
    this.onClose = onClose
  }

  get isOpen(): boolean {
    return this.state === "open"
  }

  readonly open: Effect.Effect<void, ConnectionFailed> = Effect.suspend(() => this.world.open(this))

  readonly ping: Effect.Effect<void, unknown> = Effect.suspend(() => {
    this.pings += 1
    return this.isOpen ? this.world.answerPing(this) : Effect.fail("closed")
  })

  lend(): void {
    this.usable = true
  }

  outcome(): Ending | undefined {
    return this.said
  }

  takeBack(): boolean {
    this.usable = false
    if (!this.busy) return true
    this.shut()
    return false
  }

  abort(reason: Reason): void {
    this.abortedWith = reason(this.busy, "POST")
    if (this.busy) this.shut()
  }

  /** Closed, by whomever. */
  shut(): void {
    if (this.state === "closed") return
    const wasOpen = this.state === "open"
    this.state = "closed"
    this.busy = false
    if (!wasOpen) return
    this.world.openSockets -= 1
    this.onClose(this)
  }
}

/** The other side. */
export class FakeWorld {
  /** What happens to who connects; with `decide`, what `accept` and `refuse` say later. */
  connecting: "accept" | "refuse" | "decide" | "break" | "hang up" = "accept"
  pings: "answered" | "failed" | "ignored" = "answered"
  /** Gate in front of each close, for closing that takes time. */
  closing: Effect.Effect<void> = Effect.void
  openSockets = 0
  peakSockets = 0
  attempts = 0
  peakAttempts = 0
  readonly made: Array<FakeResource> = []
  readonly undecided: Array<Deferred.Deferred<void, ConnectionFailed>> = []

  open(resource: FakeResource): Effect.Effect<void, ConnectionFailed> {
    this.attempts += 1
    resource.state = "opening"
    const opened = Effect.sync(() => {
      resource.state = "open"
      this.openSockets += 1
      this.peakSockets = Math.max(this.peakSockets, this.openSockets)
    })
    if (this.connecting === "accept") return opened
    // Before the pool has seen it open, as a proxy does that finds nobody behind it.
    if (this.connecting === "hang up")
      return Effect.zipRight(
        opened,
        Effect.sync(() => resource.shut())
      )
    if (this.connecting === "break") return Effect.die("a bug in connecting")
    if (this.connecting === "refuse") return Effect.fail(refused)
    const decision = Deferred.unsafeMake<void, ConnectionFailed>(fiberId)
    this.undecided.push(decision)
    this.peakAttempts = Math.max(this.peakAttempts, this.undecided.length)
    return Effect.zipRight(Deferred.await(decision), opened).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          const at = this.undecided.indexOf(decision)
          if (at !== -1) this.undecided.splice(at, 1)
        })
      )
    )
  }

  answerPing(_resource: FakeResource): Effect.Effect<void, unknown> {
    if (this.pings === "answered") return Effect.void
    return this.pings === "failed" ? Effect.fail("no answer") : Effect.never
  }

  /** The attempt that has waited longest succeeds. */
  readonly accept: Effect.Effect<void> = Effect.suspend(() => this.decide(Exit.void))

  readonly refuse: Effect.Effect<void> = Effect.suspend(() => this.decide(Exit.fail(refused)))

  private decide(exit: Exit.Exit<void, ConnectionFailed>): Effect.Effect<void> {
    const decision = this.undecided.shift()
    return decision === undefined ? Effect.void : Effect.zipRight(Deferred.done(decision, exit), settle)
  }

  /** The other side closes that socket. */
  hangUp(resource: FakeResource): Effect.Effect<void> {
    return Effect.zipRight(
      Effect.sync(() => resource.shut()),
      settle
    )
  }
}

const fiberId = Effect.runSync(Effect.fiberId)

/** Until all that can run without time passing has run. */
export const settle: Effect.Effect<void> = Effect.async((resume) => {
  setImmediate(() => resume(Effect.void))
})

export interface FakePool {
  readonly pool: ResourcePool<FakeResource>
  readonly world: FakeWorld
  /** What `options.events` collected. */
  readonly events: ReadonlyArray<ConnectionEvent>
}

export interface FakeOptions extends Partial<ResourcePoolOptions<FakeResource>> {
  readonly world?: FakeWorld
  readonly housekeeper?: boolean
  readonly events?: boolean
}

/** A pool on the fake world; min 0, max 2, nothing that happens by itself unless asked for. */
export const make = (options: FakeOptions = {}): Effect.Effect<FakePool, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { world = new FakeWorld(), housekeeper = false, events: listens = false, ...rest } = options
    const events: Array<ConnectionEvent> = []
    const pool = yield* ResourcePool.make<FakeResource>(
      {
        mode: "read",
        origin: "http://fake",
        min: 0,
        max: 2,
        maxPending: 1_000,
        connectionTimeout: Duration.seconds(1),
        leakDetectionTimeout: Duration.zero,
        idleTimeout: 60_000,
        maxLifetime: 0,
        keepaliveInterval: 0,
        shutdownTimeout: Duration.zero,
        acquire: (onClose) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              const resource = new FakeResource(world, `fake-${world.made.length + 1}`, onClose)
              world.made.push(resource)
              return resource
            }),
            (resource) =>
              Effect.zipRight(
                world.closing,
                Effect.sync(() => resource.shut())
              )
          ),
        ...rest
      },
      housekeeper ? undefined : () => Effect.void
    )
    if (listens) pool.statistics.listeners.add((event) => events.push(event))
    yield* settle
    return { pool, world, events }
  })

/** Checks out, for a test that gives back by hand. */
export const checkout = (
  pool: ResourcePool<FakeResource>,
  limit?: number
): Effect.Effect<Lease<FakeResource>, DbError> => Effect.uninterruptibleMask((restore) => pool.checkout(restore, limit))

/** The name of what it failed with, or `value`, or `interrupted`. */
export const outcome = <A>(exit: Exit.Exit<A, unknown>): string => {
  if (Exit.isSuccess(exit)) return "value"
  if (Cause.isInterruptedOnly(exit.cause)) return "interrupted"
  const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (typeof failure === "object" && failure !== null && "_tag" in failure) return String(failure._tag)
  return "defect"
}
