/** How a process of ours speaks to a terminal: what it logs, in colour or not, and its last words. */
import { Cause, Config, Console, Effect, HashMap, Layer, List, Logger, LogSpan, Option } from "effect"
import { printable, printableLines } from "../shared/printable.js"
import { withoutSecrets } from "../shared/text.js"

/** https://no-color.org: set to anything but nothing, it wins over everything. */
export const noColor = Effect.orElseSucceed(
  Effect.map(
    Config.option(Config.string("NO_COLOR")),
    Option.exists((value) => value !== "")
  ),
  () => false
)

const plainWords = (value: unknown): unknown => (typeof value === "string" ? printableLines(value) : value)

/** Names and words of others, without orders to the terminal: the lines around them may have colours of ours. */
const harmless = <A>(logger: Logger.Logger<unknown, A>): Logger.Logger<unknown, A> =>
  Logger.mapInputOptions(logger, (options: Logger.Logger.Options<unknown>) => ({
    ...options,
    message: Array.isArray(options.message) ? options.message.map(plainWords) : plainWords(options.message),
    annotations: HashMap.map(options.annotations, plainWords),
    spans: List.map(options.spans, ({ label, startTime }) => LogSpan.make(printable(label), startTime))
  }))

/** As the logger would write it, but with no colours of others in it. */
const withPlainCause = <A>(logger: Logger.Logger<unknown, A>): Logger.Logger<unknown, A> =>
  Logger.mapInputOptions(logger, (options: Logger.Logger.Options<unknown>) =>
    Cause.isEmpty(options.cause)
      ? options
      : {
          ...options,
          cause: Cause.empty,
          message: [options.message, Cause.pretty(options.cause, { renderErrorCause: true })].flat()
        }
  )

/**
 * The log goes to standard error, so that standard output has nothing but what was asked for: lines for people on a
 * terminal, `key=value` for a collector.
 */
export const logging = (stream: { readonly isTTY?: boolean | undefined }): Layer.Layer<never> =>
  Layer.unwrapEffect(
    Effect.map(noColor, (plain) =>
      Logger.replace(
        Logger.defaultLogger,
        stream.isTTY === true
          ? withPlainCause(harmless(Logger.prettyLogger({ colors: !plain, mode: "tty", stderr: true })))
          : Logger.withConsoleError(Logger.map(harmless(Logger.logfmtLogger), printableLines))
      )
    )
  )

const textOf = (error: unknown): string => (error instanceof Error ? error.message.trim() : "")

/**
 * An expected failure is a sentence for whoever started the process; a stack trace is for a defect, which is ours. Only an
 * interruption has none: whoever ended the process knows why.
 */
export const lastWords = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.isInterruptedOnly(cause) && !Cause.isEmpty(cause)) return Effect.void
  const sentence = Option.match(Cause.failureOption(cause), { onNone: () => "", onSome: textOf })
  const words = sentence === "" ? Cause.pretty(cause, { renderErrorCause: true }).trim() : sentence
  return Console.error(
    words === "" ? "The process ended with an error that has no message." : printableLines(withoutSecrets(words))
  )
}
