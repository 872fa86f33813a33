/** Options with a value: an invalid value is refused by the option's name, before anything is opened. */
import { HelpDoc, Options, ValidationError } from "@effect/cli"
import { Effect, Option } from "effect"

export interface Value<A> {
  /** As the usage shows it: `--port integer`. */
  readonly type: string
  /** The rest of a sentence: `a port is a whole number from 0 to 65535`. */
  readonly what: string
  readonly example: A
  readonly read: (text: string) => Option.Option<A>
}

export const option = <A extends number | string>(
  name: string,
  { example, read, type, what }: Value<A>
): Options.Options<A> =>
  Options.text(name).pipe(
    Options.withPseudoName(type),
    Options.mapEffect((text) =>
      Effect.mapError(read(text), () =>
        ValidationError.invalidValue(
          HelpDoc.p(`--${name} ${text} is not valid: ${what}. Give --${name} ${example}, for example.`)
        )
      )
    )
  )

/** One of a few names. */
export const choice = <A extends string>(
  name: string,
  what: string,
  [first, ...others]: readonly [A, ...ReadonlyArray<A>]
): Options.Options<A> => {
  const names = [first, ...others]
  return option(name, {
    type: names.join(" | "),
    what: `${what} is one of ${names.join(", ")}`,
    example: first,
    read: (text) => Option.fromNullable(names.find((one) => one === text))
  })
}
