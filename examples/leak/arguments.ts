import { Data, Effect } from "effect"

export class CannotStart extends Data.TaggedError("CannotStart")<{ readonly message: string }> {}

/** Invalid arguments are refused by name, before any request to the server. */
export const wholeNumber = (name: string, text: string, most: number): Effect.Effect<number, CannotStart> => {
  const value = Number(text)
  return Number.isInteger(value) && value >= 1 && value <= most
    ? Effect.succeed(value)
    : new CannotStart({ message: `${name}: "${text}" cannot be. Give a whole number from 1 to ${most}.` })
}
