import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Exit, Scope } from "effect"
import type { Connection } from "../../Connection.js"
import type { AcquireError, Mode } from "../../Errors.js"
import type { ConnectionPool } from "../../Pool.js"

/**
 * A connection that a caller took and must release. Its `isActive` is its own: the socket beneath goes on to serve
 * others, and is then active for them.
 */
export class HeldConnection implements Connection {
  readonly id: string
  readonly mode: Mode
  readonly client: SupabaseClient
  readonly createdAt: Date
  private readonly connection: Connection
  private released = false

  constructor(connection: Connection) {
    this.connection = connection
    this.id = connection.id
    this.mode = connection.mode
    this.client = connection.client
    this.createdAt = connection.createdAt
  }

  get isActive(): boolean {
    return !this.released && this.connection.isActive
  }

  /** False the second time. */
  markReleased(): boolean {
    const first = !this.released
    this.released = true
    return first
  }
}

/** A held connection and what gives it back. */
export interface Held {
  readonly connection: HeldConnection
  readonly release: Effect.Effect<void>
}

/** Interrupted or failed, it leaves nothing behind. */
export const take = (pool: ConnectionPool): Effect.Effect<Held, AcquireError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const connection = yield* restore(Scope.extend(pool.connection, scope)).pipe(
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
      )
      return { connection: new HeldConnection(connection), release: Scope.close(scope, Exit.void) }
    })
  )
