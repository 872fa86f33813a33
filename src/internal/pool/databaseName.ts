import { Context } from "effect"

/** What the database that is being built is called; the one of `Db` has no name. */
export class DatabaseName extends Context.Reference<DatabaseName>()("effect-supabase-pool/internal/DatabaseName", {
  defaultValue: (): { readonly name: string | undefined } => ({ name: undefined })
}) {}
