import { stripVTControlCharacters } from "node:util"
import { Console, Effect } from "effect"
import { printableColoured, printableLines } from "../shared/printable.js"
import { noColor } from "./terminal.js"

/** Removes colours if nobody sees or wants them: the parser's help always has them. */
const plain = (text: string): string => printableLines(stripVTControlCharacters(text))

const each =
  (change: (text: string) => string) =>
  (args: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
    args.map((arg) => (typeof arg === "string" ? change(arg) : arg))

/** Prints our lines without control sequences except colours, and those only on a terminal that wants them. */
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
        // The loggers write to this; they know whether their stream is a terminal.
        unsafe: {
          ...console.unsafe,
          log: (...args) => console.unsafe.log(...each(printableColoured)(args)),
          error: (...args) => console.unsafe.error(...each(printableColoured)(args)),
          group: (...args) => console.unsafe.group(...each(printableColoured)(args)),
          groupEnd: () => console.unsafe.groupEnd()
        }
      })
    })
