/** How a process of ours speaks to a terminal: what it logs, in colour or not, and its last words. */
import { Cause, Config, Console, Effect, Layer, Logger, Option } from "effect"

/** https://no-color.org: set to anything but nothing, it wins over everything. */
const noColor = Effect.orElseSucceed(
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

/** An expected failure is a sentence for whoever started the process; a stack trace is for a defect, which is ours. */
export const lastWords = <E extends { readonly message: string }>(cause: Cause.Cause<E>): Effect.Effect<void> => {
  if (Cause.isInterruptedOnly(cause)) return Effect.void
  return Option.match(Cause.failureOption(cause), {
    onNone: () => Console.error(Cause.pretty(cause, { renderErrorCause: true })),
    onSome: ({ message }) => Console.error(message)
  })
}
