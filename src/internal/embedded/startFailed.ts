import * as Schema from "effect/Schema"

/**
 * How far a start had come when it failed.
 *
 * @internal
 */
const StartStage = Schema.Literal("package", "files", "binaries", "server", "database", "migration", "seed", "listen")

const remedies: Readonly<Record<typeof StartStage.Type, string>> = {
  package:
    "Run: npm install --save-dev @supabase/lite@0.10.0 @hono/node-server@1 (and postgres@3 for a PostgreSQL server)",
  files: "Look at the paths given as `migrations` and `seed`.",
  binaries: "Install it (Debian: `apt-get install postgresql`), or put its programs on the PATH.",
  server: "Look at the connection string; its role must be a superuser, and the server PostgreSQL 14 or newer.",
  database: "Run it again; if it stays, `npm ls @supabase/lite @electric-sql/pglite` shows whether the versions fit.",
  migration: "Fix that migration; those before it were fine.",
  seed: "Fix the seed; every migration was applied.",
  listen: "Choose another port; 0 takes any free one."
}

/**
 * The embedded database did not start. Whatever was opened on the way is closed again.
 *
 * @since 0.1.0
 * @category errors
 */
export class EmbeddedStartFailed extends Schema.TaggedError<EmbeddedStartFailed>()("EmbeddedStartFailed", {
  stage: StartStage,
  /** What went wrong, in the words of who noticed it. */
  reason: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    return `The embedded database did not start: ${this.reason}. Nothing was left open. ${remedies[this.stage]}`
  }
}

export const wordsOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

export const databaseBroken = (cause: unknown): EmbeddedStartFailed =>
  new EmbeddedStartFailed({ stage: "database", reason: `PostgreSQL did not come up (${wordsOf(cause)})`, cause })
