import type { Duration, Effect, Scope } from "effect"
import type { Mode } from "../Errors.js"
import type { Listener } from "./audit/listeners.js"
import type { Resource } from "./lease.js"
import type { Periods } from "./metrics/pool.js"

/** Zero turns `leakDetectionTimeout`, `maxLifetime` and `keepaliveInterval` off. */
export interface CoreOptions<R extends Resource> {
  readonly mode: Mode
  readonly origin: string
  readonly min: number
  readonly max: number
  readonly maxPending: number
  readonly connectionTimeout: Duration.Duration
  readonly leakDetectionTimeout: Duration.Duration
  /** In ms, as the next two: they are held against the clock in each sweep. */
  readonly idleTimeout: number
  readonly maxLifetime: number
  readonly keepaliveInterval: number
  readonly shutdownTimeout: Duration.Duration
  /** Told of each period where it ends; nobody where metrics are off. */
  readonly periods?: Periods | undefined
  /** Told of every event, from the first to the last. */
  readonly listeners?: ReadonlyArray<Listener> | undefined
  readonly acquire: (onClose: (resource: R) => void) => Effect.Effect<R, never, Scope.Scope>
}
