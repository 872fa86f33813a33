import { type Clock, Duration, Effect } from "effect"
import type { ConnectionEvent, ConnectionEventType } from "../../Audit.js"
import type { ConnectionFailed, Mode } from "../../Errors.js"
import type { Listener } from "../audit/listeners.js"
import type { Periods } from "../metrics/poolInstruments.js"
import { period } from "../shared/text.js"
import { monotonic } from "../shared/time.js"
import type { Lease, Resource } from "./lease.js"
import { Silence } from "./silence.js"

const isRoutine = (type: ConnectionEventType): boolean => type === "acquired" || type === "released"

/** What a pool counts, and whom it tells. Events are built only where somebody listens. */
export class PoolStatistics {
  created = 0
  closed = 0
  acquired = 0
  timeouts = 0
  overloaded = 0
  leaks = 0
  lastLeak = Number.NEGATIVE_INFINITY
  lateReturns = 0
  connectFailures = 0
  readonly silence: Silence = new Silence()
  readonly listeners: Set<Listener> = new Set()
  /** Told all but what comes with every operation, so that listening always costs nothing worth naming. */
  readonly watchers: Set<(event: ConnectionEvent) => void> = new Set()
  private readonly mode: Mode
  private readonly clock: Clock.Clock
  private readonly periods: Periods | undefined

  constructor(mode: Mode, clock: Clock.Clock, periods?: Periods) {
    this.mode = mode
    this.clock = clock
    this.periods = periods
  }

  /** `now` is the pool's time, on which its periods are measured; an event's date is the wall clock's. */
  record<R extends Resource>(type: ConnectionEventType, lease: Lease<R>, now: number, reason = ""): void {
    if (type === "created") this.created += 1
    else if (type === "acquired") this.acquired += 1
    else if (type === "leaked") this.leaked()
    else if (type !== "released") this.closed += 1
    if (type === "released" || type === "reclaimed") {
      this.silence.ended(lease.resource.wasAnswered, lease.lentAt, now)
    }
    if (this.periods !== undefined) this.measure(this.periods, type, lease, now)
    if (this.listeners.size === 0 && (this.watchers.size === 0 || isRoutine(type))) return
    const { holder, resource } = lease
    this.tell({
      type,
      pool: this.mode,
      connectionId: resource.id,
      at: this.clock.unsafeCurrentTimeMillis(),
      holder: holder === undefined ? "" : holder.span || `#${holder.fiber}`,
      held: holder === undefined ? 0 : now - lease.lentAt,
      waited: type === "acquired" ? lease.waited : 0,
      age: now - lease.openedAt,
      reason
    })
  }

  private measure<R extends Resource>(periods: Periods, type: ConnectionEventType, lease: Lease<R>, now: number): void {
    if (type === "acquired") periods.waited(lease.waited)
    else if (type === "released" || type === "reclaimed") periods.used(now - lease.lentAt)
    else if (type === "closed" && lease.holder !== undefined) periods.used(now - lease.lentAt)
  }

  /** A socket was opened. */
  opened(millis: number): void {
    this.periods?.created(millis)
  }

  private leaked(): void {
    this.leaks += 1
    this.lastLeak = this.clock.unsafeCurrentTimeMillis()
  }

  /** One that was reclaimed. */
  cameLate<R extends Resource>({ resource }: Lease<R>): Effect.Effect<void> {
    this.lateReturns += 1
    return Effect.logWarning("a connection came back after it had been reclaimed").pipe(
      Effect.annotateLogs({ pool: this.mode, connectionId: resource.id })
    )
  }

  connectFailed(error: ConnectionFailed): void {
    this.connectFailures += 1
    if (this.listeners.size === 0 && this.watchers.size === 0) return
    const at = this.clock.unsafeCurrentTimeMillis()
    const nobody = { connectionId: "", holder: "", held: 0, waited: 0, age: 0 }
    this.tell({ type: "failed", pool: error.pool, at, ...nobody, reason: `${error.failure} ${error.code}`.trim() })
  }

  private tell(event: ConnectionEvent): void {
    for (const listener of this.listeners) listener(event)
    if (isRoutine(event.type)) return
    for (const watcher of this.watchers) watcher(event)
  }

  /** Once when connecting begins to fail, not at each attempt. */
  logDown(error: ConnectionFailed): Effect.Effect<void> {
    return Effect.logWarning(`${error.message} The pool tries again until it answers.`).pipe(
      Effect.annotateLogs({ pool: this.mode })
    )
  }

  logClosesEach(): Effect.Effect<void> {
    return Effect.logWarning(
      "the server closes each connection after its answer: every operation waits for a connection of its own. Turn on keep-alive in the server, or in the proxy before it."
    ).pipe(Effect.annotateLogs({ pool: this.mode }))
  }

  logRecovered(since: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const outage = Duration.millis(monotonic(this.clock) - since)
      return Effect.logInfo(`connected again after ${period(outage)}`).pipe(Effect.annotateLogs({ pool: this.mode }))
    })
  }
}
