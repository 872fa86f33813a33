/**
 * The life of each connection as events: created, lent, returned, closed, and why.
 *
 * `Pool.events` and `Audit.events` are streams of them, `log` writes them to the log at debug level, `layerFile` to a file
 * of JSON lines. Without listeners, events are not even built. No event holds a key, a token, or any part of a row.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import { Effect, Layer, Schema, type Scope, Stream } from "effect"
import type { Mode } from "./Errors.js"
import * as AuditFile from "./internal/audit/auditFile.js"
import { EventType } from "./internal/audit/eventType.js"
import { Listeners } from "./internal/audit/listeners.js"
import { forkBackground } from "./internal/shared/asyncContext.js"
import { printable } from "./internal/shared/printable.js"
import * as Pool from "./Pool.js"

export { Listeners } from "./internal/audit/listeners.js"

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
  /** How long its borrower had waited, where it was acquired, in ms. */
  readonly waited: number
  /** How long it has been open, in ms. */
  readonly age: number
  /** Why it failed: `refused ECONNREFUSED`, `closed by the server`, `the caller left`; empty otherwise. */
  readonly reason: string
}

/**
 * The same as a schema, for sending events elsewhere.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ConnectionEvent: Schema.Schema<ConnectionEvent> = Schema.Struct({
  type: EventType,
  pool: Schema.Literal("read", "write"),
  connectionId: Schema.String,
  at: Schema.Number,
  holder: Schema.String,
  held: Schema.Number,
  waited: Schema.Number,
  age: Schema.Number,
  reason: Schema.String
})

/**
 * The events of both pools, from the moment of listening; a listener that is slower than the pools loses the oldest events.
 *
 * @since 0.1.0
 * @category accessors
 */
export const events: Stream.Stream<ConnectionEvent, never, Pool.ReadPool | Pool.WritePool> = Stream.unwrap(
  Effect.gen(function* () {
    const read = yield* Pool.ReadPool
    const write = yield* Pool.WritePool
    return Stream.merge(read.events, write.events)
  })
)

/**
 * One line per event at debug level, until the scope closes.
 *
 * @since 0.1.0
 * @category combinators
 */
export const log = (events: Stream.Stream<ConnectionEvent>): Effect.Effect<void, never, Scope.Scope> =>
  events.pipe(
    Stream.runForEach(({ holder, reason, type, ...figures }) =>
      Effect.logDebug(`connection ${type}`).pipe(
        Effect.annotateLogs({ ...figures, holder: printable(holder), reason: printable(reason) })
      )
    ),
    forkBackground,
    Effect.asVoid
  )

/**
 * @since 0.1.0
 * @category models
 */
export interface FileOptions {
  /** Its folder is made when it is missing. */
  readonly path: string
  /** A file that would become larger is set aside as `path.1`, that as `path.2`, and so on. Default: 10 MiB. */
  readonly maxBytes?: number | undefined
  /** How many files are kept beside the current one. Default: 5. */
  readonly keep?: number | undefined
}

/**
 * Writes every event of the pools that are built with it as one line of JSON, once a second and when it closes. Provide
 * it *to* the layer of the pools, so that it is there before the first connection and after the last.
 *
 * It never fails and never slows a pool: when the disk is full or not writable, the log says so once, and lines wait in
 * memory until they can be written (10,000; then the oldest are dropped and a line `lost` says how many).
 *
 * @example
 * import { NodeFileSystem } from "@effect/platform-node"
 * import { Audit, Db } from "effect-supabase-pool"
 * import { Layer } from "effect"
 *
 * export const DbLive = Db.layerFromEnv.pipe(
 *   Layer.provide(Audit.layerFile({ path: "log/connections.jsonl", maxBytes: 10_000_000, keep: 5 })),
 *   Layer.provide(NodeFileSystem.layer)
 * )
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFile = (options: FileOptions): Layer.Layer<Listeners, never, FileSystem.FileSystem> =>
  Layer.scoped(
    Listeners,
    Effect.gen(function* () {
      const listener = yield* AuditFile.open({
        path: options.path,
        maxBytes: options.maxBytes ?? 10 * 1_024 * 1_024,
        keep: options.keep ?? 5
      })
      return [...(yield* Listeners), listener]
    })
  )

/**
 * Calls a function for every event of the pools that are built with it, synchronously and on the pool's own time: it must be
 * quick. If it throws, the error is logged once, and the pool goes on.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerListener = (listener: (event: ConnectionEvent) => void): Layer.Layer<Listeners> =>
  Layer.effect(
    Listeners,
    Effect.map(Listeners, (before) => [...before, listener])
  )
