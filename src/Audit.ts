/**
 * What happens to each connection, as values: made, lent, returned, closed, and why.
 *
 * A pool tells its events to whoever listens (`Pool.events`, the log at debug level); where nobody does, they are not
 * even built. No event holds a key, a token, or anything of a row.
 *
 * @since 0.1.0
 */
import { Effect, type Scope, Stream } from "effect"
import type { Mode } from "./Errors.js"

/**
 * - `created`: its socket is open; `acquired`, `released`: lent and returned.
 * - `idle-closed`: idle for longer than the idle timeout; `retired`: older than the maximum lifetime;
 *   `reset`: somebody reset the pool; `closed`: the pool shuts down.
 * - `leaked`: held longer than the leak detection timeout; `reclaimed`: therefore taken back.
 * - `failed`: the socket broke, or could not be opened.
 *
 * @since 0.1.0
 * @category models
 */
export type ConnectionEventType =
  | "created"
  | "acquired"
  | "released"
  | "idle-closed"
  | "retired"
  | "leaked"
  | "reclaimed"
  | "reset"
  | "failed"
  | "closed"

/**
 * @since 0.1.0
 * @category models
 */
export interface ConnectionEvent {
  readonly type: ConnectionEventType
  readonly pool: Mode
  /** Empty when a connection failed before it was one. */
  readonly connectionId: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** The span, or else the fiber, that holds or held the connection; empty when nobody did. */
  readonly holder: string
  /** How long it was held, where it was held, in ms. */
  readonly held: number
}

/**
 * One line per event at debug level, until the scope closes.
 *
 * @since 0.1.0
 * @category combinators
 */
export const log = (events: Stream.Stream<ConnectionEvent>): Effect.Effect<void, never, Scope.Scope> =>
  events.pipe(
    Stream.runForEach(({ type, ...annotations }) =>
      Effect.logDebug(`connection ${type}`).pipe(Effect.annotateLogs(annotations))
    ),
    Effect.forkScoped,
    Effect.asVoid
  )
