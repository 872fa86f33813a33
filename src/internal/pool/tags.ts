/** The tags of the two pools. `Pool` shows them; what builds the pools imports them from here. */
import { Context } from "effect"
import type { ConnectionPool } from "../../Pool.js"

/**
 * The pool of connections that read: anon key, or inside `Db.withAccessToken` the user's token; GET and HEAD only.
 *
 * @since 0.1.0
 * @category tags
 */
export class ReadPool extends Context.Tag("effect-supabase-pool/ReadPool")<ReadPool, ConnectionPool>() {}

/**
 * The pool of connections that write: service-role key, or inside `Db.withAccessToken` the user's token.
 *
 * @since 0.1.0
 * @category tags
 */
export class WritePool extends Context.Tag("effect-supabase-pool/WritePool")<WritePool, ConnectionPool>() {}
