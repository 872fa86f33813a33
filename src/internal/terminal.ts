/** How a process of ours speaks to a terminal: what it logs, in colour or not, and its last words. */
import { Cause, Config, Console, Effect, Layer, Logger, Option } from "effect"
import { withoutSecrets } from "./words.js"

/** https://no-color.org: set to anything but nothing, it wins over everything. */
export const noColor = Effect.orElseSucceed(
  Effect.map(
    Config.option(Config.string("NO_COLOR")),
    Option.exists((value) => value !== "")
  ),
  () => false
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
          ? Logger.prettyLogger({ colors: !plain, mode: "tty", stderr: true })
          : Logger.withConsoleError(Logger.logfmtLogger)
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
  return Console.error(words === "" ? "Ended by an error that does not say what it is." : withoutSecrets(words))
}
