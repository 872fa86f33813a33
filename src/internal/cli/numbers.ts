/** Numbers that are given to a command: what is out of bounds is refused before anything is opened. */
import { HelpDoc, Options, ValidationError } from "@effect/cli"
import { Effect, Either } from "effect"

export interface Bounds {
  /** As a sentence goes on: `a rate is a number above 0`. */
  readonly what: string
  readonly example: number
  readonly holds: (value: number) => boolean
}

/** More per second than any machine begins, and fewer than would fill its memory. */
const mostPerSecond = 100_000

export const perSecond: Bounds = {
  what: `the callers per second are a number above 0, at most ${mostPerSecond}`,
  example: 20,
  holds: (value) => value > 0 && value <= mostPerSecond
}

const longestSeconds = 86_400

export const seconds: Bounds = {
  what: `the duration is a whole number of seconds from 1 to ${longestSeconds}`,
  example: 10,
  holds: (value) => Number.isInteger(value) && value >= 1 && value <= longestSeconds
}

export const port: Bounds = {
  what: "a port is a whole number from 0 to 65535, and 0 takes a free one",
  example: 54321,
  holds: (value) => Number.isInteger(value) && value >= 0 && value <= 65_535
}

/** What happened, what it means, what to do. */
const refusal = (option: string, given: string, { example, what }: Bounds): string =>
  `--${option} ${given} cannot be: ${what}. Nothing was started. Give --${option} ${example}, for example.`

/** The number itself, or why it is none. */
export const check = (option: string, value: number, bounds: Bounds): Either.Either<number, string> =>
  bounds.holds(value) ? Either.right(value) : Either.left(refusal(option, String(value), bounds))

/** The same for what the parser has read. */
export const within =
  (option: string, bounds: Bounds) =>
  (self: Options.Options<number>): Options.Options<number> =>
    Options.mapEffect(self, (value) =>
      Effect.mapError(check(option, value, bounds), (text) => ValidationError.invalidValue(HelpDoc.p(text)))
    )
