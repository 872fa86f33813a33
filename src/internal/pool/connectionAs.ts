import type { SupabaseClient } from "@supabase/supabase-js"
import { Inspectable } from "effect"
import type { Connection, Credentials } from "../../Connection.js"
import type { Mode } from "../../Errors.js"

interface Shared extends Connection {
  clientAs(credentials: Credentials): SupabaseClient
  toJSON(): Omit<Connection, "client">
}

/** A connection as one user has it: the lease beneath is the pool's, the client is that user's. */
export class ConnectionAs implements Connection {
  readonly id: string
  readonly mode: Mode
  readonly createdAt: Date
  readonly client: SupabaseClient
  readonly #shared: Shared

  constructor(shared: Shared, credentials: Credentials) {
    this.id = shared.id
    this.mode = shared.mode
    this.createdAt = shared.createdAt
    this.client = shared.clientAs(credentials)
    this.#shared = shared
  }

  get isActive(): boolean {
    return this.#shared.isActive
  }

  toJSON(): Omit<Connection, "client"> {
    return this.#shared.toJSON()
  }

  [Inspectable.NodeInspectSymbol](): Omit<Connection, "client"> {
    return this.toJSON()
  }
}
