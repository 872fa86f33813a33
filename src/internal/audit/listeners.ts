import { Context } from "effect"
import type { ConnectionEvent } from "../../Audit.js"

export type Listener = (event: ConnectionEvent) => void

/**
 * The listeners of the pools that are built with it. Default: none, so that nothing requires it.
 *
 * @since 0.1.0
 * @category tags
 */
export class Listeners extends Context.Reference<Listeners>()("effect-supabase-pool/Audit/Listeners", {
  defaultValue: (): ReadonlyArray<Listener> => []
}) {}
