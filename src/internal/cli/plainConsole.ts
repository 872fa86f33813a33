import { stripVTControlCharacters } from "node:util"
import { Config, Console, Effect } from "effect"

const strip = (args: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  args.map((arg) => (typeof arg === "string" ? stripVTControlCharacters(arg) : arg))

/**
 * Without colours where nobody sees them, or wants them (https://no-color.org): the parser's help has them always.
 */
export const plainUnless =
  (isTerminal: boolean) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(
      Effect.orElseSucceed(Config.string("NO_COLOR"), () => ""),
      (noColor) =>
        isTerminal && noColor === ""
          ? effect
          : Effect.flatMap(Console.consoleWith(Effect.succeed), (console) =>
              Effect.withConsole(effect, {
                ...console,
                log: (...args) => console.log(...strip(args)),
                error: (...args) => console.error(...strip(args))
              })
            )
    )
