import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The line of a stack trace that names who called the function that asked: after "Error" and that function itself. */
const callerOf = (stack: string | undefined): string => stack?.split("\n")[2] ?? ""

const isLite = (frame: string): boolean => frame.includes("/@supabase/lite/")

type Method = "error" | "warn" | "log"

const muffle = (method: Method): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        const before = console[method]
        const muffled = (...words: ReadonlyArray<unknown>): void => {
          if (!isLite(callerOf(new Error().stack))) before(...words)
        }
        console[method] = muffled
        return { before, muffled }
      }),
      ({ before, muffled }) =>
        Effect.sync(() => {
          // Somebody else may have replaced it since (a test runner, a second embedded database): theirs stays.
          if (console[method] === muffled) console[method] = before
        })
    )
  )

/**
 * `@supabase/lite` prints every statement that PostgreSQL refuses, with its values, to the console. The caller is told
 * by the HTTP answer; a console that shows people's rows is no place for it. While the scope is open lite prints
 * nothing, and all other code keeps its console.
 */
export const quietConsole: Effect.Effect<void, never, Scope.Scope> = Effect.all(
  [muffle("error"), muffle("warn"), muffle("log")],
  { discard: true }
)
