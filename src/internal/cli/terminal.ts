/** A process's output to a terminal: its log, in colour or not, and its final error. */
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

/** Removes control sequences from names and texts of others; our own lines may have colours. */
const harmless = <A>(logger: Logger.Logger<unknown, A>): Logger.Logger<unknown, A> =>
  Logger.mapInputOptions(logger, (options: Logger.Logger.Options<unknown>) => ({
    ...options,
    message: Array.isArray(options.message) ? options.message.map(plainWords) : plainWords(options.message),
    annotations: HashMap.map(options.annotations, plainWords),
    spans: List.map(options.spans, ({ label, startTime }) => LogSpan.make(printable(label), startTime))
  }))

/** As the logger would write it, but without colours of others. */
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
 * The log goes to standard error, so that standard output has only the requested output: lines for people on a
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
 * An expected failure is one sentence for the user; a stack trace is for a defect, which is ours. An interruption prints
 * nothing: the user who ended the process knows why.
 */
export const lastWords = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.isInterruptedOnly(cause) && !Cause.isEmpty(cause)) return Effect.void
  const sentence = Option.match(Cause.failureOption(cause), { onNone: () => "", onSome: textOf })
  const words = sentence === "" ? Cause.pretty(cause, { renderErrorCause: true }).trim() : sentence
  return Console.error(
    words === "" ? "The process ended with an error that has no message." : printableLines(withoutSecrets(words))
  )
}
