import { stripVTControlCharacters } from "node:util"
import { Console, Effect } from "effect"
import { noColor } from "../terminal.js"

const strip = (args: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  args.map((arg) => (typeof arg === "string" ? stripVTControlCharacters(arg) : arg))

/** Without colours where nobody sees them, or wants them: the parser's help has them always. */
export const plainUnless =
  (isTerminal: boolean) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.gen(function* () {
      if (isTerminal && !(yield* noColor)) return yield* effect
      const console = yield* Console.consoleWith(Effect.succeed)
      return yield* Effect.withConsole(effect, {
        ...console,
        log: (...args) => console.log(...strip(args)),
        error: (...args) => console.error(...strip(args))
      })
    })
