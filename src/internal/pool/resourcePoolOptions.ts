import type { Clock, Duration, Effect, Scope } from "effect"
import type { Mode } from "../../Errors.js"
import type { Listener } from "../audit/listeners.js"
import type { Periods } from "../metrics/poolInstruments.js"
import type { Deadlines } from "../shared/deadlines.js"
import type { Connector } from "./connector.js"
import type { Resource } from "./lease.js"
import type { WarmUp } from "./warmUp.js"

/** Why a lease ends. */
export type End = "idle-closed" | "retired" | "failed" | "reset" | "closed" | "reclaimed"

/** What the pool itself does not make; `C` is the pool. */
export interface Services<C, R extends Resource> {
  readonly clock: Clock.Clock
  readonly deadlines: Deadlines
  readonly leaks: Deadlines
  /** Not at once: what is forked must not run inside the change of state that forks it. */
  readonly fork: (effect: Effect.Effect<void>) => void
  readonly connector: (pool: C) => Connector<R>
}

/** Zero turns `leakDetectionTimeout`, `maxLifetime` and `keepaliveInterval` off. */
export interface ResourcePoolOptions<R extends Resource> {
  readonly mode: Mode
  readonly origin: string
  /** On the way there, without its login. */
  readonly proxy?: string | undefined
  readonly min: number
  readonly max: number
  readonly maxPending: number
  /** Limits what is lent at once by how requests end. */
  readonly adaptive?: boolean | undefined
  readonly connectionTimeout: Duration.Duration
  readonly leakDetectionTimeout: Duration.Duration
  /** In ms, as the next two: they are held against the clock in each sweep. */
  readonly idleTimeout: number
  readonly maxLifetime: number
  readonly keepaliveInterval: number
  readonly shutdownTimeout: Duration.Duration
  /** Told of each period where it ends; nobody where metrics are off. */
  readonly periods?: Periods | undefined
  /** When the least is opened; none: at once. */
  readonly warmUp?: WarmUp | undefined
  /** Told of every event, from the first to the last. */
  readonly listeners?: ReadonlyArray<Listener> | undefined
  readonly acquire: (onClose: (resource: R) => void) => Effect.Effect<R, never, Scope.Scope>
}
