/**
 * A connection is one keep-alive HTTP/1.1 socket and a supabase-js client whose requests use that socket only.
 *
 * A client object costs nothing; sockets are scarce, and so are the database's slots behind them. So counting connections is
 * counting sockets: `ss -tn` shows what the metrics say. A connection never replaces its socket; when the socket is gone, so
 * is the connection, and the pool makes another.
 *
 * A read connection carries the anon key (inside `Db.withAccessToken`, the user's token) and sends GET and HEAD only: anything else is refused before it is sent.
 *
 * @since 0.1.0
 */
import type { SupabaseClient } from "@supabase/supabase-js"
import type { Redacted } from "effect"
import type { Mode } from "./internal/pool/mode.js"

/**
 * What a caller gets from a pool.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /** Unique in this process, and never used again: `read-17`. */
  readonly id: string
  readonly mode: Mode
  /**
   * Sends on this connection's socket, and only between acquisition and release. It sends with the pool's key; if the
   * connection was requested inside `Db.withAccessToken`, it sends as that user, wherever it is used.
   */
  readonly client: SupabaseClient
  /** True from acquisition to release, while the socket is open. */
  readonly isActive: boolean
  readonly createdAt: Date
}

/**
 * The identity of the requests: a key, and a user's access token if row level security has to see a user.
 *
 * @since 0.1.0
 * @category models
 */
export interface Credentials {
  readonly key: Redacted.Redacted
  readonly token: Redacted.Redacted
}
