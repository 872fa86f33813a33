import { stripVTControlCharacters } from "node:util"
import { Console, Effect } from "effect"
import { printableColoured, printableLines } from "../shared/printable.js"
import { noColor } from "./terminal.js"

/** Without colours where nobody sees them, or wants them: the parser's help has them always. */
const plain = (text: string): string => printableLines(stripVTControlCharacters(text))

const each =
  (change: (text: string) => string) =>
  (args: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
    args.map((arg) => (typeof arg === "string" ? change(arg) : arg))

/** Every line of ours, with no order to the terminal in it but colours, and these only on a terminal that wants them. */
export const plainUnless =
  (isTerminal: boolean) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.gen(function* () {
      const strip = each(isTerminal && !(yield* noColor) ? printableColoured : plain)
      const console = yield* Console.consoleWith(Effect.succeed)
      return yield* Effect.withConsole(effect, {
        ...console,
        log: (...args) => console.log(...strip(args)),
        error: (...args) => console.error(...strip(args)),
        // What the loggers write to, which know whether their stream is a terminal.
        unsafe: {
          ...console.unsafe,
          log: (...args) => console.unsafe.log(...each(printableColoured)(args)),
          error: (...args) => console.unsafe.error(...each(printableColoured)(args)),
          group: (...args) => console.unsafe.group(...each(printableColoured)(args)),
          groupEnd: () => console.unsafe.groupEnd()
        }
      })
    })
