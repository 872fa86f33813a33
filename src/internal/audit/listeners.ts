import { Context } from "effect"
import type { ConnectionEvent } from "../../Audit.js"

export type Listener = (event: ConnectionEvent) => void

/**
 * Who is told of events by the pools that are built with it. Nobody unless somebody provides another, so that nothing
 * requires it.
 *
 * @since 0.1.0
 * @category tags
 */
export class Listeners extends Context.Reference<Listeners>()("effect-supabase-pool/Audit/Listeners", {
  defaultValue: (): ReadonlyArray<Listener> => []
}) {}
