import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { EmbeddedStartFailed, wordsOf } from "./startFailed.js"

/** A piece of SQL and the name it goes by in an error. */
export interface Sql {
  readonly name: string
  readonly text: string
}

const unreadable = (path: string) => (cause: unknown) =>
  new EmbeddedStartFailed({ stage: "files", reason: `${path} cannot be read (${wordsOf(cause)})`, cause })

const read = (path: string, name: string): Effect.Effect<Sql, EmbeddedStartFailed> =>
  Effect.tryPromise({ try: () => readFile(path, "utf8"), catch: unreadable(path) }).pipe(
    Effect.map((text) => ({ name, text }))
  )

/** A directory's `.sql` files in the order of their names (as the Supabase CLI applies them), or the texts as they are. */
export const migrationsFrom = (
  source: string | ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Sql>, EmbeddedStartFailed> =>
  typeof source === "string"
    ? Effect.tryPromise({ try: () => readdir(source), catch: unreadable(source) }).pipe(
        Effect.map((names) => names.filter((name) => name.endsWith(".sql")).sort()),
        Effect.flatMap((names) => Effect.forEach(names, (name) => read(join(source, name), name)))
      )
    : Effect.succeed(source.map((text, index) => ({ name: `number ${index + 1} of the list`, text })))

const isPath = (seed: string): boolean => seed.endsWith(".sql") && !seed.includes("\n")

/** SQL ends in a semicolon or spans lines, a path ends in `.sql`: one string serves both. */
export const seedFrom = (source: string | false): Effect.Effect<ReadonlyArray<Sql>, EmbeddedStartFailed> => {
  if (source === false) return Effect.succeed([])
  return isPath(source)
    ? Effect.map(read(source, source), (sql) => [sql])
    : Effect.succeed([{ name: "the given text", text: source }])
}
